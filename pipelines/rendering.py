"""Pages and pictures from Jinja2 templates: what comes from the data is text in them, never markup."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""What HTML forbids, what turns the words around it, and what UTF-8 cannot hold."""


def render(
    template: Path, filters: Mapping[str, Callable[..., object]] = MappingProxyType({}), /, **values: object
) -> str:
    """A template with its values, each escaped; None is nothing.

    `filters` are what the template writes figures and words with. Raises jinja2.UndefinedError for a value that the
    template shows and nobody gave.
    """
    environment = _environment(template.parent, tuple(filters.items()))
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", environment.get_template(template.name).render(values))


@lru_cache
def _environment(folder: Path, filters: tuple[tuple[str, Callable[..., object]], ...]) -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: "" if value is None else value,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment
