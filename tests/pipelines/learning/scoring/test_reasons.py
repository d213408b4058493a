"""Reasons of a block of rows, against what is done one row at a time; words of texts, templates, groups."""

import json
import logging
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.fitting.fit import fit_prediction
from pipelines.learning.scoring import reasons as module
from pipelines.learning.scoring.fitted import log_odds, score_prediction
from pipelines.learning.scoring.reasons import TOP_REASONS, Telling, _rounded, build_reasons
from pipelines.learning.scoring.storage import load_model, save_model
from pipelines.learning.scoring.wording import _number, reason_writer, stem
from pipelines.learning.specs import PredictionSpec

KINDS = {
    "usage_logins_sum_7d": {"kind": "number", "typical": 12.0},
    "usage_logins_sum_28d": {"kind": "number", "typical": 40.0},
    "days_since_last_usage": {"kind": "number", "typical": 2.0},
    "tickets_count_28d": {"kind": "number", "typical": 0.0},
    "tickets_count_91d": {"kind": "number", "typical": 1.0},
    "amount": {"kind": "number", "typical": 3.25},
    'odd "name\\': {"kind": "category"},
    "is_new": {"kind": "boolean"},
    "started_date": {"kind": "date", "typical": 100.0},
    "note": {"kind": "text"},
    "gone": {"kind": "number", "typical": 1.0},
}
NAMES = list(KINDS)
TEXTS = st.one_of(
    st.none(), st.sampled_from(['say "no"', "back\\slash", "line\nbreak\t", "“ü” 🎉"]), st.text(max_size=6)
)
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-5, 2_000).map(float))
ROW = st.fixed_dictionaries(
    {
        **{name: NUMBERS for name, column in KINDS.items() if column["kind"] == "number" and name != "gone"},
        'odd "name\\': TEXTS,
        "is_new": st.one_of(st.none(), st.booleans()),
        "started_date": st.one_of(st.none(), st.dates(date(1990, 1, 1), date(2030, 1, 1))),
        "note": TEXTS,
        "parts": st.lists(
            st.sampled_from([0.0, 0.5, -0.5]) | st.floats(-9, 9), min_size=len(NAMES), max_size=len(NAMES)
        ),
    }
)


def frame_of(rows: list[dict]) -> tuple[pl.DataFrame, np.ndarray]:
    types = {"number": pl.Float64, "boolean": pl.Boolean, "date": pl.Date}
    schema = {name: types.get(column["kind"], pl.String) for name, column in KINDS.items() if name != "gone"}
    return pl.DataFrame(rows, schema=schema), np.array([row["parts"] for row in rows])


def by_source(parts: np.ndarray) -> dict[str, float]:
    sums: dict[str, float] = {}
    for name, part in zip(NAMES, parts, strict=True):
        sums[stem(name)] = sums.get(stem(name), 0.0) + part
    return sums


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=6))
def test_every_row_says_what_it_would_say_alone(rows):
    frame, parts = frame_of(rows)
    trimmed = frame.with_columns(cs.string().str.strip_chars().replace("", None))
    telling = Telling(kinds=KINDS, likelihood="risk")
    base, clipped = -1.25, np.array([0.0, 0.125] * 3)[: len(rows)]
    odds = base + parts.sum(axis=1) + clipped
    result = build_reasons(NAMES, parts, odds, base, frame, telling)
    assert result.schema == {name: pl.String for name in ("reasons", "reason_1", "reason_2", "reason_3")}
    for number, (text, *told) in enumerate(result.iter_rows()):
        first, *entries, last = json.loads(text)
        assert (first["feature"], first["contribution"], last["feature"]) == ("base", base, "other")
        assert first["likelihood"] == "risk"
        assert abs(sum(each["contribution"] for each in (first, *entries, last)) - odds[number]) < 1e-9
        mine = dict(zip(NAMES, parts[number], strict=True))
        for each in entries:
            name = each["feature"]
            assert each["contribution"] == mine[name] != 0
            value = shown = trimmed[name][number] if name in frame.columns else None
            assert each["value"] == (str(value) if isinstance(value, date) else shown)
            if isinstance(value, date):
                shown = -float((value - date(1970, 1, 1)).days)
            column = KINDS[name]
            write = reason_writer(name, column["kind"], column.get("typical"), {}, "risk")
            assert (each["words"], each["text"]) == write(shown, mine[name] > 0)
        names = [each["feature"] for each in entries]
        assert len(set(names)) == len(names) == min(TOP_REASONS, np.count_nonzero(parts[number]))
        # The strongest sources lead, each with a column that pulls its way; then the rest by size.
        sums = {source: total for source, total in by_source(parts[number]).items() if total != 0}
        leading = min(3, len(sums))
        sizes = [abs(sums[stem(name)]) for name in names[:leading]]
        assert sizes == sorted(map(abs, sums.values()), reverse=True)[:leading]
        assert len({stem(name) for name in names[:leading]}) == leading
        assert all((mine[name] > 0) == (sums[stem(name)] > 0) for name in names[:leading])
        left = sorted((abs(part) for name, part in mine.items() if name not in names[:leading]), reverse=True)
        assert [abs(mine[name]) for name in names[leading:]] == [x for x in left if x][: TOP_REASONS - leading]
        assert told[:leading] == [each["text"] for each in entries[:leading]]
        nothing = f"Nothing {'else ' if leading else ''}stands out: a typical risk"
        assert told[leading:] == [nothing] * (3 - leading)


def test_blocks_of_rows_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"amount": rng.normal(size=50), "note": [f"note {number}" for number in range(50)]})
    parts = rng.normal(size=(50, len(NAMES)))
    telling = Telling(
        kinds=KINDS, likelihood="risk", mentions=lambda position, rows, raises: [[f"row{row}"] for row in rows]
    )
    whole = build_reasons(NAMES, parts, parts.sum(axis=1), 0.0, frame, telling)
    monkeypatch.setattr(module, "BLOCK_ROWS", 7)
    assert build_reasons(NAMES, parts, parts.sum(axis=1), 0.0, frame, telling).equals(whole)
    mentioned = json.loads(whole["reasons"][33])
    assert {each["text"] for each in mentioned if each["feature"] == "note"} <= {
        "Note mentions “row33” (raises the risk)",
        "Note mentions “row33” (lowers the risk)",
    }


def test_no_rows_and_no_columns():
    telling = Telling(kinds=KINDS, likelihood="chance")
    none = build_reasons(NAMES, np.zeros((0, len(NAMES))), np.zeros(0), 0.0, pl.DataFrame({"amount": []}), telling)
    assert none.height == 0
    assert none.schema == {name: pl.String for name in ("reasons", "reason_1", "reason_2", "reason_3")}
    frame = pl.DataFrame({"amount": [1.0, 2.0]})
    plain = build_reasons([], np.zeros((2, 0)), np.full(2, 0.5), 0.5, frame, telling)
    assert plain["reason_1"].to_list() == ["Nothing stands out: a typical chance"] * 2
    assert [each["feature"] for each in json.loads(plain["reasons"][0])] == ["base", "other"]


def test_a_number_of_single_precision_is_written_with_its_own_digits():
    frame = pl.DataFrame({"amount": [45.3, 7.0, 1e-7, 3e9]}, schema={"amount": pl.Float32})
    parts = np.ones((4, 1))
    texts = build_reasons(["amount"], parts, np.ones(4), 0.0, frame, Telling(KINDS, "risk"))["reasons"]
    assert ['"value": 45.3,' in texts[0], '"value": 7,' in texts[1]] == [True, True]
    assert [json.loads(text)[1]["value"] for text in texts] == [45.3, 7, 1e-7, 3e9]


def complaints(rows: int = 900, seed: int = 0) -> pl.DataFrame:
    """Tickets whose text decides: cancel and the like, thanks, and small talk."""
    rng = np.random.default_rng(seed)
    talk = ["hello", "team", "about", "my", "order", "from", "last", "week", "please", "look", "when", "you", "can"]
    texts, gone = [], []
    for _ in range(rows):
        words = list(rng.choice(talk, size=8))
        is_angry, is_happy = rng.random() < 0.4, rng.random() < 0.4
        if is_angry:
            words.insert(int(rng.integers(0, 8)), str(rng.choice(["cancel", "Kündigung"])))
        if is_happy:
            words.insert(int(rng.integers(0, 8)), "wonderful")
        texts.append(" ".join(words))
        gone.append(rng.random() < 1 / (1 + np.exp(1.0 - 4 * is_angry + 4 * is_happy)))
    return pl.DataFrame(
        {"ticket_id": [f"T{n}" for n in range(rows)], "message": texts, "size": rng.normal(size=rows), "is_gone": gone}
    )


@pytest.fixture(scope="module")
def complaint_model():
    spec = PredictionSpec("churn", "ticket_id", "is_gone", as_of=None, text=("message",))
    return fit_prediction(complaints(), spec).model


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("please CANCEL my order", "Message mentions “cancel”"),
        ("meine Kündigung liegt bei", "Message mentions “kündigung”"),
        ("wonderful team", "Message mentions “wonderful”"),
    ],
)
def test_a_text_reason_names_the_words_that_decide(complaint_model, text, expected):
    frame = complaints(5, seed=1).with_columns(pl.lit(text).alias("message"))
    first = score_prediction(complaint_model, frame)["reason_1"]
    assert first.str.starts_with(expected).all()
    assert first.str.ends_with("(lowers the risk)" if "wonderful" in text else "(raises the risk)").all()


def test_a_text_without_any_known_word_is_quoted(complaint_model):
    frame = complaints(1, seed=1).with_columns(pl.lit("xyzzy").alias("message"))
    entries = json.loads(score_prediction(complaint_model, frame)["reasons"][0])
    assert any(each["text"].startswith("Message: “xyzzy”") for each in entries)


GROUPS = {
    "engagement": ["usage_", "*_count_*"],
    "fit": ["seg", "arr", "tickets"],
    "late": ["has_late_invoice"],
}


def test_points_of_groups_and_the_base_add_up_to_the_log_odds(fitted, known):
    model = replace(fitted.model, spec=replace(fitted.model.spec, groups=GROUPS))
    frame = known.head(200)
    scores = score_prediction(model, frame)
    points = [f"points_{name}" for name in (*GROUPS, "other")]
    assert [name for name in scores.columns if name.startswith("points_")] == points
    odds, parts, base = log_odds(model, frame)
    assert np.allclose(base + scores.select(pl.sum_horizontal(points)).to_series().to_numpy(), odds, atol=1e-9)
    names = model.encoding.names
    own = [i for i, name in enumerate(names) if name.startswith("usage_") or name == "tickets_count_28d"]
    assert len(own) == 3
    assert np.allclose(scores["points_engagement"].to_numpy(), parts[:, own].sum(axis=1))
    late = parts[:, names.index("has_late_invoice")]
    assert np.allclose(scores["points_late"].to_numpy(), late)
    assert np.abs(scores["points_other"].to_numpy()).max() > 0
    assert not [name for name in score_prediction(fitted.model, frame).columns if name.startswith("points_")]


def test_a_pattern_or_template_for_no_column_is_reported(fitted, known, caplog):
    spec = replace(fitted.model.spec, groups={**GROUPS, "more": ["no_such_", "arr"]}, templates={"nowhere": "{value}"})
    with caplog.at_level(logging.WARNING):
        score_prediction(replace(fitted.model, spec=spec), known.head(2))
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "churn: No column matches 'more: no_such_' of the groups.",
        "churn: No column 'nowhere' for its template.",
    ]


def test_templates_are_used_and_stored_with_the_model(fitted, known, tmp_path):
    spec = replace(fitted.model.spec, groups=GROUPS, templates={"usage_logins_sum_7d": "{value} logins, not {typical}"})
    path = tmp_path / "model.zip"
    save_model(replace(fitted.model, spec=spec), path)
    model = load_model(path)
    assert model.spec == spec == PredictionSpec.from_state(spec.to_state())
    entries = [each for text in score_prediction(model, known.head(50))["reasons"] for each in json.loads(text)]
    told = [each for each in entries if each["feature"] == "usage_logins_sum_7d"]
    assert told
    assert all(each["text"].startswith(f"{each['value']:,} logins, not ") for each in told)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"templates": {"arr": "about {worth}"}}, r"template of 'arr', 'about \{worth\}', cannot be used"),
        ({"groups": {"Fit": ["arr"]}}, "cannot be called 'Fit'"),
        ({"groups": {"other": ["arr"]}}, "cannot be called 'other'"),
        ({"groups": {"fit": []}}, "'fit' needs a list"),
        ({"groups": {"fit": "arr"}}, "'fit' needs a list"),
        ({"groups": {"fit": [""]}}, "'fit' needs a list"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        PredictionSpec("churn", "account_id", "is_gone", **changes)


@given(st.floats(-1e9, 1e9, allow_subnormal=False) | st.integers(-99_999, 99_999).map(lambda number: number / 1_000))
def test_a_number_reads_the_same_before_and_after_its_column_is_rounded(value):
    assert _number(value) == _number(float(_rounded(pl.Series([value]))[0]))
