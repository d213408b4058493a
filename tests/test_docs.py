"""The docs say what is there: the tree and the rooms in docs/architecture.md, and every path that a page names."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.test_architecture import BASE, BELOW, MAY_IMPORT, ROOT

ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]
IN_THE_TREE = ("assets", "pipelines", "dbt_project/models", "tests", "docs", "benchmarks")
EVERY_FILE_OF = ("assets", "pipelines")
SUFFIXES = {
    ".css",
    ".csv",
    ".html",
    ".json",
    ".md",
    ".parquet",
    ".png",
    ".py",
    ".sql",
    ".toml",
    ".yaml",
    ".yml",
    ".zip",
}
NOT_THERE = (
    "data/*",  # what runs write
    "dbt_project/target/*",  # what dbt writes
    "assets/predictions/early_warning*",  # the example that the reader writes
    "stripe/invoice/2026-06-29.csv",  # an export of the reader's
)
"""Paths that a page may name though a fresh checkout has no such file."""


def section(title: str) -> str:
    """The text of a section of docs/architecture.md."""
    return ARCHITECTURE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def as_pattern(path: str) -> str:
    """`<name>` stands for any name."""
    return re.sub(r"<[^>]*>", "*", path)


def listed_in_the_tree() -> list[str]:
    """Paths of the tree in the doc; folders end in `/`."""
    paths: list[str] = []
    parents: list[str] = []
    for line in section("The tree").split("```")[1].strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r"\s{2,}", line.strip())[0].split()
        paths += ["".join([*parents[:depth], name]) for name in names]
        parents = [*parents[:depth], names[-1]]
    return [as_pattern(path) for path in paths]


def folders_with_files() -> set[str]:
    """Folders of the checkout that hold files themselves, with a `/` at the end."""
    files = [path for top in IN_THE_TREE for path in (ROOT / top).rglob("*") if path.is_file()]
    folders = {path.relative_to(ROOT).parent for path in files if not path.name.startswith(".")}
    return {f"{folder}/" for folder in folders if "__pycache__" not in folder.parts}


def is_listed(path: str, patterns: list[str]) -> bool:
    return any(pattern.count("/") == path.count("/") and fnmatchcase(path, pattern) for pattern in patterns)


def test_every_folder_is_in_the_tree_of_the_doc():
    listed = listed_in_the_tree()
    assert sorted(folder for folder in folders_with_files() if not is_listed(folder, listed)) == []


def test_every_loose_module_is_in_the_tree_of_the_doc():
    listed = listed_in_the_tree()
    modules = [f"{top}/{path.name}" for top in EVERY_FILE_OF for path in (ROOT / top).glob("[!_]*.py")]
    assert sorted(module for module in modules if module not in listed) == []


def test_everything_in_the_tree_of_the_doc_is_there():
    listed = listed_in_the_tree()
    assert len(listed) > 50
    assert [path for path in listed if not list(ROOT.glob(path))] == []


def test_the_rooms_of_the_doc_are_those_of_the_architecture_test():
    rows = re.findall(r"^\| ([*.\w]+) \| ([^|]+) \|$", section("What a room may import"), re.MULTILINE)
    rooms: dict[str, set[str]] = {}
    for room, names in rows[1:]:
        words = set() if names == "–" else set(names.split(", "))
        rooms[room] = {name for word in words for name in (rooms[word] if word.startswith("*") else {word})}
    assert (rooms.pop("*base*"), rooms.pop("*below*")) == (BASE, BELOW)
    assert rooms == MAY_IMPORT


def named_paths(page: Path) -> Iterator[str]:
    """What a page names in backticks or in a code block and looks like a path of this repository."""
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".venv")}
    text = page.read_text()
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    for word in " ".join([*spans, *blocks]).split():
        path = re.sub(r":\d+:?$", "", word.strip("`'\"(),;:"))
        is_relative = "/" in path and not path.startswith(("/", ".venv", "http", "../"))
        if is_relative and (Path(path).suffix in SUFFIXES or path.split("/")[0] in tops):
            yield path


def links(page: Path) -> list[str]:
    """The files that a page links to or shows."""
    return [link for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()) if "://" not in link]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_that_a_page_names_is_there(page: Path):
    # The tree in docs/architecture.md has tests of its own.
    missing = [
        path
        for path in dict.fromkeys(map(as_pattern, named_paths(page)))
        if not list(ROOT.glob(path.rstrip("/"))) and not any(fnmatchcase(path, known) for known in NOT_THERE)
    ]
    assert missing == []
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


def test_paths_are_found_in_the_pages():
    found = {path for page in PAGES for path in named_paths(page)}
    assert {"assets/predictions/lead_score/defs.yaml", "docs/decisions/", "pipelines/commands/"} <= found
