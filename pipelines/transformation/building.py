"""The dbt project from Python: variables from the folder tree, a manifest that is never stale, and calls of dbt."""

import hashlib
import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipelines.database import connect
from pipelines.settings import data_dir, dbt_project_dir, project_root, warehouse_path
from pipelines.values.currencies import decimals
from pipelines.values.keys import NOBODY_WORDS
from pipelines.values.words import NOTHING_SIGNS, NOTHING_WORDS

PARSED, ENDED = json.dumps({"parsed": True}), json.dumps({"ended": True})
"""What the worker process prints when it has parsed the project, and after each command."""
MANIFEST = "parsed_manifest.json"
"""Our copy of dbt's manifest: dbt rewrites its own in every command, also while other processes read it."""
STAMP = "parsed_manifest.fingerprint"
"""The fingerprint of the project that the manifest belongs to, and the manifest's checksum."""
BUILT = "built.fingerprint"
"""The fingerprint of the project from which the whole warehouse was last built."""
FULL_REFRESH = "full_refresh"
"""This file exists while incremental tables may still hold forgotten rows."""
GROWN = "grown.fingerprint"
"""The fingerprint of the project and the settings of money by which tables that grow are made."""
LEAST_MEMORY = 1000 * 2**20
MEMORY_PER_BYTE = 15
"""Bytes of memory for DuckDB per byte of the warehouse's file; measured at 2,000 and 8,000 accounts."""
ROWS_MESSAGE = re.compile(r"rows of (\S+): (\d+)$")
"""The line that the macro `log_rows` prints after a table is built."""


class ProjectMistake(RuntimeError):
    """The dbt project does not parse; the message is dbt's."""


def project_variables(project_dir: Path | None = None) -> dict:
    """
    Which models feed which: dbt must resolve every `ref` before its own graph is available.

    The folder tree says it: a staging model `stg_<source>__<entity>s` feeds the core model that asks for `<entity>s`,
    every model in `core/` that has a semantic model may feed features, and every `<entity>_snapshots` in `features/` is
    in the catalogue.

    Returns `{"staging_models": {entity: [model, ...]}, "core_models": [model, ...], "snapshot_models": [model, ...],
    "currency_decimals": {code: digits}}`, sorted.
    """
    models = (project_dir or dbt_project_dir()) / "models"
    staging: dict[str, list[str]] = defaultdict(list)
    for path in sorted((models / "staging").glob("*/stg_*__*.sql")):
        staging[path.stem.split("__", 1)[1]].append(path.stem)
    core = sorted(path.stem for path in (models / "core").glob("**/*.sql"))
    snapshots = sorted(path.stem for path in (models / "features").glob("**/*_snapshots.sql"))
    return {
        "staging_models": dict(sorted(staging.items())),
        "core_models": core,
        "snapshot_models": snapshots,
        "currency_decimals": decimals(),
    }


def variables_argument(project_dir: Path | None = None) -> str:
    """The tree's variables, and the words that say nothing, as dbt's `--vars` argument."""
    words = {"nothing_words": sorted(NOTHING_WORDS | NOTHING_SIGNS), "nobody_words": sorted(NOBODY_WORDS)}
    return json.dumps({**project_variables(project_dir), **words}, sort_keys=True)


def dbt_environment(warehouse: Path | None = None) -> dict[str, str]:
    """
    Environment of a dbt process: the warehouse's path, and no telemetry.

    The memory limit is not part of it: dbt parses everything anew when a variable that the profile reads has changed.
    """
    return {
        **os.environ,
        "SCORECAST_WAREHOUSE": str(warehouse or warehouse_path()),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def memory_limit(warehouse: Path) -> str:
    """
    DuckDB's memory limit while dbt builds, as a value of `SCORECAST_MEMORY`.

    Default: in proportion to the warehouse's file, because snapshots hold hundreds of columns for two years of weeks;
    at least `LEAST_MEMORY`, at most half of the machine's memory. Beyond the limit DuckDB spills to disk, but not all
    operators can spill.
    """
    if given := os.environ.get("SCORECAST_MEMORY"):
        return given
    size = warehouse.stat().st_size if warehouse.exists() else 0
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return f"{max(LEAST_MEMORY, min(MEMORY_PER_BYTE * size, half)) // 2**20}MiB"


def needs_much_memory(warehouse: Path) -> bool:
    """
    Whether dbt takes so much memory for a warehouse of this size that another process should not have any.

    Before its first build it is small, and the build is the largest of all: every snapshot of the past is made.
    """
    enough = 2 * LEAST_MEMORY if said_by(target_dir() / BUILT) else LEAST_MEMORY // 2
    return warehouse.exists() and MEMORY_PER_BYTE * warehouse.stat().st_size > enough


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
    environment = {**dbt_environment(warehouse), "SCORECAST_MEMORY": memory_limit(warehouse or warehouse_path())}
    return subprocess.run(command, env=environment, text=True, capture_output=capture, check=False)


def dbt_command(*arguments: str, project_dir: Path | None = None, target_dir: Path | None = None) -> list[str]:
    """The command line of a dbt call, with this project's profile and variables."""
    return [dbt_executable(), *arguments, *dbt_options(project_dir or dbt_project_dir(), target_dir)]


def dbt_options(project: Path, target: Path | None) -> list[str]:
    """The options of every dbt command: project, profile, variables and, if given, the target folder."""
    options = ["--project-dir", str(project), "--profiles-dir", str(project), "--vars", variables_argument(project)]
    return [*options, "--target-path", str(target), "--log-path", str(target)] if target else options


@dataclass(frozen=True)
class NodeResult:
    """The result of one model or test of a dbt build."""

    unique_id: str
    status: str
    """`success`, `pass`, `warn`, `fail`, `error` or `skipped`."""
    seconds: float
    failures: int = 0
    """Rows that broke a test."""
    message: str = ""
    rows: int | None = None
    """Rows of a table; None for a view or a test."""


class DbtWorker:
    """A dbt process (`transformation.worker`) that parses the project while others work, and then runs commands."""

    def __init__(self, project_dir: Path | None = None) -> None:
        self._project, self.target = project_dir or dbt_project_dir(), target_dir()
        self.target.mkdir(parents=True, exist_ok=True)
        self.fingerprint = fingerprint(self._project)
        """Fingerprint of the project that is parsed."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.transformation.worker", *dbt_options(self._project, self.target)],
            env=dbt_environment(),
            cwd=project_root(),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._is_parsed = False

    def wait_until_parsed(self) -> None:
        """Return once the manifest is written; raises `ProjectMistake` when the project does not parse."""
        output = []
        while not self._is_parsed:
            line = self._process.stdout.readline()
            if not line:
                raise ProjectMistake(f"dbt could not parse the project:\n{''.join(output)}")
            output.append(line)
            self._is_parsed = line.strip() == PARSED
        keep_manifest(self.target, self.fingerprint)

    def run(self, *arguments: str) -> Iterator[str]:
        """Run a dbt command and yield its output lines; a thread reads them, so that a slow caller blocks nothing."""
        self.wait_until_parsed()
        command = {"arguments": arguments, "environment": {"SCORECAST_MEMORY": memory_limit(warehouse_path())}}
        with suppress(BrokenPipeError):  # the process has ended; its last output says why
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

        def take_in() -> None:
            while (line := self._process.stdout.readline()) and line.strip() != ENDED:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=take_in, daemon=True).start()
        while (line := lines.get()) is not None:
            yield line

    @property
    def is_ready(self) -> bool:
        """Whether it is there, and the project is still what it has parsed."""
        return self._process.poll() is None and self.fingerprint == fingerprint(self._project)

    def close(self) -> None:
        """Let go of a worker that is not needed any more."""
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


_waiting: DbtWorker | None = None
_begun_with = ""
"""Fingerprint of the project that the first part of everything was last built from."""


def start_worker() -> None:
    """Start a dbt process that parses in the background; the next `build` of this process uses it."""
    global _waiting
    if _waiting is None:
        _waiting = DbtWorker()


def _take_worker() -> DbtWorker:
    global _waiting
    worker, _waiting = _waiting, None
    if worker is not None and not worker.is_ready:
        worker.close()
        worker = None
    return worker or DbtWorker()


def _keep_worker(worker: DbtWorker) -> None:
    """Have the next `build` of this process use this worker, which has parsed already."""
    global _waiting
    _waiting = worker


class Part(NamedTuple):
    """Where a build stands among those that together build everything: other assets are made between them."""

    is_first: bool
    is_last: bool


WHOLE = Part(is_first=True, is_last=True)


def build(
    select: Sequence[str] | None = None,
    on_progress: Callable[[str, int, int], None] = lambda node, done, total: None,
    part: Part | None = None,
) -> Iterator[NodeResult]:
    """
    Build models and run their tests in one dbt process; `select`: model names, None for everything.

    `part`: those models are a part of everything, whose other parts this process builds, too, before or after; the
    tests of the last part are those between parts, too. Yields successes as soon as dbt reports them, and all other
    results, with dbt's messages, at the end. The caller must hold no connection to the warehouse. `on_progress` is
    called for every finished node with its name, the number of finished nodes and of all. Raises `RuntimeError` with
    dbt's output when dbt did not get as far as running.
    """
    global _begun_with
    part = WHOLE if select is None else part
    worker = _take_worker()
    results, stamp = target_dir() / "run_results.json", target_dir() / BUILT
    results.unlink(missing_ok=True)
    if (part and part.is_first) or not is_built():
        stamp.unlink(missing_ok=True)
    tests = "buildable" if part and not part.is_first else "cautious"
    selection = ["--select", *select, "--indirect-selection", tests] if select is not None else []
    if is_full := (target_dir() / FULL_REFRESH).exists():
        selection.append("--full-refresh")
    output: list[str] = []
    rows: dict[str, int] = {}
    reported: set[str] = set()
    done = 0
    for line in worker.run("build", "--log-format", "json", "--log-level-file", "none", *selection):
        try:
            event = json.loads(line)
            name, data = event["info"]["name"], event["data"]
        except (ValueError, KeyError, TypeError):
            output.append(line.rstrip())
            continue
        output.append(event["info"]["msg"])
        if counted := ROWS_MESSAGE.match(event["info"]["msg"]):
            rows[counted[1]] = int(counted[2])
        if name in ("LogModelResult", "LogTestResult"):
            done += 1
            node = data["node_info"]
            on_progress(node["node_name"], done, data["total" if name == "LogModelResult" else "num_models"])
            if node["node_status"] in ("success", "pass"):
                reported.add(node["unique_id"])
                count = rows.get(node["unique_id"])
                yield NodeResult(node["unique_id"], node["node_status"], data["execution_time"], rows=count)
    if part and not part.is_last:
        _keep_worker(worker)
    else:
        worker.close()
    print("\n".join(output), flush=True)
    try:
        ended = json.loads(results.read_bytes())["results"]
    except (OSError, ValueError, KeyError) as problem:
        raise RuntimeError("dbt stopped before it could say what it built:\n" + "\n".join(output[-20:])) from problem
    for result in ended:
        if result["unique_id"] not in reported:
            yield NodeResult(
                unique_id=result["unique_id"],
                status=result["status"],
                seconds=result["execution_time"],
                failures=result["failures"] or 0,
                message=result["message"] or "",
            )
    models = [result for result in ended if result["unique_id"].startswith("model.")]
    if part and part.is_first:
        _begun_with = worker.fingerprint
    is_of_one_project = _begun_with == worker.fingerprint
    if part and part.is_last and is_of_one_project and models and all(each["status"] == "success" for each in models):
        stamp.write_text(worker.fingerprint)
        if is_full:
            (target_dir() / FULL_REFRESH).unlink()


def refresh_what_was_made_otherwise() -> None:
    """
    Have tables that grow be built anew if the project, or what `sources.yaml` says of money, is not what it was.

    Their older rows would mean something else than the new ones.
    """
    with connect(warehouse_path(), read_only=True) as connection:
        queries = ("from raw_scorecast.settings", "from raw_scorecast.source_currencies order by all")
        settings = repr([connection.execute(query).fetchall() for query in queries])
    project = fingerprint()
    stamp = target_dir() / GROWN
    before, made_by = said_by(stamp), f"{project} {settings}"
    # Versions before this one left no stamp, but that of the last whole build.
    is_older = before is None and said_by(target_dir() / BUILT) not in (None, project)
    if is_older or before not in (None, made_by):
        ask_full_refresh()
    if before != made_by:
        target_dir().mkdir(parents=True, exist_ok=True)
        stamp.write_text(made_by)


def ask_full_refresh() -> None:
    """Request that the next full build rebuilds incremental tables: rows that they hold were forgotten."""
    target_dir().mkdir(parents=True, exist_ok=True)
    (target_dir() / FULL_REFRESH).touch()


def is_built() -> bool:
    """Whether the whole warehouse was last built from the project as it is now."""
    return said_by(target_dir() / BUILT) == fingerprint()


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
    """The target folder of dbt: in the data folder, so that runs do not write into the project."""
    return data_dir() / "dbt"


def ensure_manifest(project_dir: Path | None = None) -> Path:
    """
    The path of a manifest that matches the project's files; dbt parses (about 5 s) only when they changed.

    Raises `ProjectMistake` when the project does not parse.
    """
    project, target = project_dir or dbt_project_dir(), target_dir()
    if not is_current(target, fingerprint(project)) and _waiting is not None and project_dir is None:
        _waiting.wait_until_parsed()
    if not is_current(target, fingerprint(project)):  # what the waiting one parsed may be damaged since
        worker = DbtWorker(project)
        worker.wait_until_parsed()
        worker.close()
    return target / MANIFEST


def is_current(target: Path, fingerprint: str) -> bool:
    """Whether our copy of the manifest is complete and belongs to the project with this fingerprint."""
    with suppress(OSError):
        return said_by(target / STAMP) == stamp_of(fingerprint, (target / MANIFEST).read_bytes())
    return False


def stamp_of(fingerprint: str, manifest: bytes) -> str:
    """The content of the stamp beside a manifest."""
    return f"{fingerprint} {hashlib.sha256(manifest).hexdigest()}"


def said_by(stamp: Path) -> str | None:
    """The content of a stamp; None if it does not exist or cannot be read."""
    try:
        return stamp.read_text()
    except (OSError, UnicodeDecodeError):
        return None


def keep_manifest(target: Path, fingerprint: str) -> None:
    """Copy the manifest that dbt has just written, atomically; raises `ProjectMistake` when it is incomplete."""
    if is_current(target, fingerprint):
        return
    manifest = (target / "manifest.json").read_bytes()
    try:
        json.loads(manifest)
    except ValueError as problem:
        raise ProjectMistake(
            f"{target / 'manifest.json'} is not whole; is another dbt running? Try again."
        ) from problem
    fresh = target / f"{MANIFEST}.{os.getpid()}"
    fresh.write_bytes(manifest)
    fresh.replace(target / MANIFEST)
    (target / STAMP).write_text(stamp_of(fingerprint, manifest))
