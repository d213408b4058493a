"""Which columns a model may use, without a look at how it fits."""

import numpy as np
import polars as pl

from pipelines.learning.columns.choosing import choose_columns
from pipelines.learning.specs import PredictionSpec


def test_what_was_known_in_time_is_kept_however_much_it_tells_and_anything_else_is_left_out():
    draw = np.random.default_rng(0)
    age = draw.integers(0, 400, 1500)
    target = ((age < 40) & (draw.random(1500) < 0.95)).astype(float)
    frame = pl.DataFrame({"id": np.arange(1500), "age_days": age, "size": draw.normal(size=1500), "y": target > 0})
    spec = PredictionSpec("young", "id", "y", as_of=None)

    def judged(*known_in_time: str) -> tuple[bool, list[str]]:
        columns, _, findings = choose_columns(
            frame, target, np.arange(1500), None, spec, 0, known_in_time=known_in_time
        )
        return "age_days" in [each.name for each in columns], [
            each.grade for each in findings if each.column == "age_days"
        ]

    assert judged() == (False, ["leaky"])
    assert judged("age_days") == (True, ["suspect"])
    assert judged("size") == (False, ["leaky"])


def test_the_names_of_persons_are_no_ground_for_a_score():
    draw = np.random.default_rng(1)
    names = draw.choice(["Greta", "Hugo", "Mia", "Ali"], 400)
    frame = pl.DataFrame(
        {
            **{
                name: names for name in ("First Name", "lastname", "Contact Last-Name", "Vorname", "name", "brand_name")
            },
            **{"id": np.arange(400), "size": draw.normal(size=400), "y": draw.random(400) < 0.4},
        }
    )
    spec = PredictionSpec("buys", "id", "y", as_of=None)
    columns, dropped, _ = choose_columns(frame, frame["y"].to_numpy().astype(float), np.arange(400), None, spec, 0)
    assert {each.column for each in dropped} == {"First Name", "lastname", "Contact Last-Name", "Vorname"}
    assert {each.kind for each in dropped} == {"id_like"}
    assert {each.name for each in columns} == {"name", "brand_name", "size"}
