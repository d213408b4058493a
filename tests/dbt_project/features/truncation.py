"""The truncation test: what was not known by a day must not show in any feature at or before it."""

import json
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from tests.dbt_project.features.project import dbt


@dataclass(frozen=True)
class FeaturesModel:
    """A model in `features/` with a row per key and day; `day` is the column with the day."""

    name: str
    keys: tuple[str, ...]
    day: str


def dated_models(manifest: Path, connection: duckdb.DuckDBPyConnection) -> list[FeaturesModel]:
    """
    Every features model with an as_of_date, found in dbt's manifest; its keys are those it tests.

    Series (metric_date) are none: they say what happened as it stands today.
    """
    nodes = json.loads(manifest.read_text())["nodes"]
    found = []
    for unique_id, node in sorted(nodes.items()):
        if node["resource_type"] != "model" or not node["path"].startswith("features/"):
            continue
        table = connection.execute(f"select * from features.{node['name']} limit 0")
        day = next((name for name, *_ in table.description if name == "as_of_date"), None)
        if day is None:
            continue
        keys = [
            tuple(test["test_metadata"]["kwargs"]["columns"])
            for test in nodes.values()
            if test["resource_type"] == "test"
            and test["attached_node"] == unique_id
            and test["test_metadata"]["name"] in ("grain", "unique_together")
        ]
        assert keys, f"{node['name']} has no test `grain` or `unique_together`: say in its YAML what a row is"
        found.append(FeaturesModel(node["name"], keys[0], day))
    return found


def cut_history(warehouse: Path, schema: str, day: date) -> None:
    """Replace every relation of a schema by a table without the rows that were known only after a day."""
    with duckdb.connect(str(warehouse)) as connection:
        relations = connection.execute(
            "select table_name, table_type from information_schema.tables where table_schema = ?", [schema]
        ).fetchall()
        for name, _ in relations:
            connection.execute(f"create table {schema}.cut_{name} as from {schema}.{name}")
        for name, kind in relations:
            connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} {schema}.{name}")
            connection.execute(f"alter table {schema}.cut_{name} rename to {name}")
            columns = [column[0] for column in connection.execute(f"describe {schema}.{name}").fetchall()]
            known = "known_at" if "known_at" in columns else "valid_from"
            connection.execute(f"delete from {schema}.{name} where {known} >= ?", [day + timedelta(days=1)])
        connection.execute("update raw_scorecast.as_of set as_of_date = ?", [day])


def differences(whole: Path, cut: Path, models: list[FeaturesModel], day: date) -> list[str]:
    """
    Where the features at or before a day differ between a warehouse and its copy that was cut at that day.

    One line per model and column, with the first key that differs. An outcome (`*_outcomes`) may be known in the whole
    and not yet in the copy, never the other way round, and never two different ones.
    """
    found = []
    with duckdb.connect() as connection:
        connection.execute(f"attach '{whole}' as whole (read_only)")
        connection.execute(f"attach '{cut}' as cut (read_only)")
        for model in models:
            found += model_differences(connection, model, day)
    return found


def model_differences(connection: duckdb.DuckDBPyConnection, model: FeaturesModel, day: date) -> list[str]:
    """The lines of one model."""
    names = {}
    for side in ("whole", "cut"):
        described = connection.execute(f"describe {side}.features.{model.name}").fetchall()
        names[side] = {name: kind for name, kind, *_ in described}
    lines = [
        f"{model.name}.{name}: only in {side}"
        for side, other in (("whole", "cut"), ("cut", "whole"))
        for name in names[side]
        if name not in names[other]
    ]
    on = " and ".join(f"whole_rows.{key} = cut_rows.{key}" for key in model.keys)
    # Snapshots reach back a fixed number of days from the run's day, so the copy's begin earlier.
    (begin,) = connection.execute(f"select min({model.day}) from whole.features.{model.name}").fetchone()
    both_have = f"{model.day} between date '{begin or date.min}' and date '{day}'"
    joined = (
        f"(select * from whole.features.{model.name} where {both_have}) as whole_rows full join "
        f"(select * from cut.features.{model.name} where {both_have}) as cut_rows on {on}"
    )
    key = ", ".join(f"coalesce(whole_rows.{key}, cut_rows.{key})::varchar" for key in model.keys)
    first = model.keys[0]
    missing = connection.execute(
        f"select {key}, cut_rows.{first} is null from {joined} "
        f"where cut_rows.{first} is null or whole_rows.{first} is null order by all limit 1"
    ).fetchone()
    if missing:
        lines.append(f"{model.name}: a row only in the {'whole' if missing[-1] else 'cut'}, first {missing[:-1]}")
    checks = {
        name: is_different(name, kind, model.name.endswith("_outcomes"))
        for name, kind in names["whole"].items()
        if name in names["cut"] and name not in model.keys
    }
    if not checks:
        return lines
    both = f"{joined} where whole_rows.{first} is not null and cut_rows.{first} is not null"
    counts = connection.execute(
        f"select {', '.join(f'count(case when {check} then 1 end)' for check in checks.values())} from {both}"
    ).fetchone()
    for (name, check), count in zip(checks.items(), counts, strict=True):
        if count:
            example = connection.execute(
                f"select {key}, whole_rows.{name}, cut_rows.{name} from {both} and {check} order by all limit 1"
            ).fetchone()
            lines.append(
                f"{model.name}.{name}: {count} rows differ, first {example[:-2]}: {example[-2]} with all rows, "
                f"{example[-1]} with those known by {day}"
            )
    return lines


def is_different(name: str, kind: str, is_outcome: bool) -> str:
    """SQL condition; floats are added up in any order, so they may differ in the last digits."""
    whole, cut = f"whole_rows.{name}", f"cut_rows.{name}"
    if is_outcome:
        return f"{cut} is not null and {cut} is distinct from {whole}"
    if kind in ("FLOAT", "DOUBLE"):
        return (
            f"({whole} is null) <> ({cut} is null) "
            f"or abs({whole} - {cut}) > 1e-5 * greatest(abs({whole}), abs({cut}), 1e-3)"
        )
    return f"{whole} is distinct from {cut}"


def leaks(project: Path, warehouse: Path, schema: str, day: date, folder: Path) -> list[str]:
    """
    Cut a built warehouse at a day, rebuild core and features, compare.

    `schema` holds what core reads (staging). The copy has the warehouse's file name, since views name their catalog.
    """
    folder.mkdir()
    copy = folder / warehouse.name
    shutil.copy(warehouse, copy)
    cut_history(copy, schema, day)
    dbt(project, copy, "run", "--full-refresh", "--select", "core", "features", target_dir=folder / "target")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        models = dated_models(folder / "target" / "manifest.json", connection)
    return differences(warehouse, copy, models, day)
