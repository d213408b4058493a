"""Every column that Python publishes is described, by the names that the tables really have."""

from pathlib import Path

import duckdb
import pytest

from pipelines.database import comment_on, comments
from pipelines.publishing.descriptions import COLUMNS, EVERYWHERE, TABLES, description_of
from pipelines.publishing.states import SCORE_HISTORY
from pipelines.track_record.health import MODEL_HEALTH
from pipelines.track_record.score_history import SCORE_OUTCOMES, UPLIFT

KNOWN = {
    "score_outcomes": SCORE_OUTCOMES,
    "uplift": UPLIFT,
    "model_health": MODEL_HEALTH,
    "score_history": SCORE_HISTORY,
}


@pytest.mark.parametrize("table", KNOWN)
def test_the_columns_that_a_table_has_are_those_that_are_described(table: str):
    assert [column for column in KNOWN[table] if not description_of(table, column)] == []
    assert set(COLUMNS[table]) <= {*KNOWN[table], "release_id"}, "described, and not there"
    assert TABLES[table]


def test_a_name_that_says_it_all_needs_no_table():
    assert description_of("any", "probability_large") == "How likely the class large is, from 0 to 1."
    assert description_of("any", "points_fit") == "What the columns of the group 'fit' add to the log-odds."
    assert description_of("any", "release_id") == EVERYWHERE["release_id"]
    assert description_of("any", "whatever") is None


def test_comments_survive_odd_words_and_names(tmp_path: Path):
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute('create table "a""b" ("c d" int, "e\'f" int, plain int)')
        comment_on(connection, '"a""b"', "it's", {"c d": "it's; --\n'x'", "e'f": "ü"})
        assert comments(connection, "main", 'a"b') == {"c d": "it's; --\n'x'", "e'f": "ü"}
