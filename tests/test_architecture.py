"""The house rules that a machine can hold: imports go one way, learning knows no Dagster, nothing heavy at import."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "assets": {
        "assets",
        "database",
        "components",
        "extraction",
        "quality",
        "publishing",
        "warehouse",
        "transformation",
        "settings",
    },
    "components": {
        "components",
        "database",
        "learning",
        "extraction",
        "warehouse",
        "publishing",
        "kept_releases",
        "quality",
        "settings",
        "descriptions",
    },
    "database": set(),
    "descriptions": {"database"},
    "learning": {"learning"},
    "extraction": {"database", "extraction", "kept_releases", "settings"},
    "quality": {"database", "quality", "settings", "warehouse", "extraction"},
    "sample": {"sample"},
    "publishing": {"database", "publishing", "kept_releases", "settings", "quality", "locking", "descriptions"},
    "kept_releases": {"database"},
    "web": {"settings"},
    "mishaps": {"settings"},
    "forgetting": {"assets", "database", "extraction", "locking", "settings", "transformation", "warehouse"},
    "locking": set(),
    "settings": set(),
    "transformation": {"settings"},
    "warehouse": {"database", "settings", "locking"},
}
HEAVY = {"sklearn", "lightgbm", "prophet", "statsforecast", "great_expectations", "matplotlib", "pandas", "scipy"}


def room(path: Path) -> str:
    """`assets`, or the module or package below `pipelines`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "assets" if parts[0] == "assets" else parts[1]


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "pipelines" else [f"pipelines.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "pipelines" and len(parts) > 1:
                rooms.add(parts[1])
            elif parts[0] == "assets":
                rooms.add("assets")
    return rooms


SOURCES = sorted([*ROOT.glob("assets/**/*.py"), *ROOT.glob("pipelines/**/*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path):
    allowed = MAY_IMPORT.get(room(path))
    if allowed is not None:
        assert imported_rooms(path) <= allowed


@pytest.mark.parametrize("path", sorted(ROOT.glob("pipelines/learning/**/*.py")), ids=lambda path: path.name)
def test_learning_knows_no_dagster_and_no_database(path: Path):
    text = path.read_text()
    assert not re.search(r"^\s*(from|import)\s+(dagster|duckdb|assets)\b", text, re.MULTILINE)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_pickled(path: Path):
    assert not re.search(r"^\s*(from|import)\s+(pickle|joblib)\b", path.read_text(), re.MULTILINE)


def test_loading_the_definitions_imports_nothing_heavy():
    program = "import sys, pipelines.definitions; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = set(result.stdout.split())
    assert "dagster" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_no_package_index_and_no_url_in_the_lock():
    lock = (ROOT / "requirements.lock").read_text()
    assert "--hash=sha256:" in lock
    assert not re.search(r"https?://|^--?(index|extra|find)", lock, re.MULTILINE)
