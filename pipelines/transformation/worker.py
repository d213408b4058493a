"""A dbt process that starts before it is needed: it imports and parses, then waits for commands.

    python -m pipelines.transformation.worker <options of every dbt command>

Its first line on stdout says that the project is parsed. Each line of JSON on stdin (the `arguments` of a dbt command,
and changes of the `environment`) is one command; a last line on stdout says how it ended, and the warehouse is closed
until the next one. It ends when stdin is closed, because its parent process is gone then.
"""

import atexit
import gc
import json
import os
import queue
import sys
import threading

from pipelines.settings import GARBAGE_THRESHOLDS


def main(options: list[str]) -> int:
    """Parse, wait, run; the exit code is 0, or 2 where dbt did not get as far as running."""
    from dbt.cli.main import dbtRunner

    gc.set_threshold(*GARBAGE_THRESHOLDS)
    parsed = dbtRunner().invoke(["parse", "--quiet", *options])
    if not parsed.success:
        print(parsed.exception or "dbt could not parse the project", flush=True)
        return 2
    manifest = parsed.result
    del parsed
    print(json.dumps({"parsed": True}), flush=True)
    commands: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    idle = threading.Event()
    idle.set()
    threading.Thread(target=listen, args=(commands, idle), daemon=True).start()
    while (line := commands.get()) is not None:
        command = json.loads(line)
        os.environ.update(command["environment"])
        gc.collect()
        result = dbtRunner(manifest=manifest).invoke([*command["arguments"], *options])
        close_warehouse()
        if result.exception:
            print(result.exception, flush=True)
            return 2
        del result
        idle.set()
        print(json.dumps({"ended": True}), flush=True)
    return 0


def listen(commands: "queue.SimpleQueue[str | None]", idle: threading.Event) -> None:
    """Hand over commands; when stdin is closed, end: after a killed run no dbt process may go on writing."""
    for line in sys.stdin:
        idle.clear()  # before the command is handed over: nobody may think in between that there is none
        commands.put(line)
    if not idle.is_set():
        os._exit(2)
    commands.put(None)


def close_warehouse() -> None:
    """Let go of the file between two commands; dbt-duckdb would keep it open until its process ends."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    environment = DuckDBConnectionManager._ENV
    DuckDBConnectionManager.close_all_connections()
    if environment is not None:
        environment.close()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    atexit._run_exitfuncs()  # among them dbt's, that closes the warehouse
    sys.stdout.flush()
    os._exit(code)  # without a second for freeing dbt's manifest, object by object
