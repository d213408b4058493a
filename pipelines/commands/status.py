"""`scorecast status`: what is published, how good it is, and how old."""

import typer

from pipelines.commands.common import told_in_words


def status() -> None:
    """What is published, how good it is, and how old."""
    from pipelines.commands.summary import print_summary
    from pipelines.extraction.configuration import ConfigurationError, read_configuration

    with told_in_words(ConfigurationError):
        read_configuration()  # raises before half of the summary is printed
    if not print_summary():
        raise typer.Exit(1)
