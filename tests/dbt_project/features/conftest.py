"""The small company's dbt project, put together once."""

from pathlib import Path

import pytest

from tests.dbt_project.features.project import write_project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"))
