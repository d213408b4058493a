"""What the benchmark of killed runs takes for mixed, lost and unequal, on published files made by hand."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
STAND_IN = """#!{python}
import json, os, sys, time
from pathlib import Path
data, words, fault = Path(os.environ["SCORECAST_DATA"]), sys.argv[1:], "{fault}"
if words[0] == "sample":
    (data / "landing").mkdir(exist_ok=True)
    sys.exit()
import duckdb
if fault == "left behind":
    (data / f"rest-{{os.getpid()}}").touch()
published, draft = data / "published.duckdb", data / "published.new.draft.duckdb"
draft.unlink(missing_ok=True)
release = f"2026-07-01T050000.{{time.time_ns()}}Z"
probability = time.time() if fault == "unequal" else 1e-1
described = json.dumps({{"churn_scores": {{"rows": 1}}}})
with duckdb.connect(str(draft)) as connection:
    before = []
    if published.exists() and fault != "lost":
        connection.execute(f"attach '{{published}}' as previous (read_only)")
        before = connection.execute("select release_id, tables from previous.releases").fetchall()
    connection.execute("create table releases (release_id varchar, tables varchar, as_of_date date)")
    connection.executemany("insert into releases values (?, ?, '2026-07-01')", [*before, (release, described)])
    of = before[0][0] if fault == "mixed" and before else release
    connection.execute(f"create table churn_scores as select {{probability}} as probability, '{{of}}' as release_id")
    time.sleep(0.2)
if fault == "unreadable":
    published.unlink(missing_ok=True)
    time.sleep(1)
draft.replace(published)
time.sleep(0.2)
"""
FIRST, SECOND = "2026-07-01T050000.000Z", "2026-07-02T050000.000Z"


@pytest.fixture(autouse=True)
def benchmarks_are_modules(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., Path]:
    """`publish(name, *statements)`: a small published.duckdb with two releases, changed by the statements."""

    def make(name: str, *statements: str, second: str = SECOND) -> Path:
        path = tmp_path / f"{name}.duckdb"
        described = json.dumps({"churn_scores": {"rows": 2}})
        reasons = json.dumps([{"feature": "logins", "contribution": 0.25}])
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                f"""
                create table releases as
                    select * from (values
                        ('{FIRST}', date '2026-07-01', '{described}'), ('{second}', date '2026-07-02', '{described}')
                    ) as rows (release_id, as_of_date, tables);
                create table churn_scores as
                    select * from (values
                        ('a', 0.7::double, '{reasons}', 'churn-20260701T050000'), ('b', 0.2, '{reasons}', 'x')
                    ) as rows (account_id, probability, reasons, model_version);
                alter table churn_scores add column release_id varchar;
                update churn_scores set release_id = '{second}';
                create table score_history as
                    select account_id as entity_id, probability, reasons, release_id from churn_scores;
                create table model_runs as
                    select * from (values ('churn', 'kept', 'The first.', 0.8, 'r1'))
                    as rows (model, status, reason, auc, run_id);
                """
            )
            for statement in statements:
                connection.execute(statement)
        return path

    return make


def test_a_whole_release_is_read_with_its_history(publish):
    from _published import look

    seen = look(publish("whole"))
    assert seen.release_id == SECOND
    assert seen.rows == {"score_history": 2, "model_runs": 1, "releases": 2}


@pytest.mark.parametrize(
    "statement",
    [
        f"update churn_scores set release_id = '{FIRST}' where account_id = 'b'",
        f"update churn_scores set release_id = '{FIRST}'",
        "delete from churn_scores where account_id = 'b'",
        "drop table churn_scores",
    ],
    ids=["two releases", "an older one", "half", "none"],
)
def test_a_mixed_release_is_told(publish, statement):
    from _published import MixedError, look

    with pytest.raises(MixedError, match="churn_scores"):
        look(publish("mixed", statement))


def test_what_a_reader_cannot_open_is_an_error(tmp_path):
    from _published import look

    path = tmp_path / "published.duckdb"
    path.write_bytes(b"half of a file")
    with pytest.raises(duckdb.Error):
        look(path)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("delete from score_history where entity_id = 'a'", ["score_history lost 1 rows"]),
        ("update score_history set probability = 0.71 where entity_id = 'a'", ["score_history lost 1 rows"]),
        ("drop table model_runs", ["the table model_runs is gone"]),
        ("update score_history set reasons = null", []),
        ("insert into model_runs values ('churn', 'kept', 'Another.', 0.9, 'r2')", []),
    ],
)
def test_rows_that_were_published_are_missed(publish, statement, told):
    from _published import lost

    assert lost(publish("before"), publish("after", statement)) == told


@pytest.mark.parametrize(
    "statement",
    [
        "update churn_scores set probability = probability + 1e-12",
        "update churn_scores set reasons = replace(reasons, '0.25', '0.2500000000001')",
        "update churn_scores set model_version = 'churn-20260702T050000'",
        "update model_runs set run_id = 'another'",
        "insert into model_runs values ('churn', 'refused', 'Not better than itself.', 0.8, 'r2')",
        "insert into score_history from score_history",
    ],
)
def test_names_by_time_repetition_and_the_last_digits_are_no_difference(publish, statement):
    from _published import differences

    assert differences(publish("expected"), publish("found", statement, second="2026-07-02T060000.000Z")) == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("update churn_scores set probability = 0.700001 where account_id = 'a'", "probability 0.700001, not 0.7"),
        ("update churn_scores set reasons = replace(reasons, '0.25', '0.26')", "churn_scores: 2 rows"),
        ("delete from churn_scores where account_id = 'a'", "churn_scores has 1 rows, not 2"),
        ("update model_runs set auc = 0.9", "model_runs: 1 rows"),
        ("insert into model_runs values ('churn', 'kept', 'Another.', 0.9, 'r2')", "model_runs: 1 rows are new"),
        ("delete from score_history where entity_id = 'a'", "score_history: 1 rows are missing"),
        ("drop table score_history", "the table score_history is gone"),
    ],
)
def test_other_scores_fits_and_histories_are_differences(publish, statement, told):
    from _published import differences

    (said,) = differences(publish("expected"), publish("found", statement))
    assert told in said


def test_the_same_seed_plans_the_same_tries_in_the_shares_of_the_operations():
    program = (
        "import sys; sys.argv = ['break_it.py', '--kills', '20', '--undisturbed', '2', '--seed', '5'];"
        "from pathlib import Path; from break_it import *;"
        "options = read_options(); company = Company(Path('.'), options);"
        "print([(each.kind, each.number, each.operation) for each in planned(company.operations, options)])"
    )
    command = [sys.executable, "-c", program]
    one, other = (subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True).stdout for _ in range(2))
    assert one == other
    counted = {
        name: one.count(f"'{name}')") for name in ("first", "refit", "backfill", "rollback", "rollback_of_model")
    }
    assert counted == {"first": 3, "refit": 4, "backfill": 3, "rollback": 3, "rollback_of_model": 2}
    assert one.count("'undisturbed'") == 2
    assert one.count("'kill'") == 20


@pytest.mark.parametrize("fault", ["", "unreadable", "mixed", "lost", "unequal", "left behind"])
def test_kills_of_a_stand_in_are_judged_by_its_fault(tmp_path: Path, fault: str):
    stand_in, temporary = tmp_path / "scorecast", tmp_path / "temporary"
    stand_in.write_text(STAND_IN.format(python=sys.executable, fault=fault))
    stand_in.chmod(0o755)
    temporary.mkdir()
    options = ["--kills", "1", "--undisturbed", "1", "--operations", "daily", "--scorecast", str(stand_in)]
    if fault:
        standing = tmp_path / "standing"
        standing.mkdir()
        subprocess.run([stand_in, "run"], env={**os.environ, "SCORECAST_DATA": str(standing)}, check=True)
        options += ["--standing", str(standing)]
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "break_it.py"), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        timeout=240,
    )
    missed = {line.split("  ")[0].split(": ")[1] for line in result.stdout.splitlines() if line.endswith(" MISSED")}
    assert (result.returncode, fault in missed) == ((1, True) if fault else (0, False)), result.stdout + result.stderr
    assert result.stdout.count("kill -9 of ") == 1
    assert ("again: python" in result.stdout) == bool(fault)
    assert not list(temporary.iterdir())


def test_every_fault_has_its_figure_and_one_is_enough_to_miss(capsys):
    from break_it import Try, figures

    whole = [Try("kill", 1, "daily", moments=["kill -9"], looks=7), Try("undisturbed", 1, "daily", looks=3)]
    assert figures(whole) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines if line.endswith("  ok")] == [
        f"{kind}: {fault}"
        for kind in ("kills", "undisturbed")
        for fault in ("unreadable", "mixed", "lost", "unequal", "left behind")
    ]
    assert figures([*whole, Try("undisturbed", 2, "daily", faults=[("unequal", "churn_scores")])]) == 1
    (missed,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith("  MISSED")]
    assert missed.split()[:3] == ["undisturbed:", "unequal", "1"]


def test_a_file_swapped_in_between_two_steps_of_a_look_is_another_release_and_no_fault(publish, monkeypatch):
    import break_it
    from break_it import Reader, Try

    path, newer = publish("published"), publish("newer", second="2026-07-03T050000.000Z")
    each = Try(kind="kill", number=1, operation="daily")
    reader = Reader(path, each)
    reader.check()
    glance = break_it.glance

    def swap_first(path: Path, release_id: str) -> None:
        newer.replace(path)
        glance(path, release_id)

    monkeypatch.setattr(break_it, "glance", swap_first)
    reader.check()
    monkeypatch.undo()
    assert each.faults == []
    with duckdb.connect(str(path)) as connection:
        connection.execute("update releases set release_id = 'z' where release_id like '2026-07-03%'")
    reader.check()
    assert [fault for fault, _ in each.faults] == ["mixed"]
