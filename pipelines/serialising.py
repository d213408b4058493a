"""Making bytes of a model in a process of its own, which has its imports behind it by the time there is a model."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

from pipelines.learning.serialisation import to_skops


@contextmanager
def serialiser() -> Iterator[Callable[[dict], bytes]]:
    """`to_skops` in another process, which makes itself ready meanwhile; in this one should the other come to grief.

    skops imports every module of scikit-learn: 1.5 s, half of all that `scorecast predict` does with a small table, and
    in a thread it would hold the interpreter's lock.
    """
    context = get_context("spawn")  # a fork would copy locks of the threads that polars has started
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()

    def serialise(state: dict) -> bytes:
        with suppress(EOFError, OSError):
            ours.send(state)
            return ours.recv()
        return to_skops(state)

    try:
        yield serialise
    finally:
        ours.close()
        process.kill()
        process.join()


def _serve(connection: Connection) -> None:
    # scikit-learn imports pandas if it is there; nothing needs it here.
    sys.modules["pandas"] = None
    to_skops({})
    with suppress(EOFError):
        connection.send(to_skops(connection.recv()))
