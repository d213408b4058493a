"""What every dbt model says of itself: what a row is, what each column means, and a test that holds it."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from pipelines.settings import dbt_project_dir

MODELS = dbt_project_dir() / "models"
WHAT_A_ROW_IS = {"grain", "unique_together", "unique"}
MAY_REPEAT = {
    *["account_evidence", "person_evidence"],
    *["account_records", "contact_records", "lead_records", "person_records"],
}
"""Tables whose rows are no things of their own: versions of records in their systems, and what speaks for each."""


def declared() -> dict[str, dict]:
    """Every model of the project's YAML files by name."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(MODELS.rglob("*.yml"))]
    return {model["name"]: model for file in files for model in file.get("models", [])}


DECLARED = declared()
WRITTEN = sorted(MODELS.rglob("*.sql"))


def names_of_tests(model: dict) -> set[str]:
    """Names of the tests of a model and of its columns."""
    places = [model, *model.get("columns", [])]
    tests = [test for place in places for test in place.get("data_tests", [])]
    return {test if isinstance(test, str) else next(iter(test)) for test in tests}


def is_table(path: Path) -> bool:
    """Whether a run stores the model's rows; staging models and those that say so are views."""
    return "staging" not in path.parts and "materialized='view'" not in path.read_text()


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_a_model_and_its_columns_are_described(path: Path):
    model = DECLARED.get(path.stem)
    assert model is not None, f"{path.name} is in no YAML beside it"
    assert model.get("description")
    assert model.get("columns")
    assert [column["name"] for column in model["columns"] if not column.get("description")] == []


@pytest.mark.parametrize("path", [path for path in WRITTEN if is_table(path)], ids=lambda path: path.stem)
def test_a_table_says_what_a_row_is_and_is_tested_for_it(path: Path):
    tests = names_of_tests(DECLARED[path.stem])
    assert tests, f"{path.stem} has no test"
    assert tests & WHAT_A_ROW_IS or path.stem in MAY_REPEAT, f"{path.stem} has no test of what a row is: {tests}"


def test_nothing_is_declared_that_is_not_there():
    assert set(DECLARED) - {path.stem for path in WRITTEN} == set()


def test_every_entity_that_a_table_names_is_tested_to_be_there():
    files = [yaml.safe_load(path.read_text()) for path in sorted(MODELS.rglob("*.yml"))]
    named = {
        entity["name"]
        for file in files
        for semantic_model in file.get("semantic_models", [])
        for entity in semantic_model["entities"]
        if entity["type"] == "foreign"
    }
    tests = [
        test["has_every_key"]["arguments"]["entity"]
        for model in DECLARED.values()
        for column in model["columns"]
        for test in column.get("data_tests", [])
        if "has_every_key" in test
    ]
    assert named
    assert named == set(tests)


def test_a_sentence_that_many_columns_share_stands_once():
    """It is a block of `macros/descriptions.md`, so that a better wording reaches every table; two words may repeat."""
    written = "\n".join(path.read_text() for path in MODELS.rglob("*.yml"))
    sentences = Counter(re.findall(r"description: (?!\"{{ doc\()(.+)", written))
    assert [words for words, times in sentences.items() if times >= 5 and len(words.split()) >= 3] == []
