"""The read-only SQL shell: one query's output, its errors, and a session."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines.commands.sql_shell import HELP, open_shell, run_query
from pipelines.database import CONNECTION_SETTINGS

QUERY = "select 'answer ' || (41 + 1) as n;"
ANSWER = "answer 42"
"""Not just the number: it may stand in the path that the shell prints."""


def write_release(path: Path, accounts: int) -> None:
    """A published file with so many accounts, put in the place of the one that is there."""
    draft = path.with_name("draft.duckdb")
    with duckdb.connect(str(draft)) as connection:
        connection.execute(
            f"""
            create table churn_scores as
            select 'a' || n as account_id, n / 10 as probability, n::integer as score, [n, n + 1] as ranks
            from range({accounts}) as numbers (n);
            create table accounts as select account_id from churn_scores;
            """
        )
    os.replace(draft, path)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "published.duckdb"
    write_release(path, accounts=5)
    return path


@pytest.fixture
def session(published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Types lines into a shell; a callable among them is called between two lines. End of input leaves."""

    def run(*lines: str | Callable[[], None]) -> tuple[str, str, list[str]]:
        prompts = []

        def typed() -> Iterator[str]:
            for line in lines:
                if callable(line):
                    line()
                else:
                    yield line

        waiting = typed()

        def answer(prompt: str = "") -> str:
            prompts.append(prompt)
            try:
                return next(waiting)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", answer)
        open_shell(published)
        told = capsys.readouterr()
        return told.out, told.err, prompts

    return run


def test_a_table_has_columns_types_and_values(published: Path, capsys: pytest.CaptureFixture):
    assert run_query(published, "select account_id, score from churn_scores where score = 3") == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("account_id", "score", "varchar", "int32", "a3", "│"))
    assert "a2" not in out


def test_a_long_table_is_cut_and_says_how_long_it_is(published: Path, capsys: pytest.CaptureFixture):
    assert run_query(published, "select n from range(1000) as numbers (n)") == 0
    out = capsys.readouterr().out
    assert "1000 rows (40 shown)" in " ".join(out.split())
    assert len(out.splitlines()) < 60


def test_csv_has_every_row_in_order(published: Path, capsys: pytest.CaptureFixture):
    assert run_query(published, "select n from range(15000) as numbers (n) order by n desc", as_csv=True) == 0
    assert capsys.readouterr().out.splitlines() == ["n", *(str(n) for n in reversed(range(15000)))]


def test_csv_quotes_what_needs_it_and_tells_null_from_empty(published: Path, capsys: pytest.CaptureFixture):
    query = "select 'a, \"b\"' as text, null as missing, '' as empty, true as flag, 0.1::double as number"
    assert run_query(published, query, as_csv=True) == 0
    assert capsys.readouterr().out == 'text,missing,empty,flag,number\n"a, ""b""",,"",true,0.1\n'


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("(select ranks from churn_scores where score = 2)", '"[2, 3]"'),
        ("{'low': 1, 'high': 2}", "\"{'low': 1, 'high': 2}\""),
        ("interval 3 days", "3 days"),
        ("date '2026-06-30'", "2026-06-30"),
        ("timestamp '2026-06-30 05:00:00'", "2026-06-30 05:00:00"),
    ],
    ids=["list", "struct", "interval", "date", "timestamp"],
)
def test_csv_writes_any_type(published: Path, capsys: pytest.CaptureFixture, value: str, written: str):
    assert run_query(published, f"select {value} as value", as_csv=True) == 0
    assert capsys.readouterr().out == f"value\n{written}\n"


def test_a_query_without_rows_is_only_its_header(published: Path, capsys: pytest.CaptureFixture):
    assert run_query(published, "select account_id, score from churn_scores where false", as_csv=True) == 0
    assert capsys.readouterr().out == "account_id,score\n"


@pytest.mark.parametrize("as_csv", [False, True], ids=["table", "csv"])
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("selec 1", "syntax error"),
        ("select nope from churn_scores", '"nope" not found'),
        ("select * from no_such_table", "no_such_table does not exist"),
        ("select account_id::integer from churn_scores", "Could not convert string 'a0'"),
    ],
    ids=["syntax", "column", "table", "while it runs"],
)
def test_a_broken_query_says_what_duckdb_says(
    published: Path, capsys: pytest.CaptureFixture, query: str, words: str, as_csv: bool
):
    assert run_query(published, query, as_csv=as_csv) == 1
    told = capsys.readouterr()
    assert words in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    "statement",
    [
        "create table mine as select 1",
        "insert into accounts values ('b')",
        "update churn_scores set score = 99",
        "delete from churn_scores",
        "drop table churn_scores",
    ],
)
def test_nothing_can_be_written(published: Path, capsys: pytest.CaptureFixture, statement: str):
    before = published.read_bytes()
    assert run_query(published, statement) == 1
    assert "read-only" in capsys.readouterr().err
    assert published.read_bytes() == before


@pytest.mark.parametrize(
    "attempt",
    [
        "copy accounts to '{release}'",
        "copy (select 1) to '{folder}/out.csv'",
        "copy accounts from '{other}'",
        "copy from database published to memory",
        "export database '{folder}/exported'",
        "import database '{folder}'",
        "explain analyze copy accounts to '{folder}/out.csv'",
        "attach '{folder}/new.duckdb' as other",
        "attach '{release}' as again",
        "attach ':memory:' as other",
        "select * from read_text('{other}')",
        "select * from read_blob('{other}')",
        "select * from read_csv('{other}')",
        "select * from sniff_csv('{other}')",
        "select * from glob('{folder}/*')",
        "from '{other}'",
        "from query('from ''{other}''')",
        "select * from read_duckdb('{other}', table_name = 'accounts')",
        "install httpfs",
        "load httpfs",
        "load '{folder}/extension.so'",
        "set enable_external_access = true",
        "reset enable_external_access",
        "set global lock_configuration = false",
        "set threads = 8",
        "pragma enable_external_access = true",
        "pragma profiling_output = '{folder}/profile.json'",
        "pragma enable_checkpoint_on_shutdown",
        "select 1; pragma enable_profiling; select 2",
        "call enable_logging(storage = 'file', storage_path = '{folder}/logs')",
        "from enable_profiling(save_location = '{folder}/profile.json', format = 'json'); select 1",
        "force checkpoint",
        "create persistent secret mine (type http)",
    ],
)
def test_no_other_file_is_touched_and_no_setting_changed(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture, attempt: str
):
    other = tmp_path / "other.csv"
    other.write_text("password\nsecret 42\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    query = attempt.format(release=published, folder=tmp_path, other=other)
    assert run_query(published, query) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Refused: ") and told.err.count("\n") == 1
    assert str(published) in told.err and "secret 42" not in told.err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "query",
    [
        "describe accounts",
        "summarize accounts",
        "show tables",
        "explain select * from accounts",
        "pragma table_info('accounts')",
        "with few as (select * from accounts limit 1) select * from few",
        "pivot churn_scores on account_id using max(score)",
    ],
)
def test_what_only_reads_is_answered(published: Path, capsys: pytest.CaptureFixture, query: str):
    assert run_query(published, query) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert len(told.out.splitlines()) > 3


def test_what_does_not_fit_into_memory_goes_to_the_disk(
    published: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(CONNECTION_SETTINGS, "memory_limit", "30MB")
    query = "select count(distinct md5(i::varchar)) as n from range(1_000_000) as numbers (i)"
    assert run_query(published, query, as_csv=True) == 0
    assert capsys.readouterr().out == "n\n1000000\n"
    assert not list(published.parent.glob("*.tmp"))


def test_a_file_that_is_no_database_is_named(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "published.duckdb"
    path.write_text("not a database, but long enough to be looked at\n" * 500)
    assert run_query(path, "select 1") == 1
    assert str(path) in capsys.readouterr().err


def test_a_session_reads_lines_until_a_semicolon(session: Callable):
    out, err, prompts = session("select account_id", "from churn_scores", "", "where score = 4;", QUERY)
    assert prompts == ["scorecast> ", "      ...> ", "      ...> ", "      ...> ", "scorecast> ", "scorecast> "]
    assert "a4" in out and "a3" not in out
    assert ANSWER in out
    assert err == ""


def test_a_broken_query_does_not_end_the_session(session: Callable):
    out, err, _ = session("selec 1;", QUERY)
    assert "syntax error" in err
    assert ANSWER in out


def test_an_error_while_a_query_runs_does_not_end_the_session(session: Callable):
    out, err, _ = session("select account_id::integer from churn_scores;", QUERY)
    assert "Could not convert string 'a0'" in err
    assert ANSWER in out


def test_tables_are_listed_with_their_rows(session: Callable):
    out, err, _ = session(".tables")
    listed = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    assert ["accounts", "5"] in listed
    assert ["churn_scores", "5"] in listed
    assert err == ""


@pytest.mark.parametrize("word", [".help", "help"])
def test_help_says_what_can_be_typed(session: Callable, word: str):
    assert session(word)[0].count(HELP) == session()[0].count(HELP) + 1


@pytest.mark.parametrize("word", [".quit", ".exit", "quit", " exit "])
def test_a_word_leaves_and_what_follows_is_not_read(session: Callable, word: str):
    out, _, prompts = session(word, QUERY)
    assert prompts == ["scorecast> "]
    assert ANSWER not in out


def test_the_words_of_the_shell_are_data_inside_a_query(session: Callable):
    out, err, _ = session("select '", "quit", "' as said;", QUERY)
    assert "quit" in out and ANSWER in out
    assert err == ""


def test_a_query_that_was_not_ended_is_not_run(session: Callable):
    out, err, _ = session(QUERY.removesuffix(";"))
    assert ANSWER not in out
    assert err == ""


def test_the_next_query_reads_the_next_release(session: Callable, published: Path):
    count = "select 'rows: ' || count(*) as said from churn_scores;"
    out, _, _ = session(count, lambda: write_release(published, accounts=8), count)
    assert out.index("rows: 5") < out.index("rows: 8")


def test_the_shell_holds_no_file_between_queries(session: Callable, published: Path):
    """A writer would be locked out by a connection that stays open."""

    def write() -> None:
        with duckdb.connect(str(published)) as connection:
            connection.execute("insert into accounts values ('b1')")

    out, err, _ = session("select 1;", write, "select 'found: ' || account_id from accounts where account_id = 'b1';")
    assert "found: b1" in out
    assert err == ""
