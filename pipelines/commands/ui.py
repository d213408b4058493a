"""`scorecast ui`: the Dagster UI on 127.0.0.1, with the daemon that runs schedules and sensors."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.common import prepare_instance, told_in_words


def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="port of 127.0.0.1")] = 3000) -> None:
    """Open the Dagster UI on 127.0.0.1, with the daemon that runs schedules and sensors, and the reports."""
    from pipelines.commands.web import PortTaken, serve, take_port

    with told_in_words(PortTaken):
        door = take_port(port)
    from pipelines.commands.running import open_instance

    home = prepare_instance()
    open_instance()
    typer.echo(f"Dagster UI: http://127.0.0.1:{port}   (run history in {home}; stop with Ctrl-C)")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    serve(door)
