"""The YAML of components as documents: their values, and the line of each."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.spelling import suggestion_or_list
from pipelines.values.written_yaml import yaml_loader

TOP_LEVEL = ("type", "attributes", "requirements", "post_processing", "template_vars_module")
PREDICTION = "pipelines.components.prediction.Prediction"
FORECAST = "pipelines.components.forecast.Forecast"
TEXT = "pipelines.components.text.Text"
Where = tuple[str | int, ...]
"""Keys and list positions that lead to a value in the YAML."""


class YamlMistakes(ValueError):
    """The YAML under `assets/` cannot be loaded; the message has one line a mistake: `file:line: what to do`."""

    def __init__(self, mistakes: "Collection[Mistake]"):
        self.mistakes = sorted(set(mistakes))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


@dataclass(frozen=True, order=True)
class Mistake:
    """A mistake in a file, with its line."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        """`file:line: text`, as compilers write it, so that editors can jump there."""
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Document:
    """One YAML document of a component."""

    file: str
    type: str
    attributes: Any
    lines: Mapping[Where, int] = field(default_factory=dict)
    """Line of each key and list item, by path."""

    def mistake(self, path: Where, text: str) -> Mistake:
        """A mistake at the line of a path, or of its deepest part that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return Mistake(self.file, self.lines.get(path, 1), text)


def read_documents(root: Path, extra: Mapping[str, str]) -> tuple[list[Document], list[Mistake]]:
    """The YAML documents of components under `assets/`, and mistakes for those that cannot be read."""
    import yaml

    files = {str(path.relative_to(root)): path.read_text() for path in sorted((root / "assets").rglob("defs.y*ml"))}
    documents, mistakes = [], []
    for file, text in {**files, **extra}.items():
        try:
            nodes = list(yaml.compose_all(text, Loader=yaml_loader()))
            values = list(yaml.load_all(text, Loader=yaml_loader()))
        except yaml.YAMLError as problem:
            mark = getattr(problem, "problem_mark", None)
            what = getattr(problem, "problem", None) or "this is no YAML"
            mistakes.append(
                Mistake(file, mark.line + 1 if mark else 1, f"{what}; check the indentation and the colons")
            )
            continue
        for node, value in zip(nodes, values, strict=True):
            if node is None:
                continue
            lines: dict[Where, int] = {}
            mistakes += [Mistake(file, line, text) for line, text in _walk(node, (), lines)]
            if not isinstance(value, dict) or not isinstance(value.get("type"), str):
                if not isinstance(value, dict) or "attributes" in value:
                    mistakes.append(Mistake(file, lines[()], f"`type: {PREDICTION}` is missing"))
                continue
            document = Document(file, value["type"], value.get("attributes"), lines)
            for key in value.keys() - set(TOP_LEVEL):
                mistakes.append(
                    document.mistake((key,), f"there is no key '{key}' here{suggestion_or_list(str(key), TOP_LEVEL)}")
                )
            documents.append(document)
    return documents, mistakes


def _walk(node: Any, path: Where, lines: dict[Where, int]) -> Iterator[tuple[int, str]]:
    """Record the line of every key and item; yields keys that are given twice, of which YAML takes the last."""
    import yaml

    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            at, line = (*path, key.value), key.start_mark.line + 1
            if at in lines:
                yield line, f"'{key.value}' is given twice, here and in line {lines[at]}"
            lines[at] = line
            yield from _walk(value, at, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(item, (*path, number), lines)
