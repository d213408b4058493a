"""The event log that keeps its connections: the same answers as Dagster's own, whatever happens to the files."""

from pathlib import Path

import dagster as dg

from pipelines.instance.event_storage import MOST_ENGINES, KeptSqliteEventLogStorage


@dg.asset
def orders() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"dagster/row_count": 3})


def test_the_projects_instance_uses_it_and_keeps_what_happened(instance: dg.DagsterInstance, tmp_path: Path):
    assert isinstance(instance.event_log_storage, KeptSqliteEventLogStorage)
    with instance.event_log_storage.index_connection() as connection:
        assert connection.exec_driver_sql("pragma synchronous").scalar() == 1  # NORMAL
    run = dg.materialize([orders], instance=instance)
    assert run.success
    event = instance.get_latest_materialization_event(dg.AssetKey("orders"))
    assert event.asset_materialization.metadata["dagster/row_count"].value == 3
    logged = {record.event_log_entry.dagster_event_type for record in instance.get_records_for_run(run.run_id).records}
    assert {dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.ASSET_MATERIALIZATION} <= logged

    stock = (tmp_path / "dagster.yaml").read_text().split("# Dagster's own event log")[0]
    (tmp_path / "dagster.yaml").write_text(stock)
    with dg.DagsterInstance.from_config(str(tmp_path)) as dagsters_own:
        assert not isinstance(dagsters_own.event_log_storage, KeptSqliteEventLogStorage)
        assert dagsters_own.get_latest_materialization_event(dg.AssetKey("orders")).run_id == run.run_id


def test_many_runs_are_read_again(instance: dg.DagsterInstance):
    runs = [dg.materialize([orders], instance=instance).run_id for _ in range(MOST_ENGINES + 3)]
    assert all(len(instance.get_records_for_run(run_id).records) > 5 for run_id in runs)


def test_a_deleted_run_and_a_wiped_log_are_gone(instance: dg.DagsterInstance):
    first, second = (dg.materialize([orders], instance=instance).run_id for _ in range(2))
    instance.delete_run(first)
    assert instance.get_records_for_run(first).records == []
    instance.event_log_storage.wipe()
    assert instance.get_records_for_run(second).records == []
    assert dg.materialize([orders], instance=instance).success
    assert instance.get_latest_materialization_event(dg.AssetKey("orders")) is not None
