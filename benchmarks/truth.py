"""
The sample company's models against the truth that made it: AUC on the same test days, and what leads the reasons.

The truth (probabilities from the hidden health and intent) lies in a folder that no asset reads. The figures are of the
newest fits; without a first run of the sample company, one is made in a temporary folder.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import duckdb
import polars as pl
from _measure import SCORECAST, report, timed

from pipelines.learning.judging.evaluation import auc

BAR = 0.04
QUESTIONS = {
    "churn": ("account_weeks", "churn_probability_90d", "churns_in_90d"),
    "lead_score": ("lead_weeks", "conversion_probability_60d", "converts_in_60d"),
}


def fits(data: Path) -> dict[str, dict]:
    """Metrics of the newest kept fit of each model."""
    with duckdb.connect(str(data / "published.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select model, metrics from model_runs where status = 'kept' order by started_at"
        ).fetchall()
    return {model: json.loads(metrics) for model, metrics in rows}


def main(data: Path) -> bool:
    found, ok = fits(data), True
    for model, (table, probability, answer) in QUESTIONS.items():
        first, last = (pl.lit(found[model][f"test_{end}"]).str.to_date() for end in ("from", "until"))
        truth = pl.read_parquet(data / "truth" / f"{table}.parquet").filter(
            pl.col("as_of_date").is_between(first, last)
        )
        reached = auc(truth[answer].to_numpy(), truth[probability].to_numpy())
        print(f"{model}: the true probabilities reach AUC {reached:.3f}, the model {found[model]['auc']:.3f}")
        print(f"  leading: {', '.join(row['column'] for row in found[model]['drivers'][:6])}")
        ok &= report(f"{model}: AUC short of truth", reached - found[model]["auc"], "", BAR, digits=3)
    return ok


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder)
        if not (chosen / "published.duckdb").exists():
            timed([str(SCORECAST), "run"], {**os.environ, "SCORECAST_DATA": str(chosen)})
        sys.exit(0 if main(chosen) else 1)
