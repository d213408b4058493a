"""A Dagster instance as the project configures it."""

from pathlib import Path

import dagster as dg
import pytest

from pipelines.settings import project_root


@pytest.fixture
def instance(tmp_path: Path):
    settings = (project_root() / "dagster.yaml").read_text().replace("${DAGSTER_HOME}", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(settings)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance
