"""Mistakes in the YAML of predictions: each with file and line, in words, before anything is loaded."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.components.declared.documents import YamlMistakes
from pipelines.components.prediction import Prediction
from pipelines.components.validation import read_components, require_valid_yaml
from pipelines.locking import LockTimeoutError, run_lock
from pipelines.settings import project_root
from pipelines.transformation.known_tables import Table, built_columns, known_tables

CHURN = """\
type: pipelines.components.prediction.Prediction
attributes:
  name: churn
  description: Who leaves.
  owner: team:success
  entity: account_id
  features: account_snapshots
  outcomes: account_outcomes
  target: is_churned_90d
  horizon_days: 90
  population: is_customer
  value: arr
  publish:
    table: churn_scores
    described_by: accounts
    columns: [account_name, currency]
"""
FILE = "assets/predictions/churn/defs.yaml"
TABLES = {
    "features.account_snapshots": Table(
        {
            **{"account_id": "VARCHAR", "as_of_date": "DATE", "is_customer": "BOOLEAN", "arr": "DOUBLE"},
            **{"segment": "VARCHAR", "tickets_count_28d": "BIGINT", "notes": "VARCHAR", "custom_tier": "VARCHAR"},
        },
        is_complete=True,
        is_model=True,
    ),
    "features.account_outcomes": Table(
        {"account_id": "VARCHAR", "as_of_date": "DATE", "is_churned_90d": "BOOLEAN", "plan_after": "VARCHAR"},
        is_complete=True,
        is_model=True,
    ),
    "core.accounts": Table(
        {"account_id": None, "account_name": None, "currency": None}, is_complete=True, is_model=True
    ),
    "core.flat": Table({"account_id": "VARCHAR", "is_gone": "BOOLEAN", "seen_at": "TIMESTAMP"}, is_complete=True),
    "published.accounts": Table({"account_id": "VARCHAR"}, is_complete=True, is_model=True),
}


def project(root: Path, **texts: str) -> Path:
    """A project that has nothing but these predictions."""
    for name, text in texts.items():
        path = root / "assets" / "predictions" / name / "defs.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return root


def mistakes(root: Path, text: str, tables: dict[str, Table] = TABLES) -> list[str]:
    project(root, churn=text)
    try:
        require_valid_yaml(root, lambda: tables)
    except YamlMistakes as problem:
        return str(problem).splitlines()
    return []


def changed(old: str, new: str) -> str:
    assert CHURN.count(old) == 1, old
    return CHURN.replace(old, new)


def test_what_is_right_is_not_refused(tmp_path: Path):
    assert mistakes(tmp_path, CHURN) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (
            *("is_churned_90d", "is_churnd_90d", 9),
            "target 'is_churnd_90d' is no column of features.account_outcomes; did you mean 'is_churned_90d'?",
        ),
        ("entity: account_id", "entity: accountid", 6, "entity 'accountid' is no column of features.account_snapshots"),
        ("value: arr", "value: ar", 12, "value 'ar' is no column of features.account_snapshots; did you mean 'arr'?"),
        (
            "value: arr",
            "value: segment",
            12,
            "value 'segment' of features.account_snapshots is VARCHAR; it must be a num",
        ),
        ("value: arr", "text: [notes, nots]", 12, "text 'nots' is no column"),
        ("value: arr", "text:\n    - notes\n    - arr", 14, "text 'arr' of features.account_snapshots is DOUBLE"),
        ("value: arr", "exclude: [segmnt]", 12, "exclude 'segmnt' is no column"),
        ("value: arr", "exclude: ['seg*']\n  relative_to: arr", 13, "relative_to 'arr' is for `task: amount`"),
        (
            "value: arr",
            "task: ordered",
            9,
            "target 'is_churned_90d' of features.account_outcomes is BOOLEAN, which has no",
        ),
        (
            "is_churned_90d",
            "plan_after\n  task: ordered",
            9,
            "is VARCHAR: name its levels from the lowest to the highest",
        ),
        ("value: arr", "task: ordered\n  levels: [1, 2]", 13, "levels has 2; it can have 3 to 11"),
        ("value: arr", "task: ordered\n  levels: [1, 2, 1]", 13, "levels has '1' twice"),
        ("value: arr", "levels: [low, mid, top]", 12, "levels are for `task: ordered`; leave them out"),
        (
            "value: arr",
            "task: ordered\n  levels: [no, so, yes]",
            13,
            "levels: False is no level; write a text in quotes",
        ),
        ("value: arr", "task: ordered\n  levels: low", 13, "levels must be a list, such as [low]"),
        ("value: arr", "relative_to: segment", 12, "relative_to 'segment' of features.account_snapshots is VARCHAR"),
        ("value: arr", "segments:\n    - segment\n    - plan", 14, "segments 'plan' is no column"),
        ("value: arr", "exclude: [account_id]", 12, "exclude 'account_id' is never a feature"),
        ("value: arr", "text: [notes]\n  exclude: [notes]", 12, "text 'notes' is excluded, too"),
        (
            "is_customer",
            "is_costumer and arr > 0",
            11,
            "population: 'is_costumer' is no column of features.account_snap",
        ),
        ("is_customer", "is_customer and", 11, "population is no SQL condition: syntax error"),
        (
            *("value: arr", "rule:\n    - {when: arrr > 0, points: 1, because: x}", 13),
            "when: 'arrr' is no column of features.account_snapshots; did you mean 'arr'?",
        ),
        (
            "value: arr",
            "rule:\n    - when: arr >\n      points: 1\n      because: x",
            13,
            "when is no SQL condition: syntax",
        ),
        (
            "value: arr",
            "rule:\n    - {when: arr > 0, points: many, because: x}",
            13,
            "points must be a number, not 'many'",
        ),
        (
            "value: arr",
            "rule:\n    - {when: arr > 0, points: 1, becuase: x}",
            13,
            "there is no attribute 'becuase'; did",
        ),
        ("value: arr", "rule:\n    - {when: arr > 0, points: 1}", 13, "'because' is missing: the reason in words"),
        ("value: arr", "rule:\n    - {when: '', points: 1, because: x}", 13, "when is empty"),
        (
            *("value: arr", "task: ordered\n  rule:\n    - {when: arr > 0, points: 1, because: x}", 13),
            "a rule says how likely a yes is, and `task: ordered` asks for something else",
        ),
        (
            *("    columns: [account_name, currency]", "    features: [segmnt]", 16),
            "column 'segmnt' is no column of features.account_snapshots; did you mean 'segment'?",
        ),
        (
            *("    columns: [account_name, currency]", "    row_count_range: [2, 3]", 16),
            "row_count_range is [2.0, 3.0]; give two multiples",
        ),
        (
            *("    columns: [account_name, currency]", "    from_scores: {renewal: {probability: p}}", 16),
            "from_scores 'renewal' is no other prediction",
        ),
        (
            *("    columns: [account_name, currency]", "    from_scores: {renewal: {probabilty: p}}", 16),
            "from_scores can show no 'probabilty'; did you mean 'probability'?",
        ),
        ("is_customer", "true; drop table x", 11, "population is no SQL condition: syntax error"),
        ("is_customer", "1=1) union (select 1", 11, "population is no SQL condition: give what stands after `where`"),
        (
            "account_snapshots",
            "account_snapshot",
            7,
            "features 'account_snapshot' is no table of the schema features; did",
        ),
        ("account_snapshots", "cor.flat", 7, "features 'cor.flat': there is no schema 'cor'; did you mean 'core'?"),
        ("account_snapshots", "a.b.c", 7, "features 'a.b.c' must be a model's name or `schema.table`"),
        (
            "account_outcomes",
            "account_outcome",
            8,
            "outcomes 'account_outcome' is no table of the schema features; did",
        ),
        (
            "described_by: accounts",
            "described_by: acounts",
            15,
            "described_by 'acounts' is no table of the schema core",
        ),
        ("    described_by: accounts\n", "", 15, "columns are those of `described_by`, which is missing"),
        (
            "    columns: [account_name, currency]",
            "    private: [emial]",
            16,
            "column 'emial' is no column of core.accounts",
        ),
        (
            "    columns: [account_name, currency]",
            "    columns: [currency]\n    private: [currency]",
            17,
            "private 'currency' is in `columns`, too: leave one of them out",
        ),
        (
            "    described_by: accounts\n    columns: [account_name, currency]",
            "    private: [account_name]",
            15,
            "private are those of `described_by`, which is missing",
        ),
        (
            "    columns: [account_name, currency]",
            "    link: Account URL",
            16,
            "link is 'Account URL'; use lower-case letters, digits and underscores, a letter first",
        ),
        (
            "account_name",
            "acount_name",
            16,
            "column 'acount_name' is no column of core.accounts; did you mean 'account_n",
        ),
        (
            "is_churned_90d",
            "plan_after",
            9,
            "target 'plan_after' of features.account_outcomes is VARCHAR, and a yes_no",
        ),
        ("is_churned_90d", "account_id", 9, "target and entity are both 'account_id'"),
        ("is_churned_90d", "yes", 9, "target must be a text, not True"),
        ("horizon_days: 90", "horizon: 90", 10, "there is no attribute 'horizon'; did you mean 'horizon_days'?"),
        ("horizon_days: 90", "horizon_days: ninety", 10, "horizon_days must be a whole number, not 'ninety'"),
        ("horizon_days: 90", "horizon_days: -1", 10, "horizon_days is -1; it must be 0 or more"),
        ("horizon_days: 90", "min_rows: 0\n  horizon_days: 90", 10, "min_rows is 0; it must be 1 or more"),
        ("value: arr", "max_calibration_error: 1.5", 12, "max_calibration_error is 1.5; it must be between 0 and 1"),
        ("value: arr", "task: regression", 12, "task is 'regression'; use yes_no or classes or ordered or amount"),
        ("value: arr", "text: notes", 12, "text must be a list, such as [notes], not 'notes'"),
        ("value: arr", "as_of: null", 10, "horizon_days counts from `as_of`, which is null"),
        ("value: arr", "as_of: arr", 12, "as_of 'arr' of features.account_snapshots is DOUBLE; it must be a date"),
        ("  horizon_days: 90\n", "", 2, "'horizon_days' is missing: days after as_of_date until the answer is known"),
        ("  target: is_churned_90d\n", "", 2, "'target' is missing: column with the answer"),
        ("    table: churn_scores\n", "", 13, "'table' is missing: name in the schema `published`"),
        ("team:success", "success", 5, "owner 'success' must be an e-mail address or `team:<name>`"),
        ("churn_scores", "Churn Scores", 14, "table is 'Churn Scores'; use lower-case letters"),
        ("table: churn_scores", "table: model_runs", 14, "table 'model_runs' is one that the pipeline itself makes"),
        ("table: churn_scores", "table: release", 14, "table 'release' is one that the pipeline itself makes"),
        ("table: churn_scores", "table: accounts", 14, "table 'accounts' is one that a dbt model makes"),
        (
            "Prediction\n",
            "Prediktion\n",
            1,
            "there is no component pipelines.components.prediction.Prediktion; did",
        ),
        (
            "type: pipelines.components.prediction.Prediction\n",
            "",
            1,
            "`type: pipelines.components.prediction.Predic",
        ),
        (
            "Prediction\n",
            "Prediction\nattribute: 1\n",
            2,
            "there is no key 'attribute' here; did you mean 'attributes'?",
        ),
        ("attributes:\n", "attributes\n", 3, "check the indentation and the colons"),
        ("  value: arr\n", "  value: arr\n  target: x\n", 13, "'target' is given twice, here and in line 9"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, words: str):
    found = mistakes(tmp_path, changed(old, new))
    assert any(each.startswith(f"{FILE}:{line}: ") and words in each for each in found), found
    assert all(each.startswith(f"{FILE}:") for each in found)


def test_a_link_of_records_that_have_none_is_named(tmp_path: Path):
    text = changed("described_by: accounts", "link: post_url").replace("account_id", "post_id")
    known = "account_id, lead_id, opportunity_id, ticket_id"
    assert f"{FILE}:15: link: only records of {known} have one, not those of post_id" in (
        mistakes(tmp_path, text.replace("    columns: [account_name, currency]\n", ""))
    )


def test_all_mistakes_are_told_at_once(tmp_path: Path):
    text = changed("horizon_days: 90", "horizon: -1").replace("owner: team:success", "min_rows: 0")
    assert [each.split(":")[1] for each in mistakes(tmp_path, text)] == ["5", "10"]


def test_two_predictions_of_one_name_or_table_name_each_other(tmp_path: Path):
    project(tmp_path, churn=CHURN, again=CHURN.replace("Who leaves", "Who goes"))
    with pytest.raises(YamlMistakes) as refused:
        require_valid_yaml(tmp_path, lambda: TABLES)
    assert str(refused.value).splitlines() == [
        f"{FILE}:3: name 'churn' is taken by assets/predictions/again/defs.yaml:3; every model has its own",
        f"{FILE}:14: table 'churn_scores' is taken by assets/predictions/again/defs.yaml:14; every table has its own",
    ]


def test_the_money_at_stake_is_that_of_a_prediction_of_amounts_for_the_same_entity(tmp_path: Path):
    valued = changed("value: arr", "value: arr\n  value_from: deal_amount")
    spend = valued.replace("name: churn", "name: deal_amount").replace("table: churn_scores", "table: deal_amounts")
    spend = spend.replace("\n  value_from: deal_amount", "").replace("target: is_churned_90d", "target: days_left")
    amount = spend.replace("value: arr", "task: amount")
    tables = dict(TABLES)
    outcomes = TABLES["features.account_outcomes"]
    tables["features.account_outcomes"] = replace(outcomes, columns={**outcomes.columns, "days_left": "DOUBLE"})
    require_valid_yaml(project(tmp_path / "right", churn=valued, amount=amount), lambda: tables)
    for place, other in (("is none", spend), ("other", amount.replace("name: deal_amount", "name: deal_amounts"))):
        with pytest.raises(YamlMistakes) as problem:
            require_valid_yaml(project(tmp_path / place, churn=valued, amount=other), lambda: tables)
        (told,) = [line for line in str(problem.value).splitlines() if "value_from" in line]
        assert "value_from 'deal_amount' is no prediction with `task: amount` for account_id" in told
    assert told.endswith("; did you mean 'deal_amounts'?")
    alone = changed("value: arr", "value_from: deal_amount")
    with pytest.raises(YamlMistakes, match="value_from needs `value`"):
        require_valid_yaml(project(tmp_path / "alone", churn=alone, amount=amount), lambda: tables)


def test_scores_of_another_prediction_are_found_by_its_key(tmp_path: Path):
    shown = changed(
        "    columns: [account_name", "    from_scores: {gone: {probability: p}}\n    columns: [account_name"
    )
    other = CHURN.replace("name: churn", "name: gone").replace("table: churn_scores", "table: gone_scores")
    require_valid_yaml(project(tmp_path / "right", churn=shown, gone=other), lambda: TABLES)
    flat = other.replace("account_snapshots", "core.flat").replace("entity: account_id", "entity: seen_at")
    flat = flat.replace("  outcomes: account_outcomes\n", "").replace("is_churned_90d", "is_gone")
    flat = flat.replace("  horizon_days: 90\n  population: is_customer\n  value: arr\n", "  as_of: null\n")
    with pytest.raises(YamlMistakes) as problem:
        require_valid_yaml(project(tmp_path / "no key", churn=shown, gone=flat), lambda: TABLES)
    assert f"{FILE}:16: from_scores 'gone' is about seen_at, which is no column of core.accounts" in str(problem.value)


def test_a_forecast_shares_the_names(tmp_path: Path):
    project(tmp_path, churn=CHURN.replace("name: churn", "name: company_forecast"))
    forecast = tmp_path / "assets" / "forecasts" / "company" / "defs.yaml"
    forecast.parent.mkdir(parents=True)
    text = (project_root() / "assets" / "forecasts" / "company" / "defs.yaml").read_text()
    forecast.write_text(text.replace("table: forecasts", "table: churn_scores"))
    with pytest.raises(YamlMistakes) as refused:
        require_valid_yaml(tmp_path, lambda: TABLES)
    assert "name 'company_forecast' is taken by assets/forecasts/company/defs.yaml:3" in str(refused.value)
    assert "table 'churn_scores' is taken by assets/forecasts/company/defs.yaml:" in str(refused.value)


FORECAST = """\
type: pipelines.components.forecast.Forecast
attributes:
  name: company
  description: Where it goes.
  owner: team:finance
  series: metric_series
  metrics:
    bookings: sum
    recurring_revenue: last
  frequency: W
  horizon: 13
  prophet: totals
  holidays: [DE, US]
  publish:
    table: forecasts
"""
FORECAST_FILE = "assets/forecasts/company/defs.yaml"
SERIES = {"metric": "VARCHAR", "segment": "VARCHAR", "metric_date": "DATE", "value": "DOUBLE", "currency": "VARCHAR"}
WITH_SERIES = {**TABLES, "features.metric_series": Table(SERIES, is_complete=True, is_model=True)}


def forecast_mistakes(root: Path, text: str, tables: dict[str, Table] = WITH_SERIES) -> list[str]:
    try:
        require_valid_yaml(root, lambda: tables, {FORECAST_FILE: text})
    except YamlMistakes as problem:
        return str(problem).splitlines()
    return []


def test_a_forecast_that_is_right_is_not_refused(tmp_path: Path):
    assert forecast_mistakes(tmp_path, FORECAST) == []
    short = [line for line in FORECAST.splitlines() if not line.startswith(("  freq", "  hor", "  pro", "  hol"))]
    assert forecast_mistakes(tmp_path, "\n".join(short)) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("frequency: W", "frequency: M", 10, "frequency is 'M'; use W"),
        ("prophet: totals", "prophet: prophett", 12, "prophet is 'prophett'; use totals or all or none"),
        ("prophet: totals", "prophet: totls", 12, "use totals or all or none; did you mean 'totals'?"),
        ("prophet: totals", "prophett: all", 12, "there is no attribute 'prophett'; did you mean 'prophet'?"),
        ("horizon: 13", "horizon: 0", 11, "horizon is 0; it must be 1 or more"),
        ("horizon: 13", "horizon: a quarter", 11, "horizon must be a whole number, not 'a quarter'"),
        ("bookings: sum", "bookings: summ", 8, "bookings is 'summ'; use sum or last; did you mean 'sum'?"),
        ("\n    bookings: sum\n    recurring_revenue: last", " {}", 7, "metrics is empty: give at least one"),
        ("holidays: [DE, US]", "holidays: [DE, Germany]", 13, "holidays 'Germany' is no country that we know the hol"),
        ("holidays: [DE, US]", "holidays: DE", 13, "holidays must be a list, such as [DE], not 'DE'"),
        (
            *("series: metric_series", "series: metrics_series", 6),
            "series 'metrics_series' is no table of the schema features; did you mean 'metric_series'?",
        ),
        (
            "series: metric_series",
            "series: account_outcomes",
            6,
            "series 'account_outcomes' has no column metric, the m",
        ),
        ("  series: metric_series\n", "", 2, "'series' is missing: model in the schema `features`"),
        ("table: forecasts", "table: Our Forecasts", 15, "table is 'Our Forecasts'; use lower-case letters"),
        ("table: forecasts", "table: forecast_accuracy", 15, "table 'forecast_accuracy' is one that the pipeline itse"),
        ("table: forecasts", "table: accounts", 15, "table 'accounts' is one that a dbt model makes"),
        ("name: company", "name: Our company", 3, "name is 'Our company'; use lower-case letters"),
        ("team:finance", "finance", 5, "owner 'finance' must be an e-mail address or `team:<name>`"),
        ("Forecast\n", "Forcast\n", 1, "there is no component pipelines.components.forecast.Forcast; did you mean"),
    ],
)
def test_a_mistake_in_a_forecast_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, words: str):
    assert FORECAST.count(old) == 1
    found = forecast_mistakes(tmp_path, FORECAST.replace(old, new))
    assert any(each.startswith(f"{FORECAST_FILE}:{line}: ") and words in each for each in found), found
    assert all(each.startswith(f"{FORECAST_FILE}:") for each in found)


def test_a_series_of_other_types_is_told(tmp_path: Path):
    wrong = Table({**SERIES, "metric_date": "VARCHAR", "value": "VARCHAR"}, is_complete=True)
    assert forecast_mistakes(tmp_path, FORECAST, {**WITH_SERIES, "features.metric_series": wrong}) == [
        f"{FORECAST_FILE}:6: metric_date of series 'metric_series' is VARCHAR; it must be the day, a date",
        f"{FORECAST_FILE}:6: value of series 'metric_series' is VARCHAR; it must be a number",
    ]


def test_two_forecasts_may_not_make_one_table(tmp_path: Path):
    again = FORECAST.replace("name: company", "name: other")
    with pytest.raises(YamlMistakes) as refused:
        require_valid_yaml(
            tmp_path, lambda: WITH_SERIES, {FORECAST_FILE: FORECAST, "assets/forecasts/other/defs.yaml": again}
        )
    assert str(refused.value) == (
        f"assets/forecasts/other/defs.yaml:15: table 'forecasts' is taken by {FORECAST_FILE}:15; "
        "every table has its own"
    )


@pytest.mark.parametrize(
    "text",
    [
        changed("  outcomes: account_outcomes\n", "")
        .replace("account_snapshots", "core.flat")
        .replace(
            "is_churned_90d\n  horizon_days: 90\n  population: is_customer\n  value: arr", "is_gone\n  as_of: null"
        ),
        changed("  outcomes: account_outcomes\n", "")
        .replace("account_snapshots", "core.flat")
        .replace(
            "is_churned_90d\n  horizon_days: 90\n  population: is_customer\n  value: arr",
            "is_gone\n  as_of: seen_at\n  horizon_days: 30",
        ),
        changed("is_churned_90d", "plan_after\n  task: classes"),
        changed("features: account_snapshots", "features: raw_crm.account"),
        changed("value: arr", "exclude: [custom_comes_with_the_next_export]"),
        changed(
            "is_customer", "IS_CUSTOMER and snapshots.arr > (select avg(x) from elsewhere) and len(notes) > 3 -- all"
        ),
        changed("is_customer", "segment <> 'it''s'"),
        "# nothing but a comment\n",
        "post_processing: {}\n",
    ],
    ids=["no time", "another date", "classes", "raw", "custom field", "sql", "quotes", "comment", "no component"],
)
def test_what_can_be_meant_is_not_refused(tmp_path: Path, text: str):
    assert mistakes(tmp_path, text) == []


def test_columns_that_nobody_can_know_yet_are_left_to_the_run(tmp_path: Path):
    """A snapshot model whose features dbt generates, and no warehouse."""
    tables = {**TABLES, "features.account_snapshots": Table({"account_id": None, "as_of_date": None})}
    assert mistakes(tmp_path, changed("value: arr", "value: invoices_amount_sum_28d"), tables) == []


def test_a_column_that_only_the_sql_names_is_no_mistake(tmp_path: Path):
    """An outcome that was just added to the model, and not yet built or described."""
    known = Table({"account_id": None, "as_of_date": None}, is_complete=True, words=frozenset({"is_expanded_90d"}))
    tables = {**TABLES, "features.account_outcomes": known}
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    assert mistakes(tmp_path / "right", changed("is_churned_90d", "is_expanded_90d"), tables) == []
    assert "'is_expandd_90d'" in mistakes(tmp_path / "wrong", changed("is_churned_90d", "is_expandd_90d"), tables)[0]


@given(st.text(max_size=300))
@example("0000-0-0 0:00:00")
def test_any_text_is_either_read_or_refused_with_a_line(text: str):
    try:
        read_components(project_root(), {FILE: text})
    except YamlMistakes as problem:
        assert all(each.rsplit(".yaml:", 1)[1][0].isdigit() for each in str(problem).splitlines() if ".yaml:" in each)
        assert problem.mistakes


@given(
    st.sampled_from(sorted(Prediction.model_fields)),
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=2)
    ),
)
def test_any_value_of_any_attribute_is_either_taken_or_refused_in_words(name: str, value: object):
    import yaml

    document = yaml.safe_load(CHURN)
    document["attributes"][name] = value
    try:
        read_components(project_root(), {FILE: yaml.safe_dump(document, sort_keys=False)})
    except YamlMistakes as problem:
        assert all("pydantic" not in str(each) and "Traceback" not in str(each) for each in problem.mistakes)


def test_the_yaml_of_this_project_is_right():
    assert {component.name for _, component in read_components(project_root())} >= {"churn", "lead_score", "company"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("create schema core; create table core.accounts (account_id varchar, seats bigint)")
    return tmp_path


def test_columns_come_from_the_warehouse(data: Path):
    assert built_columns() == {"core.accounts": {"account_id": "VARCHAR", "seats": "BIGINT"}}
    assert not (data / "warehouse.duckdb.wal").exists()


def test_without_a_warehouse_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    assert built_columns() == {}
    assert list(tmp_path.iterdir()) == []


def test_a_look_does_not_wait_for_a_run_that_holds_the_warehouse(data: Path):
    with run_lock(data / "warehouse.lock", "a run"):
        started = time.monotonic()
        assert built_columns() == {}
        assert time.monotonic() - started < 1


def test_a_look_leaves_a_writer_without_the_lock_alone(data: Path):
    """dbt, called by hand."""
    writer = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", writer, str(data / "warehouse.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "open\n"
        assert built_columns() == {}
        process.communicate("\n")
    assert built_columns()


def test_a_run_that_starts_meanwhile_is_never_locked_out(data: Path):
    """Looks all the time, while runs take the lock and write: none of them fails."""
    failures = []
    program = """
import sys, time
from pipelines.transformation.known_tables import built_columns
print('looking', flush=True)
end = time.monotonic() + float(sys.argv[1])
seen = 0
while time.monotonic() < end:
    seen += bool(built_columns())
print(seen)
"""
    looker = subprocess.Popen(
        [sys.executable, "-c", program, "4"], stdout=subprocess.PIPE, text=True, cwd=project_root(), env=os.environ
    )
    assert looker.stdout.readline() == "looking\n"
    written = 0
    while looker.poll() is None:
        try:
            with (
                run_lock(data / "warehouse.lock", "a run", timeout=30),
                duckdb.connect(str(data / "warehouse.duckdb")) as connection,
            ):
                connection.execute("insert into core.accounts values ('a', 1)")
                written += 1
        except (duckdb.Error, LockTimeoutError) as problem:
            failures.append(problem)
        time.sleep(0.01)
    assert not failures
    assert written > 0
    assert int(looker.communicate()[0]) > 0


PROJECT = ["assets", "pipelines", "dbt_project", "pyproject.toml", "workspace.yaml", "dagster.yaml", "sources.yaml"]


@pytest.mark.slow
def test_commands_say_it_in_plain_lines_and_the_ui_gets_the_message(tmp_path: Path):
    """A copy of the project, once with a wrong column and once with a wrong key."""
    root, data = tmp_path / "project", tmp_path / "data"
    for item in PROJECT:
        copy = shutil.copytree if (project_root() / item).is_dir() else shutil.copy
        root.mkdir(exist_ok=True)
        copy(project_root() / item, root / item)
    data.mkdir()
    (data / "landing").mkdir()
    (data / "landing" / "mine.csv").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(root), "SCORECAST_DATA": str(data)}
    file = root / FILE
    right = file.read_text()

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, timeout=300
        )

    file.write_text(right.replace("is_churned_90d", "is_churnd_90d"))
    said = f"{FILE}:9: target 'is_churnd_90d' is no column of features.account_outcomes; did you mean 'is_churned_90d'?"
    run = call("-m", "pipelines.commands.main", "run")
    assert (run.returncode, run.stderr.strip()) == (2, said)
    assert "Traceback" not in run.stdout
    shown = call(
        "-c",
        "from dagster._core.workspace.context import WorkspaceProcessContext\n"
        "from dagster._core.workspace.load_target import WorkspaceFileTarget\n"
        "import dagster as dg\n"
        "with dg.DagsterInstance.local_temp() as instance:\n"
        "    target = WorkspaceFileTarget(paths=['workspace.yaml'])\n"
        "    with WorkspaceProcessContext(instance, target) as process:\n"
        "        (entry,) = process.create_request_context().get_code_location_entries().values()\n"
        "        print(entry.load_error.message)\n",
    )
    assert said in shown.stdout, shown.stderr

    file.write_text(right.replace("horizon_days", "horizon"))
    run = call("-m", "pipelines.commands.main", "run")
    told = f"{FILE}:10: there is no attribute 'horizon'; did you mean 'horizon_days'?"
    assert (run.returncode, run.stderr.strip()) == (2, told)


@pytest.mark.slow
def test_a_look_at_the_project_takes_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Once dbt has parsed: processor time, since other tests may be running. A forecast's series is looked up, too."""
    monkeypatch.setenv("SCORECAST_DATA", str(tmp_path))
    known_tables()
    started = time.process_time()
    require_valid_yaml(project_root(), known_tables)
    assert time.process_time() - started < 0.6
    assert json.loads((tmp_path / "dbt" / "parsed_manifest.json").read_text())["nodes"]
    example = (project_root() / "assets" / "predictions" / "deal_amount" / "defs.yaml").read_text()
    with pytest.raises(YamlMistakes, match="did you mean 'won_amount_90d'"):
        wrong = example.replace("won_amount_90d", "won_amount_60d")
        require_valid_yaml(project(tmp_path / "wrong", deal_amount=wrong), known_tables)
