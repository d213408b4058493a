"""Frames whose truth is known: a slowly moving health drives features and outcome by a logit."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from pipelines.learning.specs import PredictionSpec

FIRST = date(2023, 1, 1)
HORIZON = 90


def panel(entities: int = 400, points: int = 20, step_days: int = 28, seed: int = 0) -> pl.DataFrame:
    """Weekly-like snapshots: features, `is_gone_90d`, and `true_log_odds` (drop it before fitting)."""
    generator = np.random.default_rng(seed)
    health = generator.normal(size=entities)
    segment = generator.choice(["Retail", "Health", "Energy"], size=entities, p=[0.5, 0.3, 0.2])
    frames = []
    for point in range(points):
        health = 0.9 * health + 0.436 * generator.normal(size=entities)
        as_of = FIRST + timedelta(days=point * step_days)
        logins = np.round(np.exp(1.5 - 0.5 * health + 0.3 * generator.normal(size=entities)))
        tickets = generator.poisson(np.exp(0.4 * health))
        is_late = generator.random(entities) < 0.2
        odds = -1.6 - 1.2 * (np.log1p(logins) - 1.7) + 0.4 * tickets + 0.8 * is_late + 0.7 * (segment == "Energy")
        started = [as_of - timedelta(days=int(days)) for days in generator.integers(10, 900, size=entities)]
        frames.append(
            pl.DataFrame(
                {
                    "account_id": [f"A{number:05d}" for number in range(entities)],
                    "as_of_date": [as_of] * entities,
                    "usage_logins_sum_7d": logins,
                    "usage_logins_sum_28d": logins * 4 + generator.normal(size=entities),
                    "tickets_count_28d": tickets,
                    "has_late_invoice": is_late,
                    "segment": segment,
                    "started_date": started,
                    "satisfaction_rating_avg_91d": np.where(generator.random(entities) < 0.4, np.nan, 3.0 + health),
                    "arr": np.round(np.exp(8 + generator.normal(size=entities))),
                    "is_gone_90d": generator.random(entities) < 1 / (1 + np.exp(-odds)),
                    "true_log_odds": odds,
                },
            )
        )
    return pl.concat(frames)


def question(**changes: object) -> PredictionSpec:
    """The spec for `panel`."""
    settings = {
        "name": "churn",
        "entity_key": "account_id",
        "target": "is_gone_90d",
        "horizon_days": HORIZON,
        "value": "arr",
        **changes,
    }
    return PredictionSpec(**settings)


def weakly_related(rows: int, seed: int) -> pl.DataFrame:
    """A table without time whose answer hangs a little on `x`, and not on `z`."""
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    left = random.random(rows) < 1 / (1 + np.exp(1.2 - 0.6 * x))
    return pl.DataFrame({"id": [f"a{row}" for row in range(rows)], "x": x, "z": random.normal(size=rows), "left": left})
