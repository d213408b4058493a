"""
Runs that are killed, and runs that are not: what readers see all along, and whether the next run sets it right.

A small company is worked on by the commands that users type. Each of `--kills` tries copies its folder, starts one of
the operations below, kills it (kill -9) at a random moment, the whole process group or its first process alone, and
does it again without a kill. Two thirds of the moments are drawn from the time that the operation takes, the others
follow a file: a draft of a release that appears, a release that is swapped in, a model that is written. All along a
reader opens published.duckdb. Each of `--undisturbed` tries is a daily run without a kill. The bars, over all tries:

- unreadable: published.duckdb is gone or cannot be opened;
- mixed: a reader sees tables of two releases, or half of one;
- lost: rows of the history that were published before are not there any more;
- unequal: what is published in the end is not what an undisturbed run publishes, to 1e-9;
- left behind: processes of a killed run that go on without it, and files that the next run does not remove.

A try that misses one says which, with the moment and how to repeat it. With `--folder` the company, the results and
what failed are kept there, and a second call goes on where the first one ended. `--kills-per-run` kills several times
before the next run. `--standing` takes a company with releases and new exports as it is, in place of one that is made.
"""

import argparse
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb
from _measure import ROOT, SCORECAST, report, use_two_cores
from _published import MixedError, connect, differences, glance, look, lost

FAULTS = ("unreadable", "mixed", "lost", "unequal", "left behind")
SECONDS_ALLOWED = 1200
SECONDS_TO_END = 20
"""After a kill: for processes that notice that their parent is gone."""
LOOK_EVERY = 0.3
WATCH_EVERY = 0.002
SHARE_AT_A_FILE = 1 / 3
SHARE_OF_GROUP = 3 / 4
DRAWS = 8
"""How often a moment is drawn again because the operation had ended before it."""
STOPPED_BY = (signal.SIGTERM, signal.SIGINT)
PUBLISHES = ("a draft appears", "the release is swapped in", "a release is kept")


@dataclass(frozen=True)
class Operation:
    """What is killed: commands of the command line, the first of which gets the kill."""

    name: str
    base: str
    """The folder that it begins with."""
    commands: tuple[tuple[str, ...], ...]
    share: int
    """Of 100 kills."""
    files: tuple[str, ...]
    """The changes of files that kills may follow."""


@dataclass(frozen=True)
class Moment:
    """When a process is killed: some seconds after the start, or after the n-th change of a kind of files."""

    seconds: float
    after: str | None
    count: int
    whole_group: bool

    def __str__(self) -> str:
        start = f"{self.after} (change {self.count})" if self.after else "the start"
        return (
            f"kill -9 of {'the group' if self.whole_group else 'the first process'} {self.seconds:.3f} s after {start}"
        )


@dataclass
class Try:
    """What a try did and what was wrong."""

    kind: str
    number: int
    operation: str
    moments: list[str] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)
    looks: int = 0
    seconds: float = 0.0


def main() -> int:
    """Prepare the company, do every try that is not done yet, print the figures; 1 when a bar is missed."""
    options = read_options()
    use_two_cores()
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="scorecast-break-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for stop in STOPPED_BY:
        signal.signal(stop, lambda *_: sys.exit(end_everything()))
    try:
        return break_it(folder, options)
    finally:
        end_everything()
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--undisturbed", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accounts", type=int, default=220)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=2, help="tries at a time")
    parser.add_argument("--kills-per-run", type=int, default=1, help="kills before the run that is compared")
    parser.add_argument("--operations", help="only these, with commas between")
    parser.add_argument("--only", type=int, help="the number of the one kill to repeat")
    parser.add_argument("--standing", type=Path, help="the data folder of the company; not for the operation `first`")
    parser.add_argument("--folder", type=Path, help="where to work and what to keep; without it nothing is kept")
    parser.add_argument("--scorecast", type=Path, default=SCORECAST, help="the command to run")
    return parser.parse_args()


def break_it(folder: Path, options: argparse.Namespace) -> int:
    started = time.monotonic()
    company = Company(folder, options)
    tries = planned(company.operations, options)
    company.prepare({each.operation for each in tries}, options.jobs)
    print(f"{time.monotonic() - started:6.0f} s  prepared; {len(tries)} tries", flush=True)
    results_file = folder / "results.jsonl"
    kept = {"seed": options.seed, "accounts": options.accounts, "months": options.months}
    kept["kills_per_run"] = options.kills_per_run
    done = {} if options.only else read_results(results_file, kept)
    results = [done[each.kind, each.number] for each in tries if (each.kind, each.number) in done]
    waiting = [each for each in tries if (each.kind, each.number) not in done]
    slots: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for number in range(options.jobs):
        slots.put(folder / f"slot-{number}")

    def run(each: Try) -> Try:
        slot = slots.get()
        try:
            return company.attempt(each, slot)
        finally:
            slots.put(slot)

    pool = ThreadPoolExecutor(options.jobs)
    try:
        for future in as_completed([pool.submit(run, each) for each in waiting]):
            result = future.result()
            results.append(result)
            with results_file.open("a") as file:
                file.write(json.dumps({**kept, **asdict(result)}) + "\n")
            say(result, len(results), len(tries), time.monotonic() - started, options)
    except BaseException:
        end_everything()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return figures(results)


def planned(operations: dict[str, Operation], options: argparse.Namespace) -> list[Try]:
    """Every try, kills and undisturbed runs mixed, in an order that the seed says."""
    chosen = options.operations.split(",") if options.operations else list(operations)
    unknown = sorted(set(chosen) - set(operations))
    if unknown:
        sys.exit(f"There is no operation {', '.join(unknown)}; there are {', '.join(operations)}.")
    rng = random.Random(f"plan {options.seed}")
    tries = -(-options.kills // options.kills_per_run)
    whole = sum(operations[name].share for name in chosen)
    # Each operation as often as its share says, to one more or less.
    ends = [sum(operations[name].share for name in chosen[: place + 1]) for place in range(len(chosen))]
    names = [
        next(name for name, end in zip(chosen, ends, strict=True) if (place + 0.5) * whole / tries < end)
        for place in range(tries)
    ]
    rng.shuffle(names)
    kills = [Try("kill", number, name) for number, name in enumerate(names, 1)]
    if options.only:
        return [each for each in kills if each.number == options.only]
    undisturbed = [Try("undisturbed", number, "daily") for number in range(1, options.undisturbed + 1)]
    together = [*kills, *undisturbed]
    rng.shuffle(together)
    return together


def read_results(path: Path, kept: dict) -> dict[tuple[str, int], Try]:
    results = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        entry = json.loads(line)
        if {name: entry.pop(name, None) for name in kept} == kept:
            results[entry["kind"], entry["number"]] = Try(**entry)
    return results


def say(result: Try, done: int, tries: int, seconds: float, options: argparse.Namespace) -> None:
    moments = "; ".join(result.moments) or ("never killed" if result.kind == "kill" else "")
    verdict = "ok" if not result.faults else "MISSED"
    name = f"{result.kind} {result.number}, {result.operation}"
    print(f"{seconds:6.0f} s  {done}/{tries}  {name}: {moments} {verdict} ({result.seconds:.0f} s)", flush=True)
    for fault, words in result.faults:
        print(f"          {fault}: {words}", flush=True)
    if result.faults and result.kind == "kill":
        operations = f" --operations {options.operations}" if options.operations else ""
        print(
            f"          again: python benchmarks/break_it.py --seed {options.seed} --kills {options.kills}"
            f" --kills-per-run {options.kills_per_run} --accounts {options.accounts} --months {options.months}"
            f"{operations} --only {result.number}",
            flush=True,
        )


def figures(results: list[Try]) -> int:
    """Print every fault's count against its bar; 1 when one is missed."""
    ok = []
    for kind, title in (("kill", "kills"), ("undisturbed", "undisturbed")):
        mine = [each for each in results if each.kind == kind]
        if not mine:
            continue
        count = sum(len(each.moments) for each in mine) if kind == "kill" else len(mine)
        looks = sum(each.looks for each in mine)
        print(f"{count} {title}, {len(mine)} runs compared, {looks:,} looks of a reader", flush=True)
        for fault in FAULTS:
            faulty = sum(any(name == fault for name, _ in each.faults) for each in mine)
            ok.append(report(f"{title}: {fault}", faulty, "", 0, digits=0))
    return 0 if all(ok) else 1


class Company:
    """A company in folders: the states that operations begin with, and what they publish undisturbed."""

    def __init__(self, folder: Path, options: argparse.Namespace):
        self.folder, self.options = folder, options
        day = date(2026, 6, 30)
        begin, end = day - timedelta(days=80), day - timedelta(days=67)
        again = ("run",)
        every = [
            Operation("daily", "standing", (again,), 25, PUBLISHES[:2]),
            Operation("first", "landed", (again,), 15, (*PUBLISHES, "a model is written", "dbt's files change")),
            Operation("refit", "demoted", (("run", "weekly_refit"),), 20, (*PUBLISHES[:2], "a model is written")),
            Operation("backfill", "standing", (("backfill", "--from", str(begin), "--to", str(end)),), 16, PUBLISHES),
            Operation("rollback", "standing", (("rollback", "<first release>"), again), 12, PUBLISHES),
            Operation(
                "rollback_of_model",
                "two_versions",
                (("rollback", "--model", "lead_score", "--to", "<first version>"), again),
                12,
                ("a model is written",),
            ),
        ]
        self.operations = {operation.name: operation for operation in every}
        self.seconds: dict[str, float] = {}

    def prepare(self, names: set[str], jobs: int) -> None:
        """Make the states that these operations begin with, and run each once undisturbed; what is there is kept."""
        bases = {self.operations[name].base for name in names}
        if self.options.standing:
            standing = self._state("standing", lambda data: None, self.options.standing)
        else:
            landed = self._state("landed", lambda data: self._call(data, "sample", *self._size()))
            if bases - {"landed"}:
                standing = self._state("standing", self._stand, landed)
        if "demoted" in bases:
            self._state("demoted", lambda data: _put_away(data, "churn"), standing)
        if "two_versions" in bases:
            self._state("two_versions", self._refit_leads, standing)
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(self._undisturbed, [self.operations[name] for name in self.operations if name in names]))

    def _size(self) -> tuple[str, ...]:
        options = self.options
        return ("--accounts", str(options.accounts), "--months", str(options.months), "--seed", str(options.seed))

    def _state(self, name: str, make: Callable[[Path], object], begin: Path | None = None) -> Path:
        path, draft = self.folder / "states" / name, self.folder / "states" / f"{name}.unfinished"
        if not path.exists():
            shutil.rmtree(draft, ignore_errors=True)
            if begin is None:
                draft.mkdir(parents=True)
            else:
                draft.parent.mkdir(parents=True, exist_ok=True)
                copy(begin, draft)
            make(draft)
            draft.rename(path)
        return path

    def _stand(self, data: Path) -> None:
        """A release, another six days later, and the exports of the day after that: the changes of a week are known."""
        self._call(data, "run")
        for _ in range(6):
            self._call(data, "sample", "--next-day")
        self._call(data, "run")
        self._call(data, "sample", "--next-day")

    def _refit_leads(self, data: Path) -> None:
        """Without the champion's file to beat, the refit keeps its model of leads: there are two versions."""
        files = _put_away(data, "lead_score")
        self._call(data, "run", "weekly_refit")
        for path, content in files.items():
            path.write_bytes(content)

    def _call(self, data: Path, *arguments: str) -> float:
        """Seconds of a command; stops the benchmark, with its output, when it fails."""
        started = time.monotonic()
        with self._running(data, arguments) as process:
            code = process.wait(timeout=SECONDS_ALLOWED)
        if code != 0:
            sys.exit(f"{words_of(data)}\nscorecast {' '.join(arguments)} ended with exit code {code}.")
        return time.monotonic() - started

    def _running(self, data: Path, arguments: tuple[str, ...]) -> AbstractContextManager[subprocess.Popen]:
        return running(self.options.scorecast, data, arguments)

    def _undisturbed(self, operation: Operation) -> None:
        """Do it once, and keep what is published after every command and how long the first one took."""
        kept, seconds = self._reference(operation, 0).parent, "seconds"
        if not (kept / seconds).exists():
            data = self.folder / f"undisturbed-{operation.name}"
            shutil.rmtree(data, ignore_errors=True)
            copy(self.folder / "states" / operation.base, data)
            kept.mkdir(parents=True, exist_ok=True)
            took = []
            for place, command in enumerate(operation.commands):
                took.append(self._call(data, *filled_in(command, data)))
                shutil.copyfile(data / "published.duckdb", self._reference(operation, place))
            (kept / "names.json").write_text(json.dumps(sorted(os.listdir(data))))
            (kept / seconds).write_text(str(took[0]))
            shutil.rmtree(data)
        self.seconds[operation.name] = float((kept / seconds).read_text())

    def _reference(self, operation: Operation, place: int) -> Path:
        return self.folder / "references" / operation.name / f"{place}.duckdb"

    def attempt(self, each: Try, data: Path) -> Try:
        """One try in a folder of its own."""
        started = time.monotonic()
        operation = self.operations[each.operation]
        rng = random.Random(f"{self.options.seed} {each.kind} {each.number}")
        parsed = data.with_suffix(".msgpack")
        groups: list[int] = []
        with Reader(data / "published.duckdb", each) as reader:
            self._begin(operation, data, parsed, reader)
            if each.kind == "kill":
                for _ in range(self.options.kills_per_run):
                    groups.append(self._kill(operation, data, parsed, reader, rng, each))
                reader.check()
            try:
                self._set_right(operation, data, reader, each)
            except duckdb.Error as problem:
                each.faults.append(("unequal", f"published.duckdb could not be compared: {problem}"))
            for group in groups:
                end_group(group, each)
        each.seconds = time.monotonic() - started
        dbt_parsed = data / "dbt" / "partial_parse.msgpack"
        if dbt_parsed.exists():
            dbt_parsed.replace(parsed)
        if each.faults and self.options.folder:
            failed = self.folder / f"failed-{each.kind}-{each.number}"
            shutil.rmtree(failed, ignore_errors=True)
            data.rename(failed)
        shutil.rmtree(data, ignore_errors=True)
        return each

    def _set_right(self, operation: Operation, data: Path, reader: "Reader", each: Try) -> None:
        """Do the operation without a kill; what is published is compared after each of its commands."""
        published, before = data / "published.duckdb", data / "published.before"
        begun = self.folder / "states" / operation.base / "published.duckdb"
        with reader.turn:
            if published.exists():
                shutil.copyfile(published, before)
            if begun.exists():
                each.faults += [("lost", words) for words in lost(begun, before)]
        for place, command in enumerate(operation.commands):
            with self._running(data, filled_in(command, data)) as process:
                try:
                    code = process.wait(timeout=SECONDS_ALLOWED)
                except subprocess.TimeoutExpired:
                    code = f"none: it did not end within {SECONDS_ALLOWED} s"
            is_there_already = place == 0 and "to go back to" in words_of(data)
            if code != 0 and not is_there_already:
                words = f"the next run ended with exit code {code}: {words_of(data)[-600:]}"
                each.faults.append(("unequal", words))
                return
            reader.check()
            with reader.turn:
                said = differences(self._reference(operation, place), published)
            each.faults += [("unequal", words) for words in said]
        if before.exists():
            with reader.turn:
                each.faults += [("lost", words) for words in lost(before, published)]
            before.unlink()
        names = json.loads((self._reference(operation, 0).parent / "names.json").read_text())
        each.faults += [("left behind", name) for name in sorted({*os.listdir(data)} - {*names})]

    def _begin(self, operation: Operation, data: Path, parsed: Path, reader: "Reader") -> None:
        """Copy the state that the operation begins with; the last try left dbt's parse of this folder."""
        with reader.paused():
            shutil.rmtree(data, ignore_errors=True)
            copy(self.folder / "states" / operation.base, data)
            if parsed.exists() and (data / "dbt").exists():
                shutil.copyfile(parsed, data / "dbt" / "partial_parse.msgpack")

    def _kill(
        self, operation: Operation, data: Path, parsed: Path, reader: "Reader", rng: random.Random, each: Try
    ) -> int:
        """Start the first command and kill it; returns its process group. One that has ended before begins anew."""
        command = filled_in(operation.commands[0], data)
        most = 1.0
        for draw in range(DRAWS):
            moment = self._draw(operation, rng, most)
            with self._running(data, command) as process:
                killed = kill_at(process, data, moment)
            if killed:
                each.moments.append(str(moment))
                return process.pid
            most *= 0.8
            if draw < DRAWS - 1 and len(each.moments) == 0:
                self._begin(operation, data, parsed, reader)
        return process.pid

    def _draw(self, operation: Operation, rng: random.Random, most: float) -> Moment:
        whole_group = rng.random() < SHARE_OF_GROUP
        if rng.random() < SHARE_AT_A_FILE:
            after = rng.choice(operation.files)
            count = rng.randint(1, max(1, round(6 * most))) if after in MANY else 1
            longest = 1.5 if after == "a draft appears" else 0.1
            return Moment(rng.uniform(0, longest * most), after, count, whole_group)
        return Moment(rng.uniform(0, self.seconds[operation.name] * most), None, 0, whole_group)


MANY = ("a model is written", "dbt's files change")
"""Changes of files that happen more than once in an operation."""


def state_of(data: Path, watched: str) -> object:
    """What a kind of files looks like now; it is another when one has appeared, gone or been replaced."""
    if watched == "a draft appears":
        return any(".draft." in name for name in os.listdir(data))
    if watched == "the release is swapped in":
        return _inode(data / "published.duckdb")
    folders = {
        "a release is kept": [data / "releases"],
        "a model is written": sorted((data / "models").glob("*")),
        "dbt's files change": [data / "dbt"],
    }
    return [_changed(folder) for folder in folders[watched]]


def identity(path: Path) -> tuple[int, int, int]:
    """Inode, time of change and size: a file that was swapped has another."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def kill_at(process: subprocess.Popen, data: Path, moment: Moment) -> bool:
    """Wait for the moment and kill; False when the process had ended before."""
    deadline = time.monotonic() + SECONDS_ALLOWED
    if moment.after:
        state, changes = state_of(data, moment.after), 0
        while changes < moment.count:
            if process.poll() is not None or time.monotonic() > deadline:
                end_process(process, whole_group=True)
                return False
            time.sleep(WATCH_EVERY)
            now = state_of(data, moment.after)
            changes += now != state
            state = now
    try:
        process.wait(timeout=moment.seconds)
        return False
    except subprocess.TimeoutExpired:
        end_process(process, moment.whole_group)
        return True


def end_process(process: subprocess.Popen, whole_group: bool) -> None:
    with suppress(ProcessLookupError):
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def end_group(group: int, each: Try) -> None:
    """Let processes that lost their parent end; those that do not are a fault, and killed."""
    deadline = time.monotonic() + SECONDS_TO_END
    while alive := processes_of(group):
        if time.monotonic() > deadline:
            each.faults.append(("left behind", f"{len(alive)} processes, such as {next(iter(alive.values()))}"))
            os.killpg(group, signal.SIGKILL)
            return
        time.sleep(0.2)


def processes_of(group: int) -> dict[int, str]:
    """Living processes of a group, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status, _, its_group, *_ = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(its_group) == group and status != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()[:120]
            except OSError:
                continue
    return found


stopping = threading.Event()
started_and_not_ended: set[subprocess.Popen] = set()


def end_everything() -> str:
    """Kill what is running, and start nothing more; whoever waits for it sees it end."""
    for stop in STOPPED_BY:
        signal.signal(stop, signal.SIG_IGN)
    stopping.set()
    for process in list(started_and_not_ended):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return "Stopped."


@contextmanager
def running(scorecast: Path, data: Path, arguments: tuple[str, ...]) -> Iterator[subprocess.Popen]:
    """A command of the command line on the company's folder, in a process group of its own."""
    if stopping.is_set():
        raise SystemExit("Stopped.")
    with output_of(data).open("w") as output:
        process = subprocess.Popen(
            [str(scorecast), *arguments],
            env={**os.environ, "SCORECAST_DATA": str(data)},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started_and_not_ended.add(process)
        try:
            yield process
        finally:
            if process.poll() is None:
                end_process(process, whole_group=True)
            started_and_not_ended.discard(process)


def output_of(data: Path) -> Path:
    return data.with_suffix(".output")


def words_of(data: Path) -> str:
    """What the last command printed."""
    return output_of(data).read_text(errors="replace").strip()


def filled_in(command: tuple[str, ...], data: Path) -> tuple[str, ...]:
    """The command with the names that are known only once the company is there."""
    if "<first release>" in command:
        with connect(data / "published.duckdb") as connection:
            (name,) = connection.execute("select min(release_id) from releases").fetchone()
        return tuple(name if word == "<first release>" else word for word in command)
    if "<first version>" in command:
        name = min(path.stem for path in (data / "models" / "lead_score").glob("lead_score-*.zip"))
        return tuple(name if word == "<first version>" else word for word in command)
    return command


def copy(begin: Path, to: Path) -> None:
    """A copy that shares its blocks where the file system can."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(begin), str(to)], check=True)


def _put_away(data: Path, model: str) -> dict[Path, bytes]:
    """Remove the files of a model's versions, so that a refit has none to beat; returns them with their contents."""
    files = {path: path.read_bytes() for path in (data / "models" / model).glob(f"{model}-*")}
    for path in files:
        path.unlink()
    return files


class Reader:
    """Somebody who opens published.duckdb again and again, and tells what is wrong with it in the try's faults."""

    def __init__(self, path: Path, each: Try):
        self.path, self.each = path, each
        self.rows: dict[str, int] = {}
        self.file: tuple[int, ...] = ()
        self.newest = ""
        self.was_there = False
        self.ended = threading.Event()
        self.turn = threading.Lock()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Reader":
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While the company's folder is put back to where it was."""
        with self.turn:
            yield
            self.rows, self.file, self.was_there = {}, (), self.path.exists()

    def check(self) -> None:
        """Look once, now."""
        with self.turn:
            self._look()

    def _read(self) -> None:
        while not self.ended.wait(LOOK_EVERY):
            self.check()

    def _look(self) -> None:
        if not self.was_there and not self.path.exists():
            return
        self.was_there = True
        self.each.looks += 1
        try:
            file = identity(self.path)
            if file == self.file:
                try:
                    glance(self.path, self.newest)
                except MixedError:
                    if identity(self.path) == file:
                        raise
                    file = identity(self.path)  # swapped after its identity was read: another file, to be looked at
                else:
                    return
            seen = look(self.path)
        except MixedError as problem:
            self._tell("mixed", str(problem))
            return
        except Exception as problem:  # whatever a reader gets instead of an answer
            self._tell("unreadable", f"{type(problem).__name__}: {problem}")
            return
        for table, rows in self.rows.items():
            if seen.rows.get(table, 0) < rows:
                self._tell("lost", f"{table} shrank from {rows:,} to {seen.rows.get(table, 0):,} rows")
        self.rows, self.file, self.newest = seen.rows, file, seen.release_id

    def _tell(self, fault: str, words: str) -> None:
        if (fault, words) not in self.each.faults:
            self.each.faults.append((fault, words))


if __name__ == "__main__":
    sys.exit(main())
