import polars as pl
import pytest

from pipelines.learning.fitting.fit import FitResult, fit_prediction
from tests.pipelines.learning.synthetic import panel, question

DESCRIPTIONS = {"usage_logins_sum_7d": "logins in the last 7 days", "has_late_invoice": "An invoice is late"}


@pytest.fixture(scope="session")
def known() -> pl.DataFrame:
    return panel()


@pytest.fixture(scope="session")
def fitted(known: pl.DataFrame) -> FitResult:
    return fit_prediction(known.drop("true_log_odds"), question(segments=("segment",)), descriptions=DESCRIPTIONS)
