"""The house rules that a machine can hold: imports go one way, learning knows no Dagster, nothing heavy at import."""

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

BASE = {"settings", "locking", "database", "warehouse", "spelling", "values"}
"""What every room below may stand on."""
BELOW = {*BASE, "extraction", "transformation", "quality", "instance"}
"""Rooms that know no component."""
MAY_IMPORT = {
    "settings": set(),
    "locking": set(),
    "database": set(),
    "spelling": set(),
    "values": set(),
    "rendering": set(),
    "spreadsheets": set(),
    "warehouse": {"settings", "locking", "database"},
    "learning.specs": set(),
    "learning.imports": set(),
    "learning.context": set(),
    "learning.version": set(),
    "learning.columns": {"learning.specs", "spelling", "values"},
    "learning.judging": {"learning.columns"},
    "learning.learners": {"learning.columns", "learning.judging"},
    "learning.scoring": {"learning.specs", "learning.columns", "learning.judging", "learning.learners"},
    "learning.fitting": {
        "learning.specs",
        "learning.context",
        "learning.version",
        "learning.columns",
        "learning.judging",
        "learning.learners",
        "learning.scoring",
    },
    "learning.cards": {
        "learning.specs",
        "learning.columns",
        "learning.judging",
        "learning.scoring",
        "learning.fitting",
        "learning.texts",
        "rendering",
    },
    "learning.texts": {"learning.context", "learning.judging", "learning.learners", "learning.scoring", "values"},
    "learning.forecasting": {"learning.judging", "learning.version", "rendering"},
    "sample": set(),
    "instance": BASE,
    "extraction": BASE,
    "transformation": {*BASE, "quality", "learning.imports"},
    "new_source": {*BASE, "extraction", "transformation"},
    "quality": {*BASE, "extraction", "instance", "rendering"},
    "any_table": {*BASE, "extraction", "learning", "spreadsheets"},
    "publishing": BELOW,
    "registry": {*BELOW, "learning", "publishing"},
    "track_record": {*BELOW, "learning", "registry", "publishing"},
    "components": {*BELOW, "learning", "registry", "publishing", "track_record", "any_table"},
    "assets": {*BELOW, "learning.imports", "components", "publishing", "track_record"},
    "schedules": {*BELOW, "registry"},
    "sensors": {*BELOW, "registry", "publishing", "schedules"},
    "definitions": {*BELOW, "components", "schedules", "sensors"},
    "commands": {
        *BELOW,
        "sample",
        "learning",
        "any_table",
        "registry",
        "track_record",
        "publishing",
        "components",
        "assets",
        "definitions",
        "new_source",
        "spreadsheets",
    },
}
"""Every room and what it may import; `learning` stands for all of learning's rooms. A room may import itself."""
HEAVY = {"sklearn", "lightgbm", "prophet", "statsforecast", "great_expectations", "matplotlib", "pandas", "scipy"}


def module_of(path: Path) -> str:
    """The dotted name of a source file, less `.__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = sorted([*ROOT.glob("assets/**/*.py"), *ROOT.glob("pipelines/**/*.py")])
MODULES = {module_of(path): path for path in SOURCES}


def room_of(module: str) -> str:
    """`assets`, the package or module below `pipelines`, or the one below `pipelines.learning`."""
    parts = module.split(".")
    if parts[0] == "assets" or len(parts) == 1:
        return parts[0]
    return ".".join(parts[1:3]) if parts[1] == "learning" and len(parts) > 2 else parts[1]


@lru_cache
def imported_modules(module: str) -> frozenset[str]:
    """The modules of ours that a module imports, anywhere in it, also for type checkers alone."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(found & set(MODULES) - {module})


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The first circle of a graph; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as problem:
        return problem.args[1]
    return []


def is_allowed(room: str, other: str) -> bool:
    """Whether the rules let a room import another."""
    allowed = MAY_IMPORT[room] | {room}
    return other in allowed or ("learning" in allowed and other.split(".")[0] == "learning")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may(module: str):
    room = room_of(module)
    if room in ("pipelines", "learning"):
        assert MODULES[module].read_text() == "", "a package's door is empty"
        return
    assert room in MAY_IMPORT, f"{room} is a new room: list it in MAY_IMPORT with what it may import"
    assert [name for name in imported_modules(module) if not is_allowed(room, room_of(name))] == []


def test_assets_declare_and_compute_nothing():
    found = {
        node.name
        for path in ROOT.glob("assets/**/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert found == {"defs", "all_sources"}


def test_every_listed_room_is_there():
    assert set(MAY_IMPORT) - {room_of(module) for module in MODULES} == set()


def test_modules_import_in_no_circle():
    assert circle({module: set(imported_modules(module)) for module in MODULES}) == []


def test_rooms_import_in_no_circle():
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        graph.setdefault(room_of(module), set()).update(room_of(name) for name in imported_modules(module))
    assert circle({room: others - {room} for room, others in graph.items()}) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("pipelines/learning/**/*.py")), ids=lambda path: path.name)
def test_learning_knows_no_dagster_and_no_database(path: Path):
    text = path.read_text()
    assert not re.search(r"^\s*(from|import)\s+(dagster|duckdb|assets)\b", text, re.MULTILINE)


def test_what_is_declared_knows_no_dagster():
    program = (
        "import sys, assets.sources, pipelines.commands.checking; assets.sources.all_sources(); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"dagster", "dbt", "pandas"} & set(loaded.stdout.split()) == set()


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
