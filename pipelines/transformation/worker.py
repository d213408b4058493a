"""A dbt process that starts before it is needed: it imports and parses, then waits for one command.

    python -m pipelines.transformation.worker <options of every dbt command>

Its first line on stdout says that the project is parsed. It then reads one line of JSON from stdin (the `arguments` of
a dbt command, and changes of the `environment`), runs that command and ends. It also ends when stdin is closed, because
its parent process is gone then.
"""

import atexit
import gc
import json
import os
import sys
import threading

from pipelines.settings import GARBAGE_THRESHOLDS


def main(options: list[str]) -> int:
    """Parse, wait, run; the exit code is dbt's: 0 success, 1 something failed, 2 dbt did not get as far as running."""
    from dbt.cli.main import dbtRunner

    gc.set_threshold(*GARBAGE_THRESHOLDS)
    parsed = dbtRunner().invoke(["parse", "--quiet", *options])
    if not parsed.success:
        print(parsed.exception or "dbt could not parse the project", flush=True)
        return 2
    print(json.dumps({"parsed": True}), flush=True)
    line = sys.stdin.readline()
    if not line:
        return 0
    threading.Thread(target=end_with_the_caller, daemon=True).start()
    command = json.loads(line)
    os.environ.update(command["environment"])
    manifest = parsed.result
    del parsed
    gc.collect()
    result = dbtRunner(manifest=manifest).invoke([*command["arguments"], *options])
    if result.exception:
        print(result.exception, flush=True)
        return 2
    return 0 if result.success else 1


def end_with_the_caller() -> None:
    """Exit when stdin is closed: after a killed run no dbt process may go on writing the warehouse."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(2)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    atexit._run_exitfuncs()  # among them dbt's, that closes the warehouse
    sys.stdout.flush()
    os._exit(code)  # without a second for freeing dbt's manifest, object by object
