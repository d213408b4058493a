"""dbt for tests: one process imports it and parses each project once, and forks for every command.

A test session starts it with its first command (`python -m tests.dbt_project.parsed_dbt`); it ends with the session.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from pipelines.settings import dbt_project_dir, project_root
from pipelines.transformation.building import dbt_environment, dbt_options, fingerprint, memory_limit


def run_dbt(
    *arguments: str, warehouse: Path, target_dir: Path, project_dir: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """`run_dbt` of `transformation.building`, with its output captured; the project is parsed when it has changed."""
    project = project_dir or dbt_project_dir()
    server = _server()
    order = {
        "arguments": arguments,
        "project": str(project),
        "target": str(target_dir),
        "environment": {"SCORECAST_WAREHOUSE": str(warehouse), "SCORECAST_MEMORY": memory_limit(warehouse)},
    }
    server.stdin.write(json.dumps(order) + "\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    assert answer, "the process of dbt has ended"
    return subprocess.CompletedProcess(arguments, **json.loads(answer))


@cache
def _server() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.dbt_project.parsed_dbt"],
        env=dbt_environment(Path("warehouse.duckdb")),
        cwd=project_root(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def main() -> None:
    """Answer each line of stdin with the exit code and the output of the command that it orders."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    parsed: dict[Path, tuple[str, Manifest]] = {}

    def in_a_fork(order: dict) -> int:
        child = os.fork()
        if child:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.environ.update(order["environment"])
        options = dbt_options(Path(order["project"]), Path(order["target"]))
        result = dbtRunner(manifest=parsed[Path(order["project"])][1]).invoke([*order["arguments"], *options])
        print(result.exception or "", flush=True)
        DuckDBConnectionManager.close_all_connections()  # what was written goes from its log into the file
        os._exit(2 if result.exception else 0 if result.success else 1)

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        for line in sys.stdin:
            order = json.loads(line)
            with output.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            project = Path(order["project"])
            state = fingerprint(project)
            code = 0
            if parsed.get(project, ("", None))[0] != state:
                target = Path(folder) / str(len(parsed))
                result = dbtRunner().invoke(["parse", "--quiet", *dbt_options(project, target)])
                code = 0 if result.success else 2
                print(result.exception or "", flush=True)
                parsed[project] = state, result.result
            code = code or in_a_fork(order)
            answers.write(json.dumps({"returncode": code, "stdout": output.read_text(), "stderr": ""}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
