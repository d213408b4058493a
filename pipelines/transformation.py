"""The dbt project from Python: what the tree declares, a manifest that is never stale, and the way to call dbt."""

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.settings import data_dir, dbt_project_dir, warehouse_path


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
    command = dbt_command(*arguments, project_dir=project_dir, target_dir=target_dir)
    return subprocess.run(command, env=dbt_environment(warehouse), text=True, capture_output=capture, check=False)


def dbt_command(*arguments: str, project_dir: Path | None = None, target_dir: Path | None = None) -> list[str]:
    """The command line of a dbt call, with this project's profile and variables."""
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
        command += ["--target-path", str(target_dir), "--log-path", str(target_dir)]
    return command


@dataclass(frozen=True)
class NodeResult:
    """How one model or test of a dbt build went."""

    unique_id: str
    status: str
    """`success`, `pass`, `warn`, `fail`, `error` or `skipped`."""
    seconds: float
    failures: int
    """Rows that broke a test."""
    message: str


def build(
    select: Sequence[str] | None = None, on_progress: Callable[[str, int, int], None] = lambda node, done, total: None
) -> list[NodeResult]:
    """
    Build models and run their tests in one dbt process; `select` are names, None is everything.

    The caller must hold no connection to the warehouse. `on_progress` hears of every finished node: its name, how many
    are done, how many there are. Raises `RuntimeError` with dbt's own words when dbt did not get as far as running.
    """
    target = target_dir()
    results = target / "run_results.json"
    results.unlink(missing_ok=True)
    selection = ["--select", *select, "--indirect-selection", "cautious"] if select is not None else []
    command = dbt_command("build", "--log-format", "json", *selection, target_dir=target)
    said = []
    with subprocess.Popen(
        command, env=dbt_environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        done, total = 0, 0
        for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                said.append(line.rstrip())
                continue
            if event["info"]["level"] != "debug":
                said.append(event["info"]["msg"])
            total = event["data"].get("node_count", total)
            if event["info"]["name"] in ("LogModelResult", "LogTestResult", "LogStartLine"):
                done += event["info"]["name"] != "LogStartLine"
                on_progress(event["data"]["node_info"]["node_name"], done, total)
    print("\n".join(said), flush=True)
    if not results.exists():
        raise RuntimeError("dbt stopped before it built anything:\n" + "\n".join(said[-20:]))
    return [
        NodeResult(
            unique_id=result["unique_id"],
            status=result["status"],
            seconds=result["execution_time"],
            failures=result["failures"] or 0,
            message=result["message"] or "",
        )
        for result in json.loads(results.read_text())["results"]
    ]


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


def target_dir() -> Path:
    """Where dbt writes what it parsed and did: with the data, so that the project's folder stays as it is."""
    return data_dir() / "dbt"


def ensure_manifest(project_dir: Path | None = None) -> Path:
    """
    The path of a manifest that matches the project's files; dbt parses (about 5 s) only when they changed.

    Raises `RuntimeError` with dbt's own words when the project does not parse.
    """
    project, target = project_dir or dbt_project_dir(), target_dir()
    manifest, stamp = target / "manifest.json", target / "manifest.fingerprint"
    current = fingerprint(project)
    if not (manifest.exists() and stamp.exists() and stamp.read_text() == current):
        target.mkdir(parents=True, exist_ok=True)
        result = run_dbt("parse", project_dir=project, target_dir=target, capture=True)
        if result.returncode != 0:
            raise RuntimeError(f"dbt could not parse {project}:\n{result.stdout}{result.stderr}")
        stamp.write_text(current)
    return manifest
