"""What was published stays readable: a damaged or lost file is told, and gives way to the newest kept release."""

import copy
import hashlib
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines.publishing.kept_releases import check_release, last_release
from pipelines.publishing.states import AuditFailedError
from pipelines.registry.versions import history
from pipelines.track_record.score_history import past_scores
from pipelines.track_record.scored_before import restore_model_runs, write_scored
from tests.pipelines.publishing.test_release import HISTORIES, SUNDAY, Company, finding

ACCOUNTS = 3_000
"""So many that a file has blocks of data in its middle."""


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip(at: float) -> Callable[[Path], None]:
    """One bit, at a share of the file's length."""

    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(int(at * path.stat().st_size))
            (byte,) = file.read(1)
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))

    return damage


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "note.txt").write_text("mine")


def become_another_database(path: Path) -> None:
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table mine as select 1 as one")


def change_a_score(path: Path) -> None:
    """As a tool would that opened it for writing."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("update churn_scores set probability = 0.99")


DAMAGES = {
    "truncated": (truncate, "is damaged (IO Error: Could not read enough bytes"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged (IO Error: The file"),
    "text": (lambda path: path.write_text("gone " * 1_000), "not a valid DuckDB database"),
    "a bit of the header": (flip(0), "is damaged (IO Error: Corrupt database file"),
    "a bit in the middle": (flip(0.5), "was changed after it was published"),
    "deleted": (lambda path: path.unlink(), "is not there"),
    "a folder": (become_a_folder, "is not a file"),
    "another database": (become_another_database, "is not a release: it has no table releases"),
    "changed": (change_a_score, "was changed after it was published"),
}
"""How, and what is said of it. A bit in the middle may be damage that DuckDB finds or lie where it does not look."""


def damage(path: Path, how: str) -> None:
    path.chmod(0o644)
    DAMAGES[how][0](path)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """Three releases of as many days, each with scores, a fit and a finding."""
    company = Company(tmp_path_factory.mktemp("template") / "data")
    for number in range(3):
        company.day(SUNDAY + timedelta(days=number))
        company.score({f"a{n}": (0.1 + 0.1 * number, {"logins": (n, n / 7)}) for n in range(ACCOUNTS)})
        company.publish((finding(True),))
    return company


@pytest.fixture
def company(template: Company, tmp_path: Path) -> Company:
    shutil.copytree(template.published.parent, tmp_path / "data")
    company = copy.copy(template)
    company.warehouse, company.published, company.releases = (
        tmp_path / "data" / path.name for path in (template.warehouse, template.published, template.releases)
    )
    return company


def kept(company: Company) -> list[Path]:
    return sorted(company.releases.glob("*.duckdb"))


def histories(company: Company) -> dict[str, set[tuple]]:
    return {table: set(company.ask(query)) for table, query in HISTORIES.items()}


def rows_of(histories: dict[str, set[tuple]]) -> dict[str, int]:
    return {table: len(rows) for table, rows in histories.items()}


def test_a_kept_release_is_a_copy_with_the_checksum_that_sha256sum_reads(company: Company):
    company.publish()
    newest = kept(company)[-1]
    assert newest.read_bytes() == company.published.read_bytes()
    assert newest.stat().st_ino != company.published.stat().st_ino
    assert company.published.stat().st_nlink == newest.stat().st_nlink == 1
    for path in kept(company):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.with_name(f"{path.name}.sha256").read_text() == f"{digest}  {path.name}\n"
        assert check_release(path, company.releases) == path.stem


def test_a_whole_published_file_is_the_last_release(company: Company):
    last = last_release(company.published)
    assert (last.path, last.problem, last.note) == (company.published, "", "")


def test_before_the_first_release_there_is_none_and_nothing_is_wrong(tmp_path: Path):
    last = last_release(tmp_path / "published.duckdb")
    assert (last.path, last.note) == (None, "")


@pytest.mark.parametrize("how", DAMAGES)
def test_no_history_is_lost_with_the_published_file(company: Company, how: str):
    before, newest = histories(company), kept(company)[-1]
    assert rows_of(before)["score_history"] == 3 * ACCOUNTS
    damage(company.published, how)

    last = last_release(company.published)
    assert last.path == newest
    assert last.note.startswith("published.duckdb is ") or last.note.startswith("published.duckdb was ")
    if how != "a bit in the middle":
        assert DAMAGES[how][1] in last.note
    assert last.note.endswith(f"; the kept release {newest.stem} takes its place")
    assert "\n" not in last.note
    assert str(company.published.parent) not in last.note

    release = company.publish((finding(True),))
    after = histories(company)
    assert all(before[table] <= after[table] for table in before)
    assert rows_of(after) == {
        "score_history": 4 * ACCOUNTS,
        "model_runs": 4,
        "data_quality": 4,
        "releases": 4,
    }
    assert release.fallback == last.note or release.fallback.startswith(f"{last.note}; what was there is kept as ")
    assert company.ask("select note from releases order by release_id desc limit 1") == [(release.note,)]
    assert release.note == f"{release.fallback}; all tables made anew"
    assert last_release(company.published).path == company.published
    assert company.publish().note == "all tables made anew"


def test_a_folder_in_the_published_files_place_is_kept(company: Company):
    damage(company.published, "a folder")
    release = company.publish()
    (aside,) = company.published.parent.glob("published.unreadable-*")
    assert (aside / "note.txt").read_text() == "mine"
    assert release.note.count(aside.name) == 1


def test_a_damaged_kept_release_is_passed_over_for_the_one_before(company: Company):
    *_, second, newest = kept(company)
    damage(company.published, "truncated")
    damage(newest, "a bit of the header")
    last = last_release(company.published)
    assert last.path == second
    assert f"releases/{newest.name} is damaged" in last.note
    company.publish()
    assert company.ask("select count(*) from score_history") == [(3 * ACCOUNTS,)]
    assert company.ask("select count(*) from model_runs") == [(4,)]


def test_where_nothing_can_be_read_a_new_history_begins_and_says_so(company: Company):
    """The warehouse's own record of fits is still there; the file that could not be read is, too."""
    damage(company.published, "truncated")
    damaged = company.published.read_bytes()
    for path in kept(company):
        damage(path, "a bit of the header")
    assert last_release(company.published).path is None
    with pytest.raises(LookupError, match=r"There is no release to go back to: published\.duckdb is damaged"):
        company.roll_back()
    release = company.publish()
    assert "no kept release can be read either, so a new history begins; what was there is kept as" in release.note
    (aside,) = company.published.parent.glob("published.unreadable-*")
    assert aside.read_bytes() == damaged
    assert company.ask("select count(*) from score_history") == [(ACCOUNTS,)]
    assert company.ask("select count(*) from model_runs") == [(4,)]


def test_a_refused_release_leaves_what_cannot_be_read_where_it_is(company: Company):
    damage(company.published, "a folder")
    for path in kept(company):
        damage(path, "empty")
    with pytest.raises(AuditFailedError):
        company.publish((finding(False),))
    assert company.published.is_dir()
    assert list(company.published.parent.glob("published.unreadable-*")) == []


def test_releases_of_a_version_without_checksums_are_read_to_the_end(company: Company):
    for path in company.releases.glob("*.sha256"):
        path.unlink()
    assert last_release(company.published).path == company.published
    blocks = range(1, company.published.stat().st_size // 2**18)
    assert len(blocks) >= 3
    whole = company.published.read_bytes()
    company.published.chmod(0o644)
    found = 0
    for block in blocks:
        flip((12_288 + block * 2**18 + 100) / len(whole))(company.published)
        found += last_release(company.published).path == kept(company)[-1]
        company.published.write_bytes(whole)
    assert found >= len(blocks) - 1, "at most one block is free"


def test_an_older_release_put_in_the_published_files_place_does_not_shorten_the_history(company: Company):
    first, *_, newest = kept(company)
    company.published.unlink()
    shutil.copy(first, company.published)
    last = last_release(company.published)
    assert last.path == newest
    assert last.note.startswith(f"published.duckdb is the older release {first.stem}; ")
    company.publish()
    assert company.ask("select count(*) from score_history") == [(4 * ACCOUNTS,)]


# Going back


@pytest.mark.parametrize("how", ["truncated", "deleted", "a folder"])
def test_a_rollback_puts_the_newest_kept_release_in_the_place_of_what_cannot_be_read(company: Company, how: str):
    before, newest = histories(company), kept(company)[-1]
    scores = company.ask("select account_id, probability, probability_change_7d from churn_scores order by 1")
    damage(company.published, how)
    release = company.roll_back()
    assert release.note.startswith(f"tables of release {newest.stem}; published.duckdb is ")
    assert company.ask("select account_id, probability, probability_change_7d from churn_scores order by 1") == scores
    after = histories(company)
    assert all(before[table] <= after[table] for table in before)
    assert company.roll_back().note == f"tables of release {kept(company)[1].stem}"


def test_a_named_release_is_gone_back_to_though_the_published_file_cannot_be_read(company: Company):
    first, *_, newest = kept(company)
    damage(company.published, "truncated")
    assert company.roll_back(newest.stem).note.startswith(f"tables of release {newest.stem}; ")
    damage(company.published, "truncated")
    assert company.roll_back(first.stem).note.startswith(f"tables of release {first.stem}; ")


def test_a_damaged_release_is_nothing_to_go_back_to(company: Company):
    first, second, _ = kept(company)
    before = company.published.read_bytes()
    damage(second, "changed")
    with pytest.raises(LookupError) as refused:
        company.roll_back(second.stem)
    assert str(refused.value) == (
        f"There is no release {second.stem} to go back to: the kept release {second.stem} was changed after it was"
        f" published. Kept: {first.stem}."
    )
    assert company.published.read_bytes() == before
    assert company.roll_back().note == (
        f"tables of release {first.stem}; the kept release {second.stem} was changed after it was published"
    )


def test_a_release_under_the_name_of_another_is_nothing_to_go_back_to(company: Company):
    first, second, _ = kept(company)
    second.unlink()
    shutil.copy(first, second)
    with pytest.raises(LookupError, match=f"the kept release {second.stem} has the file of {first.stem}"):
        company.roll_back(second.stem)


# Those who read the last release


@pytest.mark.parametrize("how", ["truncated", "deleted", "a bit in the middle", "a folder"])
def test_who_reads_the_last_release_reads_the_kept_one(company: Company, monkeypatch: pytest.MonkeyPatch, how: str):
    with duckdb.connect(str(company.warehouse)) as connection:
        expected = write_scored(connection, company.published, SUNDAY + timedelta(days=3))
    assert expected == 2 * ACCOUNTS, "of the days that are no Sundays"
    damage(company.published, how)
    with duckdb.connect(str(company.warehouse)) as connection:
        assert write_scored(connection, company.published, SUNDAY + timedelta(days=3)) == expected
        with past_scores(connection, company.published):
            assert connection.execute("select count(*) from past_scores").fetchone() == (3 * ACCOUNTS,)


def test_a_warehouse_made_anew_takes_the_record_of_fits_from_the_last_release(company: Company):
    damage(company.published, "deleted")
    with duckdb.connect(str(company.warehouse)) as connection:
        recorded = connection.execute("from published.model_runs order by all").fetchall()
        assert restore_model_runs(connection, company.published) == 0
        connection.execute("drop table published.model_runs")
        assert restore_model_runs(connection, company.published) == len(recorded) == 3
        assert connection.execute("from published.model_runs order by all").fetchall() == recorded


def test_a_damaged_warehouse_is_not_one_without_fits(company: Company, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCORECAST_DATA", str(company.warehouse.parent))
    damage(company.published, "deleted")
    shutil.rmtree(company.releases)
    company.warehouse.write_bytes(company.warehouse.read_bytes()[:5_000])
    with pytest.raises(duckdb.IOException):
        history()
