"""The door to a second engine: what only DuckDB has stands in macros that say it twice."""

import re
from pathlib import Path

import jinja2
import pytest

from pipelines.settings import dbt_project_dir
from tests.dbt_project.engines import DUCKDB_MACRO, SPARK_FUNCTIONS, functions, not_portable, sources, spark_lacks

MACROS = "\n".join(text for path, text in sources().items() if path.startswith("macros/"))
FASTER_THAN_DBTS_OWN = {"get_create_view_as_sql", "diff_column_data_types"}
"""Of these, dbt has the form for other engines."""


@pytest.mark.parametrize("macro", sorted(set(DUCKDB_MACRO.findall(MACROS)) - FASTER_THAN_DBTS_OWN))
def test_what_is_said_for_duckdb_is_said_for_others_too(macro: str):
    assert re.search(rf"macro (default|spark)__{macro}\(", MACROS), f"duckdb__{macro} has no second form"
    assert f"adapter.dispatch('{macro}')" in MACROS


def test_the_second_forms_are_spark_sql():
    text = (dbt_project_dir() / "macros" / "types.sql").read_text()
    forms = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(text).module
    said = {
        "type_double": f"cast(x as {forms.default__type_double()})",
        "epoch_to_timestamp": f"{forms.default__epoch_to_timestamp('x', 1)}",
        "json_text": f"{forms.default__json_text('x', 'customer')}",
        "last_known": f"{forms.default__last_known('x', 'a', 'b')}",
    }
    assert set(said) == set(re.findall(r"macro default__(\w+)\(", text))
    for expression in [*said.values(), forms.default__epoch_to_timestamp("x", 1000)]:
        assert functions(f"select {expression} from t") <= SPARK_FUNCTIONS | {"TIMESTAMP_SECONDS", "TIMESTAMP_MILLIS"}


@pytest.mark.parametrize(
    "sql",
    [
        "select list_sum([1, 2]) from t",
        "select strptime(a, '%d') as b, epoch_ms(a) as c from t",
        "select a from t asof join u on t.x >= u.x",
        "select json_valid(a) from t",
        "select columns('b.*') from t",
        "select a from t qualify row_number() over (order by a) = 1",
        "select * exclude (a) from t",
        "select a from t union all by name select b from t",
    ],
)
def test_the_check_finds_what_spark_lacks(sql: str):
    assert spark_lacks(sql)


def test_the_check_passes_over_what_stands_in_a_dispatched_macro_alone(tmp_path: Path):
    (tmp_path / "said_twice.sql").write_text("select json_valid(a) from t")
    (tmp_path / "said_once.sql").write_text("select list_sum(a) from t")
    assert not_portable(tmp_path) == {"said_once.sql": {"LIST_SUM"}}
