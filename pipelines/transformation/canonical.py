"""What core reads of each entity and how existing staging models map to it, from the dbt project's own text."""

import ast
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.settings import dbt_project_dir

UNION = re.compile(r"union_staging\('(\w+)', *(\{.*?\}|\w+)( *, *is_part *= *true)?\)", re.DOTALL)
RAW = re.compile(r"raw_columns\(source\('raw_(\w+)', '(\w+)'\), (\{.*?\})(?:, history=|\))", re.DOTALL)
SOURCE = re.compile(r"source\(\s*['\"]raw_(\w+)['\"]\s*,\s*['\"](\w+)['\"]")
FIXED = re.compile(r"'fixed': (\[.*?\])", re.DOTALL)
AS_TEXT = ("currency", "free_text")
"""Types of core's columns that are texts to staging."""


@dataclass(frozen=True)
class StagingModel:
    """How one system's raw table becomes an entity."""

    system: str
    table: str
    columns: Mapping[str, str]
    """Our name → the raw table's column."""
    fixed: frozenset[str]
    """Our names of what does not change in the life of a record."""


@dataclass(frozen=True)
class CanonicalEntity:
    """An entity that core makes of all systems' staging models of its name."""

    name: str
    columns: Mapping[str, str]
    """Our names → `string`, `bigint`, `double`, `boolean`, `timestamp` or `date`."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """As they stand in dbt's YAML, `{{ doc(...) }}` included; columns that the YAML does not describe are missing."""
    staging: tuple[StagingModel, ...] = ()


def canonical_entities(project_dir: Path) -> dict[str, CanonicalEntity]:
    """The entities that core reads from staging, by name: what stands in each `union_staging` of the dbt project."""
    import yaml

    found: dict[str, CanonicalEntity] = {}
    for path in sorted((project_dir / "models" / "core").rglob("*.sql")):
        text = path.read_text()
        for entity, columns, is_part in UNION.findall(text):
            if is_part or entity in found:
                continue
            named = re.search(rf"set {columns} = (\{{.*?\}})", text, re.DOTALL) if columns.isidentifier() else None
            described: dict[str, str] = {}
            if (beside := path.with_suffix(".yml")).exists():
                models = yaml.safe_load(beside.read_text()).get("models", [])
                described = {
                    column["name"]: column["description"]
                    for model in models
                    if model["name"] == path.stem
                    for column in model.get("columns", [])
                    if column.get("description")
                }
            types = ast.literal_eval(named[1] if named else columns)
            known = {ours: "string" if type_ in AS_TEXT else type_ for ours, type_ in types.items()}
            found[entity] = CanonicalEntity(entity, known, described, staging_models(project_dir, entity))
    return found


def staging_models(project_dir: Path, entity: str) -> tuple[StagingModel, ...]:
    """The staging models of an entity, as far as they name raw columns one by one."""
    models = []
    for path in sorted((project_dir / "models" / "staging").glob(f"*/stg_*__{entity}.sql")):
        text = path.read_text()
        fixed = {name for names in FIXED.findall(text) for name in ast.literal_eval(names)}
        for system, table, columns in RAW.findall(text)[:1]:
            vendors = {ours: vendor for ours, (vendor, _) in ast.literal_eval(columns).items()}
            models.append(StagingModel(system, table, vendors, frozenset(fixed)))
    return tuple(models)


def staged_as(project_dir: Path | None = None) -> dict[tuple[str, str], set[str]]:
    """What staging makes of a system's raw tables: `("hubspot", "deal")` → `{"opportunities"}`, by its models' SQL."""
    staged: dict[tuple[str, str], set[str]] = defaultdict(set)
    for path in ((project_dir or dbt_project_dir()) / "models" / "staging").glob("*/stg_*__*.sql"):
        for system, entity in SOURCE.findall(path.read_text()):
            staged[system, entity].add(path.stem.split("__", 1)[1])
    return staged
