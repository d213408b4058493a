"""The order of all tests."""

from pathlib import Path

import pytest

WHOLE_PIPELINES = ("end_to_end", "real_data")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines come first: one that came last would keep a worker busy while the others have nothing to do."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in WHOLE_PIPELINES)
