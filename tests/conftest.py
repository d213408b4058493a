"""The order of all tests, and how many run at once."""

import gc
import os
import shutil
from pathlib import Path

import pytest

from pipelines.settings import GARBAGE_THRESHOLDS

LONGEST = ("test_daily_run.py", "test_any_company.py")
"""Modules of several minutes, in this order: one that started late would keep one worker busy and the others idle."""
WHOLE_PIPELINES = ("end_to_end", "real_data")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
"""Of linear algebra and LightGBM, here and in processes that tests start: threads that wait in a loop take the cores
from the other workers. Where our code names a number of threads, that number holds."""
IN_MEMORY = Path("/dev/shm")
PLENTY = 12 * 2**30
"""Bytes of memory, free, from which on the tests' files are kept in it (DuckDB waits for the disk at every commit), and
one worker more is at work."""
gc.set_threshold(*GARBAGE_THRESHOLDS)
os.environ.update(ONE_THREAD)


def free_memory() -> int:
    """Bytes that nobody uses."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: whole pipelines wait a quarter of their time, for processes and for the disk."""
    return (os.cpu_count() or 1) + (2 if free_memory() >= PLENTY else 1)


def pytest_configure() -> None:
    """Where pytest makes its temporary folders."""
    is_there = IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK)
    if is_there and min(shutil.disk_usage(IN_MEMORY).free, free_memory()) >= PLENTY:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The two longest modules and, beside them, the fast core; then whole pipelines; then what else is slow."""
    here = Path(__file__).parent
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("real_data")}
    whole = {path for path in slow if path.relative_to(here).parts[0] in WHOLE_PIPELINES}
    long = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (long.get(item.path.name, len(LONGEST)), item.path in slow, item.path not in whole))
