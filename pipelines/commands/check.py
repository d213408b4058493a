"""`scorecast check`: what the exports are taken for, what is wrong with them, and what can be made of them."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import own_temporary_files, told_in_words


def check(
    folder: Annotated[
        Path | None, typer.Argument(help="a system's folder, or one that holds several; else those of sources.yaml")
    ] = None,
    in_full: Annotated[bool, typer.Option("--all", help="read every file, however long it takes")] = False,
) -> None:
    """Say what the exports are taken for, what is wrong with them, and what can be made of them; loads nothing."""
    from pipelines.commands.checking import check_exports, print_findings
    from pipelines.components.declared.documents import YamlMistakes
    from pipelines.extraction.configuration import ConfigurationError
    from pipelines.extraction.loading.state import CannotLoad
    from pipelines.extraction.money import RatesProblem
    from pipelines.learning.imports import without

    with (
        told_in_words(CannotLoad),
        told_in_words(ConfigurationError, RatesProblem, YamlMistakes, code=2),
        own_temporary_files(),
        # DuckDB and Arrow look for it as soon as they see a Python value, which takes as long as reading the exports.
        without("pandas"),
    ):
        findings = check_exports(folder, in_full)
    print_findings(findings)
    raise typer.Exit(0 if findings.something_can_be_made else 1)
