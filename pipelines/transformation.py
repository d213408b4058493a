"""The dbt project from Python: what the tree declares, a manifest that is never stale, and the way to call dbt."""

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.settings import dbt_project_dir, warehouse_path

if TYPE_CHECKING:
    from dagster_dbt import DbtCliResource


def project_variables(project_dir: Path | None = None) -> dict:
    """
    What dbt cannot see of its own tree while it parses: which models feed which.

    dbt wants every `ref` known before it can look at its graph. The folder tree is the register: a staging model
    `stg_<source>__<entity>s` feeds the core model that asks for `<entity>s`, and every model in `core/` that a semantic
    model describes may feed features.

    Returns `{"staging_models": {entity: [model, ...]}, "core_models": [model, ...]}`, sorted.
    """
    models = (project_dir or dbt_project_dir()) / "models"
    staging: dict[str, list[str]] = defaultdict(list)
    for path in sorted((models / "staging").glob("*/stg_*__*.sql")):
        staging[path.stem.split("__", 1)[1]].append(path.stem)
    core = sorted(path.stem for path in (models / "core").glob("**/*.sql"))
    return {"staging_models": dict(sorted(staging.items())), "core_models": core}


def variables_argument(project_dir: Path | None = None) -> str:
    """The tree's variables as dbt's `--vars` argument."""
    return json.dumps(project_variables(project_dir), sort_keys=True)


def dbt_environment(warehouse: Path | None = None) -> dict[str, str]:
    """Environment of a dbt process: where the warehouse is, and no telemetry."""
    return {
        **os.environ,
        "SCORECAST_WAREHOUSE": str(warehouse or warehouse_path()),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def dbt_executable() -> str:
    """The dbt of the environment that runs this process."""
    return str(Path(sys.executable).parent / "dbt")


def run_dbt(
    *arguments: str,
    project_dir: Path | None = None,
    warehouse: Path | None = None,
    target_dir: Path | None = None,
    capture: bool = False,
) -> subprocess.CompletedProcess[str]:
    """
    Call dbt in a process of its own: `run_dbt("build", "--select", "core+")`.

    The caller must hold no connection to the warehouse. The result's `returncode` is dbt's; nothing is raised.
    """
    project = project_dir or dbt_project_dir()
    command = [
        dbt_executable(),
        *arguments,
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--vars",
        variables_argument(project),
    ]
    if target_dir:
        command += ["--target-path", str(target_dir)]
    return subprocess.run(command, env=dbt_environment(warehouse), text=True, capture_output=capture, check=False)


def dbt_resource() -> "DbtCliResource":
    """Dbt as a Dagster resource, pointed at this project and warehouse."""
    from dagster_dbt import DbtCliResource

    project = dbt_project_dir()
    os.environ.update({name: value for name, value in dbt_environment().items() if name not in os.environ})
    return DbtCliResource(project_dir=str(project), profiles_dir=str(project), dbt_executable=dbt_executable())


def fingerprint(project_dir: Path | None = None) -> str:
    """A hash of everything that dbt parses: the project's files and the tree's variables."""
    project = project_dir or dbt_project_dir()
    digest = hashlib.sha256(variables_argument(project).encode())
    files = [
        *project.glob("*.yml"),
        *project.glob("models/**/*"),
        *project.glob("macros/**/*"),
        *project.glob("tests/**/*"),
    ]
    for path in sorted(path for path in files if path.is_file()):
        digest.update(str(path.relative_to(project)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def ensure_manifest(project_dir: Path | None = None) -> Path:
    """
    The path of a manifest that matches the project's files; dbt parses (about 5 s) only when they changed.

    Raises `RuntimeError` with dbt's own words when the project does not parse.
    """
    project = project_dir or dbt_project_dir()
    manifest = project / "target" / "manifest.json"
    stamp = project / "target" / "manifest.fingerprint"
    current = fingerprint(project)
    if not (manifest.exists() and stamp.exists() and stamp.read_text() == current):
        result = run_dbt("parse", project_dir=project, capture=True)
        if result.returncode != 0:
            raise RuntimeError(f"dbt could not parse {project}:\n{result.stdout}{result.stderr}")
        stamp.write_text(current)
    return manifest
