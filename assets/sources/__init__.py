"""raw_<source>.*: one file per system that we can load."""

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.extraction.contracts import Source


def all_sources() -> "list[Source]":
    """The contract of every system that has a file here, by name, whether or not this company has it."""
    from pipelines.extraction.contracts import Source

    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    sources = [value for module in modules for value in vars(module).values() if isinstance(value, Source)]
    return sorted(sources, key=lambda source: source.name)
