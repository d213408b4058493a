"""The answer column: one answer however it is spelt, words for "not known", and answers that are still open."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from pipelines.any_table.answers import AnswerMistake, answers_in, likely_question, only_decided
from pipelines.commands.main import app


def column(*values: object, dtype: pl.DataType | None = None) -> pl.Series:
    return pl.Series("answer", values, dtype=dtype)


@pytest.mark.parametrize(
    ("values", "answers"),
    [
        (["Yes", "Yes", "yes", "YES ", "No", "No", "no"], ["Yes", "Yes", "Yes", "Yes", "No", "No", "No"]),
        (["yes", "yes", "y", "true", "no", "no", "F"], ["yes", "yes", "yes", "yes", "no", "no", "no"]),
        (["1.0", "1.0", "1", "0", "0.0"], ["1", "1", "1", "0", "0"]),
        (["Yes", "No", "NULL", "N/A", "  ", "", None, "Unknown"], ["Yes", "No", *[None] * 6]),
        (["gold", "silver", "unknown", "n/a"], ["gold", "silver", "unknown", None]),
        (["Closed Won", "closed  won", "Closed Won", "Lost"], ["Closed Won", "Closed Won", "Closed Won", "Lost"]),
        (["01", "1", "1.0"], ["01", "1", "1.0"]),
        (["NA", "EU", "AP", "LA"], ["NA", "EU", "AP", "LA"]),
        ([1.0, 0.0, float("nan"), None], ["1", "0", None, None]),
        ([True, False, None], ["true", "false", None]),
    ],
)
def test_an_answer_has_one_spelling(values: list, answers: list):
    assert answers_in(column(*values)).values.to_list() == answers


def test_a_column_of_amounts_or_names_is_left_as_it_is():
    names = pl.Series("count", [f"Name {n}" for n in range(20_000)] + ["NULL"])
    found = answers_in(names)
    assert found.values.null_count() == 1 and len(found.counts) == 20_000
    assert found.same("name 7") == "Name 7"


def test_what_is_taken_for_one_answer_or_for_none_is_said():
    found = answers_in(column("Yes", "Yes", "yes", "No", "NULL", "NULL", "n/a"))
    assert found.notes == [
        "answer: 'Yes', 'yes' are one answer, 'Yes'.",
        "answer: 'NULL' (2 rows), 'n/a' (1 row) counts as no answer.",
    ]


@pytest.mark.parametrize(
    ("wanted", "answer"), [("YES", "Yes"), ("yes ", "Yes"), ("true", "Yes"), ("0.0", "No"), ("maybe", None)]
)
def test_an_answer_is_meant_however_it_is_written(wanted: str, answer: str | None):
    assert answers_in(column("Yes", "Yes", "yes", "No")).same(wanted) == answer


STAGES = ["Closed Won"] * 3 + ["Closed Lost"] * 2 + ["Prospecting"] * 2 + ["Negotiation"]


def test_stages_that_are_open_are_proposed_and_what_counts_as_no_is_named():
    decided, notes = only_decided(answers_in(column(*STAGES)), "Closed Won", ())
    assert decided.null_count() == 0
    assert notes == [
        "answer: 'Prospecting' (2 rows), 'Negotiation' (1 row) look still open, not like a no. With"
        ' --negative "Closed Lost" they are scored, not learnt from.',
        "answer: 'Closed Lost' (2 rows), 'Prospecting' (2 rows), 'Negotiation' (1 row) count as no; --negative names"
        " those that do, and the others are open.",
    ]


def test_stages_as_classes_are_proposed_as_a_question_of_yes_or_no():
    assert likely_question(answers_in(column(*STAGES))) == (
        'answer looks like a question of yes or no, with answers that are still open: --positive "Closed Won"'
        ' --negative "Closed Lost" asks that, and scores those that are open.'
    )
    assert '--positive "yes" --negative "no"' in likely_question(answers_in(column("yes", "no", "pending")))
    assert likely_question(answers_in(column("gold", "silver", "bronze"))) is None
    assert likely_question(answers_in(column("0", "1", "2", "3"))) is None


def test_with_a_no_all_others_are_open():
    decided, notes = only_decided(answers_in(column(*STAGES)), "Closed Won", ["closed lost"])
    assert decided.to_list() == ["Closed Won"] * 3 + ["Closed Lost"] * 2 + [None] * 3
    assert notes == ["answer: 'Prospecting' (2 rows), 'Negotiation' (1 row) are open."]


@pytest.mark.parametrize(
    ("negative", "words"), [("Closd Lost", "Did you mean 'Closed Lost'"), ("closed won", "cannot be yes")]
)
def test_a_no_that_there_is_not_is_refused(negative: str, words: str):
    with pytest.raises(AnswerMistake, match=words):
        only_decided(answers_in(column(*STAGES)), "Closed Won", [negative])


def deals(rows: int = 300) -> pl.DataFrame:
    """`won` goes with `size`; every third answer is not to be known."""
    generator = np.random.default_rng(7)
    size = generator.normal(size=rows).round(3)
    won = generator.random(rows) < 1 / (1 + np.exp(-1.5 * size))
    return pl.DataFrame({"deal": [f"d{n}" for n in range(rows)], "size": size, "won": np.where(won, "Yes", "No")})


def predicted(frame: pl.DataFrame, folder: Path, *options: str) -> tuple[dict, pl.DataFrame, str]:
    folder.mkdir()
    frame.write_csv(folder / "deals.csv")
    asked = ["predict", str(folder / "deals.csv"), "--target", "won", "--key", "deal", "--out", str(folder / "out")]
    result = CliRunner().invoke(app, [*asked, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    evaluation = json.loads((folder / "out" / "evaluation.json").read_text())
    return evaluation, pl.read_parquet(folder / "out" / "scores.parquet"), result.output


def test_a_table_with_answers_spelt_in_several_ways_gives_the_figures_of_the_clean_one(tmp_path: Path):
    third = pl.int_range(pl.len()) % 3 == 0
    unknown, spelt = pl.lit("").alias("won"), pl.col("won")
    clean = deals().with_columns(pl.when(third).then(unknown).otherwise(spelt).alias("won"))
    sixth = pl.int_range(pl.len()) % 6
    mixed = deals().with_columns(
        pl.when(sixth == 0).then(pl.lit("NULL")).when(sixth == 3).then(pl.lit("N/A"))
        .when(sixth == 1).then(spelt.str.to_uppercase()).when(sixth == 2).then(spelt.str.to_lowercase())
        .otherwise(spelt).alias("won")
    )  # fmt: skip
    figures, scores, _ = predicted(clean, tmp_path / "clean")
    same, other, output = predicted(mixed, tmp_path / "mixed", "--positive", "Yes")
    varying = ("notes", "seconds", "fit_seconds")
    assert {key: same[key] for key in same if key not in varying} == {
        key: figures[key] for key in figures if key not in varying
    }
    assert other.equals(scores)
    assert scores["deal"].to_list() == [f"d{n}" for n in range(0, 300, 3)]
    assert "100 rows of" in output and "they are scored, not learnt from" in output
