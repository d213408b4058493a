from datetime import UTC, datetime
from pathlib import Path

from pipelines.database import connect, connect_in_memory
from pipelines.publishing.summary import SHOWN_WARNINGS, identity_warnings, read_summary
from pipelines.registry.fits import record_fit


def test_what_the_identity_report_warns_of_is_told_the_largest_of_each_topic_first():
    with connect_in_memory() as connection:
        connection.execute(
            "create table identity_report"
            " (topic varchar, names bigint, unmatched bigint, records bigint, warning varchar)"
        )
        assert identity_warnings(connection, ["accounts"]) == []
        connection.execute(
            "insert into identity_report values ('keys', null, 5, 9, 'few keys'), ('keys', null, 50, 90, 'many keys'),"
            " ('group', 30, null, 40, 'a large group'), ('joined', null, null, 900, null)"
        )
        told = identity_warnings(connection, ["accounts", "identity_report"])
        assert told == ["a large group", "many keys", "few keys"]
        connection.execute("insert into identity_report values ('deals in two systems', null, 5, null, 'Twice.')")
        (twice,) = [each for each in identity_warnings(connection, ["identity_report"]) if each.startswith("Twice.")]
        assert "`scorecast forget <system>/<file>` takes it back" in twice
        connection.execute("delete from identity_report where warning = 'Twice.'")
        connection.execute("insert into identity_report select 'group', n, null, 1, 'group ' || n from range(10) t(n)")
        told = identity_warnings(connection, ["identity_report"])
        assert told[-1] == f"and {13 - SHOWN_WARNINGS} more warnings of identity_report"
        assert len(told) == SHOWN_WARNINGS + 1


def test_levels_in_an_order_are_as_good_as_they_are_far_off(tmp_path: Path):
    path = tmp_path / "release.duckdb"
    figures = {"auc": 0.8, "error_in_levels": 0.612, "error_in_levels_of_median": 0.9, "median_level": "4"}
    run = {"model": "mood", "run_id": "r", "started_at": datetime.now(UTC), "rows": 9, "model_version": "mood-1"}
    with connect(path) as connection:
        record_fit(connection, **run, status="kept", reason="", metrics=figures)
        connection.execute("create table model_runs as from published.model_runs")
        connection.execute("create table moods as select 4 as predicted, 'mood-1' as model_version")
        connection.execute(
            "create table releases as select 'x' as release_id, current_date as as_of_date, '' as status, '' as note,"
            """ '{"moods": {"rows": 1, "columns": ["predicted", "model_version"]}}' as tables"""
        )
    assert read_summary(path).quality == {"moods": "off by 0.61 levels on average, always saying 4 by 0.90"}
