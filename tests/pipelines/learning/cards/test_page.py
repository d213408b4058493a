"""The card's page: right figures in the words, nothing of the data as markup, whatever the facts lack."""

import math
import re
import time
from datetime import date
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.learning.cards.facts import ScoreOutcome, off_tenths
from pipelines.learning.cards.levels import levels
from pipelines.learning.cards.of_fit import card_of_fit
from pipelines.learning.cards.page import card_page, inline
from pipelines.learning.cards.sections import how_to_read
from pipelines.learning.cards.svg import Plot, end, percent, ticks
from pipelines.learning.fitting.fit import fit_prediction
from pipelines.learning.judging.amounts import by_tenth, reliability
from pipelines.learning.judging.amounts import evaluate as evaluate_amounts
from pipelines.learning.judging.evaluation import decile_table, evaluate
from pipelines.learning.judging.holdback import rate_interval
from pipelines.learning.judging.ordered import by_tenth as levels_by_tenth
from pipelines.learning.judging.ordered import evaluate as evaluate_levels
from pipelines.learning.learners.calibration import level_probabilities
from pipelines.learning.scoring.wording import describe_value
from pipelines.learning.specs import TASKS
from tests.pipelines.learning.synthetic import panel, question

VOID = {"br", "col", "hr", "link", "meta"}
NASTY = "<script>alert(1)</script>\"'&`**\u202e\x00\ud800"
HARMLESS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "section", "div", "footer", "h1", "h2", "h3",
    "p", "span", "strong", "b", "bdi", "code", "ul", "li", "dl", "dt", "dd", "figure", "figcaption", "details",
    "summary", "table", "thead", "tbody", "tr", "th", "td",
    "svg", "desc", "path", "rect", "line", "circle", "polyline", "polygon", "text",
}  # fmt: skip


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails where tags do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        page.encode("utf-8")
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list) -> None:
        assert len(dict(attributes)) == len(attributes)
        self.tags.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())


def rich(rows: int = 4_000, seed: int = 1, base: float = -1.4, bent: float = 1.0) -> dict:
    """Facts of a model whose probabilities are right where `bent` is 1, and too timid or bold elsewhere."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(base, 1.4, rows)
    target = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    probability = 1 / (1 + np.exp(-bent * odds))
    return {
        "name": "churn",
        "question": "Churn is Yes",
        "likelihood": "risk",
        "task": "yes_no",
        "rows_word": "customers",
        "yes_words": "leave",
        "created_at": "2026-07-06T05:12:44Z",
        "verdict": "ok",
        "kept": True,
        "reason": "Kept: better than the champion by 0.004 (noise 0.002).",
        "n_rows": 5 * rows,
        "n_train": 4 * rows,
        "n_holdout": rows,
        "n_positive": int(5 * target.sum()),
        "split": "time",
        "split_words": "Learnt from 2024-07-01 to 2025-12-29, judged on 2026-03-30, which came later.",
        **evaluate(target, probability),
        "baseline_log_loss": 0.5786,
        "deciles": decile_table(target, probability).to_dicts(),
        "money": {
            "currency": "EUR",
            "deciles": [
                {"decile": n, "at_stake": 9_000.0 + n, "share": 0.1, "share_of_yes": (19 - 2 * (n - 1) - 1) / 100}
                for n in range(1, 11)
            ],
        },
        "drivers": [
            {
                "column": f"usage_logins_{number}d",
                "words": f"Logins in the last {number} days",
                "strength": 0.8 / (number + 1),
                "share": 0.3 / (number + 1),
                "effects": [
                    {"label": f"{low} to {low + 5}", "rows": 800, "contribution": 0.9 - 0.3 * low, "observed_rate": 0.3}
                    for low in range(6)
                ],
            }
            for number in range(15)
        ],
        "segments": [
            {
                "segment": "industry",
                "value": value,
                "rows": 800,
                "positives": 160,
                "predicted_rate": 0.21,
                "observed_rate": 0.2,
                "auc": auc,
                "log_loss": 0.4,
                "warning": warning,
            }
            for value, auc, warning in (
                ("Retail", 0.84, None),
                ("Public sector", 0.58, "It ranks hardly better than chance here."),
                ("Software", 0.86, None),
            )
        ],
        "candidates": [
            {"name": "spline logistic", "log_loss": 0.4125, "chosen": True},
            {"name": "boosting", "log_loss": 0.4171, "chosen": False},
            {"name": "base rate", "log_loss": 0.5786, "chosen": False},
        ],
        "leaky": [{"column": "cancel_reason", "reason": "Filled in 412 of 412 that left and in none that stayed."}],
        "suspect": [
            {
                "column": "lead_quality",
                "reason": "Is `lead_quality` set before or after the sale?",
                "auc_without": 0.744,
                "log_loss_without": 0.4555,
            }
        ],
        "constant": [{"column": f"magazine_{number}", "reason": "always No"} for number in range(30)],
        "id_like": [{"column": "account_id", "reason": "4,000 different values"}],
        "excluded": [{"column": "arr", "reason": "named in the spec"}],
        "notes": ["Snapshots every 14 days are used instead of every 28: there are few rows."],
        "limits": ["Reasons say what moved this model's estimate, not what causes the outcome."],
        "score_outcomes": [
            ScoreOutcome(
                as_of_date=date(2026, 1 + week // 4, 7 * (week % 4) + 1),
                release_id=f"2026010{week}",
                is_backfill=False,
                grade=grade,
                rows=400,
                predicted_rate=said,
                actual_rate=said * (1.04 if week % 2 else 0.93),
                money_expected=1_000_000 * said,
                money_come=950_000 * said,
                currency="EUR",
            )
            for week in range(8)
            for grade, said in zip("ABCDE", (0.62, 0.31, 0.14, 0.06, 0.02), strict=True)
        ],
        "method": "blend",
        "n_columns": 61,
        "fingerprint": "9f3a61b2c4d5e6f708192a3b",
        "code_version": "0.1.0+abc",
        "seconds": 3.4,
    }


def many_classes(count: int = 5) -> dict:
    labels = [f"topic {number}" for number in range(count)]
    counts = [[90 if i == j else (i + j) % 3 for j in range(count)] for i in range(count)]
    return {
        "name": "ticket_class",
        "question": "the ticket's topic",
        "task": "classes",
        "rows_word": "tickets",
        "n_holdout": 100 * count,
        "accuracy": 0.82,
        "macro_f1": 0.79,
        "calibration_error": 0.013,
        "classes": [
            {
                "class": label,
                "rows": 100 + i,
                "precision": 0.8,
                "recall": 0.5 + i / (2 * count),
                "f1": 0.6 + i / (3 * count),
            }
            for i, label in enumerate(labels)
        ],
        "confusion": {"labels": labels, "counts": counts},
    }


def estimates(rows: int = 500) -> dict:
    """Facts of a model of amounts, on the scale of their logarithm."""
    rng = np.random.default_rng(2)
    middle = np.exp(6 + rng.normal(size=rows))
    came = middle * np.exp(0.4 * rng.normal(size=rows))
    said = {"expected": middle * 1.08, "p10": middle * 0.6, "p50": middle, "p90": middle * 1.67}
    segment = {"segment": "plan", "words": "plan of the deal", "value": "pro", "rows": 40, "mean_said": 500.0}
    effects = [{"label": "1 to 9", "rows": 100, "contribution": -0.4, "observed_mean": 222.0}]
    return {
        **evaluate_amounts(came, said, np.arange(rows)),
        "name": "deal_size",
        "question": "amount",
        "task": "amount",
        "link": "log",
        "likelihood": "amount",
        "rows_word": "deals",
        "n_holdout": rows,
        "base_median": 400.0,
        "mean_absolute_error_of_median": 444.0,
        "root_mean_squared_error_of_mean": 555.0,
        "tenths": by_tenth(came, said),
        "reliability": reliability(came, said),
        "drivers": [{"column": "seats", "words": "seats", "strength": 0.4, "share": 0.7, "effects": effects}],
        "segments": [
            segment
            | {"mean_came": 480.0, "mean_absolute_error": 200.0, "error_share": 0.42, "coverage": 0.7}
            | {"warning": "It is further off here than overall."}
        ],
        "candidates": [{"name": "splines", "error": 123.4, "chosen": True}],
        "suspect": [{"column": "list", "reason": "almost the order", "mean_absolute_error_without": 321.0}],
    }


def ratings(rows: int = 400) -> dict:
    """Facts of a model of levels in an order, one of which nobody says."""
    rng = np.random.default_rng(3)
    names, margin = ["bad", "fair", "good", "best"], rng.normal(size=rows)
    said = level_probabilities(1.5 * margin[:, None] + np.array([2.0, 0.0, -1.5]))
    came = ((1.5 * margin + rng.logistic(size=rows))[:, None] > [-2.0, 0.0, 1.5]).sum(axis=1)
    effects = [{"label": "1 to 9", "rows": 100, "contribution": -0.4, "observed_mean": 2.25}]
    return {
        **evaluate_levels(came, said, came, np.arange(rows), names),
        "name": "mood",
        "task": "ordered",
        "levels": names,
        "likelihood": "level",
        "rows_word": "guests",
        "n_holdout": rows,
        "baseline_rps": 0.25,
        "tenths": levels_by_tenth(came, said, np.arange(1.0, 5.0)),
        "drivers": [{"column": "wait", "words": "wait", "strength": 0.4, "share": 0.7, "effects": effects}],
        "candidates": [{"name": "splines", "rps": 0.1234, "chosen": True}],
    }


def test_levels_are_told_in_levels():
    facts = ratings()
    page = Page(card_page(facts))
    said, usual = facts["error_in_levels"], facts["error_in_levels_of_median"]
    assert said < usual
    assert (
        f"On average it is off by {said:.2f} levels; always saying “{facts['median_level']}” is off by {usual:.2f}"
        in (page.text)
    )
    for words in (
        f"Of 100 guests, it gets {facts['exactly_right'] * 100:.0f} exactly right",
        "Does it keep its word, level by level?",
        "fair or higher",
        "raises and what lowers the level",
        "Compared by ranked probability score",
        "0.1234",
        "−0.402.25100",
    ):
        assert words in page.text, words
    assert "best or higher" not in page.text, "nothing is above the highest level"
    assert "AUC" not in page.text and "Log loss Chosen" not in page.text


def test_the_picture_of_levels_goes_from_the_lowest_to_the_highest():
    facts = ratings()
    plot = levels(facts)["plot"]
    assert [words for _, words in plot.columns()] == facts["levels"]
    assert [x for x, _ in plot.columns()][:: len(facts["levels"]) - 1] == [plot.LEFT, plot.RIGHT]
    dots = [mark for mark in plot.marks if mark["shape"] == "circle"]
    assert len(dots) == 10 and all(plot.LEFT <= dot["x"] <= plot.RIGHT for dot in dots)
    assert [dot["x"] for dot in dots] == sorted((dot["x"] for dot in dots), reverse=True)


def test_amounts_are_told_in_their_unit():
    facts = estimates()
    page = Page(card_page(facts))
    off, share = describe_value(facts["mean_absolute_error"], "number"), percent(facts["error_share"])
    said = page.text.replace(" , ", ", ")
    assert f"On average it is off by {off}, {share}".replace("\N{NO-BREAK SPACE}", " ") in said
    assert "saying 400, the median, of all deals is off by 444" in said
    for words in (
        f"{facts['coverage'] * 100:.0f} came to an amount within the interval",
        "What it said and what came",
        "Do its intervals hold?",
        "plan of the deal: pro. It is further off here than overall.",
        "x0.67",
        "Compared by mean absolute error",
        f"off by {off} → 321",
    ):
        assert words in said.replace("Plan of", "plan of"), words
    assert "Log loss" not in said and "AUC" not in said
    dots = [attributes for name, attributes in page.tags if name == "circle"]
    assert len(dots) == 10, "one a tenth"
    million = {**facts, "tenths": [{**row, "mean_said": 1e5 * row["mean_said"]} for row in facts["tenths"]]}
    ticks_shown = Page(card_page(million)).text
    assert re.search(r"\d+M\b", ticks_shown) and "…" not in ticks_shown.split("As numbers")[0]


def test_the_verdict_says_the_figures_in_words():
    facts = rich()
    facts["base_rate"] = 0.27
    rows = [(100, 68), (100, 52), *[(100, 20)] * 5, *[(100, 10)] * 3]
    yes = sum(hits for _, hits in rows)
    found, facts["deciles"] = 0, []
    for number, (count, hits) in enumerate(rows, start=1):
        found += hits
        facts["deciles"].append(
            {
                "decile": number,
                "rows": count,
                "positives": hits,
                "predicted_rate": hits / count - 0.01,
                "observed_rate": hits / count,
                "lift": 1.0,
                "gain": found / yes,
            }
        )
    text = Page(card_page(facts)).text
    assert "Of 100 customers that this model ranks highest, about 68 leave; of all customers, 27 do." in text
    assert f"In the first 20 % of its list you meet {round(100 * 120 / yes)} % of them." in text
    assert (
        "Where it says 67 %, 68 % leave; where it says 19 %, 20 % do. Its percentages can be taken as they st" in text
    )
    assert "68 of 100" in text and "27 of 100" in text


def test_every_section_is_there_and_every_text_of_the_facts():
    facts = rich()
    text = Page(card_page(facts)).text
    for title in (
        "How far down the list?",
        "Does it keep its word?",
        "Did the scores come true?",
        "What drives the estimate",
        "What raises and what lowers the risk",
        "Who it works less well for",
        "Ask before you trust",
        "Where the money is",
        "What gives the answer away, and is left out",
        "Columns left out, and why",
        "Where to be careful",
        "For the analyst",
    ):
        assert title in text
    assert "Industry: Public sector. It ranks hardly better than chance here." in text
    assert (
        "The first tenth of the list holds 10 % of all money at stake, and 18 % of the money of those who leave."
        in text
    )
    assert "Only amounts in EUR are counted." in text
    assert f"{facts['auc']:.3f} → 0.744" in text
    assert "Of 400 customers with grade A on 2026-02-22 it said that 62 % leave; 64 % did." in text
    assert "In all it expected 1.15 M EUR; it came to 1.09 M EUR." in text
    for row in facts["constant"] + facts["leaky"] + facts["id_like"] + facts["excluded"]:
        assert row["column"] in text and row["reason"] in text
    assert facts["notes"][0] in text and facts["limits"][0] in text


def test_the_page_is_self_contained_and_runs_nothing():
    for facts in (rich(), many_classes()):
        page = Page(card_page(facts))
        assert {name for name, _ in page.tags} <= HARMLESS
        for _, attributes in page.tags:
            assert not {"src", "href", "srcset", "action", "xlink:href"} & set(attributes)
            assert not any(name.startswith("on") for name in attributes)
        assert "url(" not in card_page(facts) and "@import" not in card_page(facts)


def test_every_picture_has_a_name_and_ids_are_unique():
    page = Page(card_page(rich()))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    pictures = [attributes for name, attributes in page.tags if name == "svg"]
    named = [attributes for attributes in pictures if attributes.get("role") == "img"]
    assert len(named) >= 5
    assert all(set(attributes["aria-labelledby"].split()) <= set(ids) for attributes in named)
    assert all("aria-hidden" in attributes for attributes in pictures if attributes not in named)
    assert sum(name == "details" for name, _ in page.tags) >= 5


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"name": "x"},
        {"name": "x", "task": "classes"},
        {"name": "x", "task": "amount"},
        {"name": "x", "task": "ordered"},
        {"name": "x", "task": "ordered", "error_in_levels": 0.5, "cuts": [{}], "tenths": [{}], "levels": ["a"]},
        {"name": "x", "task": "amount", "mean_absolute_error": 0.0, "error_share": math.nan, "tenths": [{}]},
        {"name": "x", "task": "yes_no", "base_rate": 0.0, "auc": math.nan, "deciles": [], "drivers": None},
        {"name": "x", "task": "classes", "classes": [{"class": "a", "rows": 3}], "confusion": {}},
        {"name": "x", "suspect": [{}], "leaky": [{}], "segments": [{}], "drivers": [{}], "score_outcomes": [{}]},
        {"name": "x", "deciles": [{"decile": 1, "rows": 3, "positives": 0, "predicted_rate": 0, "observed_rate": 0}]},
    ],
)
def test_what_is_missing_is_left_out(facts: dict):
    page = Page(card_page(facts))
    assert "nan" not in page.text and "None" not in page.text
    assert page.tags[0][0] == "html"


@pytest.mark.parametrize("facts", [rich(400), many_classes(4), ratings(), estimates()], ids=list(TASKS))
@pytest.mark.parametrize("empty", [None, "absent"])
def test_any_one_fact_may_be_missing(facts: dict, empty: str | None):
    for key in facts:
        less = {name: value for name, value in facts.items() if name != key}
        page = Page(card_page(less if empty == "absent" else {**less, key: None}))
        assert "nan" not in page.text and "None" not in page.text, key


@pytest.mark.parametrize("make", [rich, many_classes, ratings, estimates])
def test_a_column_called_script_does_not_run(make):
    def spoil(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {name: spoil(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [spoil(each) for each in value]
        return NASTY + value if isinstance(value, str) and key != "task" else value

    page = card_page(spoil(make()))
    read = Page(page)
    assert {name for name, _ in read.tags} <= HARMLESS
    assert "<script" not in page.lower()
    assert "<script>alert(1)</script>" in read.text
    assert "&lt;" not in read.text, "escaped twice"
    assert not {"\x00", "\u202e"} & set(page)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1))
def test_text_stays_text(words: str):
    assert {name for name, _ in Page(f"<p>{inline(words)}</p>").tags} <= {"p", "code", "strong"}


def test_no_signal_says_do_not_act():
    facts = {**rich(), "verdict": "no_signal", "kept": False, "reason": "AUC 0.51, within noise of 0.5."}
    text = Page(card_page(facts)).text
    assert text.index("Do not act on these scores.") < text.index("Of 100 customers")
    assert "No signal" in text and "In use" not in text and "as they stand" not in text
    refused = Page(card_page({**facts, "verdict": "ok"})).text
    assert "This model is not in use. AUC 0.51, within noise of 0.5." in refused and "In use" not in refused


def test_a_model_that_does_not_keep_its_word_is_not_said_to():
    honest = [len(off_tenths(rich(seed=seed)["deciles"])) for seed in range(30)]
    bold = [len(off_tenths(rich(seed=seed, bent=2.0)["deciles"])) for seed in range(30)]
    assert sum(each > 0 for each in honest) <= 5
    assert min(bold) >= 4
    told = Page(card_page(rich(bent=2.0))).text
    assert "Go by its order more than by its percentages." in told
    assert "can be taken as they stand" not in told


def tenths_off(*pairs: tuple[float, float]) -> list[dict]:
    """Tenths that said and happened so; of many rows, so that chance explains no difference."""
    names = ("predicted_rate", "observed_rate")
    return [
        {"decile": number, "rows": 9_000, "positives": 9, **dict(zip(names, pair, strict=True))}
        for number, pair in enumerate(pairs, start=1)
    ]


def test_percentages_that_are_no_better_than_the_average_are_not_said_to_stand():
    facts = {"name": "m", "verdict": "ok", "deciles": tenths_off((0.4, 0.4), (0.1, 0.1)), "base_rate": 0.25}
    assert "can be taken as they stand" in Page(card_page(facts)).text
    assert "can be taken as they stand" not in Page(card_page(facts | {"is_only_order": True})).text


def test_percentages_that_few_rows_speak_for_are_not_said_to_stand():
    few = [row | {"rows": 5} for row in tenths_off((0.8, 0.6), *[(0.4, 0.4)] * 8, (0.1, 0.0))]
    told = "The 50 rows held out are too few to tell whether its percentages hold."
    assert how_to_read(few, is_only_order=False) == told
    assert told in Page(card_page({"name": "m", "verdict": "ok", "deciles": few, "base_rate": 0.4})).text


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([(0.4, 0.4), (0.1, 0.1)], "Its percentages can be taken as they stand."),
        (
            [(0.48, 0.35), (0.24, 0.19), *[(0.1, 0.1)] * 8],
            "It runs high at the top of the list: read 48 % as about 35 % and 24 % as about 19 %. Further down its "
            "percentages hold.",
        ),
        (
            [(0.5, 0.5), (0.2, 0.3), *[(0.1, 0.1)] * 8],
            "It runs low in places: read 20 % as about 30 %. Elsewhere its percentages hold.",
        ),
        (
            [(0.5, 0.4), (0.2, 0.3), (0.1, 0.1)],
            "It is off at the top of the list: read 50 % as about 40 % and 20 % as about 30 %. Go by its order more "
            "than by its percentages.",
        ),
        (
            [(0.5, 0.4), (0.2, 0.1)],
            "It runs high: read 50 % as about 40 % and 20 % as about 10 %. Go by its order more",
        ),
    ],
)
def test_where_it_runs_high_or_low_it_says_how_to_read_it(pairs: list[tuple[float, float]], words: str):
    assert how_to_read(tenths_off(*pairs), is_only_order=False).replace("\N{NO-BREAK SPACE}", " ").startswith(words)
    told = how_to_read(tenths_off(*pairs), is_only_order=True)
    assert told == "" or told.endswith("Go by its order more than by its percentages.")
    assert "percentages hold" not in told


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (
            (0.09, 0.08),
            "No single fact of 61 that it looks at decides. The strongest: Logins in the last 0 days (9 %), then",
        ),
        ((0.5, 0.1), "Most of all (50 %) Logins in the last 0 days, then Logins in the last 1 days."),
    ],
)
def test_most_of_all_is_said_of_what_decides(shares: tuple[float, float], words: str):
    facts = rich()
    facts["drivers"] = [{**row, "share": share} for row, share in zip(facts["drivers"], shares, strict=False)]
    assert words in Page(card_page(facts)).text


def test_a_fits_card_speaks_to_people_until_the_analyst_s_part():
    """No raw column names, flags or terms of the trade above it; every column by its name below."""
    frame = panel(entities=300, points=14).drop("true_log_odds")
    said = frame.with_columns(
        told_afterwards=pl.when("is_gone_90d").then(pl.lit("by phone")),
        currency=pl.lit("EUR"),
        always_here=pl.lit(True),
    )
    result = fit_prediction(said, question(segments=("segment",)))
    words = {"about": "Who leaves, and why.", "rows_word": "accounts", "yes_words": "leave within 90 days"}
    text = Page(card_of_fit(result, words)).text
    above, below = text.split("For the analyst")
    jargon = r".{30}(?:\w_\w|--\w|log.odds|calibrat|weighted|snapshot|forerunner|chance explains|entit).{30}"
    assert re.findall(jargon, above) == []
    assert "“" not in above or "told_afterwards" not in above
    assert "Of 100 accounts that this model ranks highest, about " in above
    assert " leave within 90 days; of all accounts, " in above
    assert "The first tenth of the list holds " in above and "Only amounts in EUR are counted." in above
    assert "Told afterwards" in above and "told_afterwards" in below and "always_here" in below


def test_accounts_at_several_dates_are_told_as_rows_of_so_many_accounts():
    facts = rich()
    assert "Tested on 4,000 customers whose outcome it had not seen." in Page(card_page(facts)).text
    several = Page(card_page({**facts, "n_holdout_entities": 700})).text
    assert "Tested on 700 customers whose outcome it had not seen (4,000 cases: most at several dates)." in several
    rows = Page(card_page({**facts, "rows_word": None, "n_holdout_entities": 700})).text
    assert "Tested on 4,000 rows whose outcome it had not seen." in rows


def test_a_rare_outcome_is_told_of_more_than_a_hundred():
    facts = rich(60_000, base=-6.0)
    assert facts["base_rate"] < 0.0095
    text = Page(card_page(facts)).text
    assert "Of 1,000 customers that this model ranks highest" in text
    assert f"of all customers, {round(1_000 * facts['base_rate'])} do" in text


def test_many_classes_show_the_weakest_and_the_most_frequent_mistakes():
    few, many = Page(card_page(many_classes(5))), Page(card_page(many_classes(77)))
    assert "the diagonal is right" in few.text
    assert "the diagonal is right" not in many.text
    assert "The 12 weakest of 77 are shown." in many.text
    assert "topic 76" in many.text
    assert "Of 100 tickets, it puts about 82 in the right class" in few.text


def test_it_is_fast():
    """50 ms at most; the fastest of a few, so that neighbours on the machine do not decide."""
    facts, taken = {**rich(), **{key: many_classes(12)[key] for key in ("classes", "confusion")}}, []
    for _ in range(15):
        start = time.thread_time()
        card_page(facts)
        taken.append(time.thread_time() - start)
    assert min(taken) < 0.05


@given(st.floats(0, 1), st.integers(1, 10**9))
def test_the_interval_holds_the_rate(rate: float, rows: int):
    low, high = rate_interval(rate * rows, rows)
    assert 0 <= low <= rate + 1e-9 and rate - 1e-9 <= high <= 1


@given(st.floats(1e-6, 1))
def test_an_axis_holds_what_it_shows(most: float):
    limit = end(most)
    assert most <= limit <= 1
    assert len(ticks(limit)) <= 7
    plot = Plot("key", "title", "text", "across", "up", limit, limit)
    assert plot.x(0) <= plot.x(most) <= plot.x(limit)
    assert plot.y(0) >= plot.y(most) >= plot.y(limit)


def test_percent_keeps_small_shares_readable():
    shown = [percent(share).replace("\N{NO-BREAK SPACE}", " ") for share in (0, 0.0026, 0.034, 0.0996, 0.52, 1)]
    assert shown == ["0 %", "0.26 %", "3.4 %", "10 %", "52 %", "100 %"]
