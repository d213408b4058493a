"""What one export after another tells: a state without a history, and records that are gone."""

from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from pipelines.extraction.as_of import latest_day
from pipelines.extraction.configuration import ConfigurationError, read_configuration
from pipelines.extraction.contracts import Entity, Source
from pipelines.extraction.loading.load import load_source

DEAL = Entity(
    "deal",
    "A deal.",
    {"id": "varchar", "created": "timestamp", "updated": "timestamp"},
    ("id",),
    version="updated",
    time="updated",
    required=("updated",),
)
NOW = datetime(2026, 6, 1)


class Shop:
    """A source with one entity; each load writes files and tells what is known then."""

    def __init__(self, folder: Path, export: str | None = None):
        self.folder, self.connection = folder, duckdb.connect()
        self.source = Source("shop", "A shop.", (DEAL,), export=export)

    def load(self, files: dict[str, list[tuple[str, str, str]]], now: datetime = NOW) -> str:
        for name, rows in files.items():
            lines = ["id,created,updated", *(",".join(row) for row in rows)]
            (self.folder / name).write_text("\n".join(lines) + "\n")
        (report,) = load_source(self.connection, self.source, self.folder, now)
        return "".join(report.notices)

    def ask(self, query: str) -> list[tuple]:
        return self.connection.execute(query).fetchall()

    def first_exports(self) -> list[tuple]:
        return self.ask("select entity, made_at from raw_shop._first_exports")

    def gone(self) -> list[tuple]:
        return self.ask("select key, vanished_at from raw_shop._vanished order by all")


def deals(*ids: int, updated: str = "2026-05-01") -> list[tuple[str, str, str]]:
    return [(f"D{number}", f"2026-01-{number:02}", updated) for number in ids]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def full(tmp_path: Path) -> Shop:
    return Shop(tmp_path, "full")


STATE = [("deal", datetime(2026, 5, 1))]


@pytest.mark.parametrize("name", ["deals.csv", "deals-2026-05-20.csv"])
def test_one_row_a_record_is_a_state_as_of_its_latest_change(shop: Shop, name: str):
    shop.load({name: [*deals(1, 2, updated="2026-03-01"), *deals(3)]})
    assert shop.first_exports() == STATE


def test_several_versions_of_a_record_are_a_history(shop: Shop):
    shop.load({"deals.csv": [*deals(1, 2), *deals(1, updated="2026-04-01")]})
    assert shop.first_exports() == []


def test_files_that_each_bring_what_changed_are_a_history(shop: Shop):
    shop.load({"deals-2026-04-30.csv": deals(1, 2, updated="2026-04-30"), "deals-2026-05-31.csv": deals(3)})
    assert shop.first_exports() == []


def test_of_full_exports_in_one_load_the_first_is_a_state(shop: Shop):
    first = deals(1, 2, updated="2026-04-30")
    shop.load({"deals-2026-04-30.csv": first, "deals-2026-05-31.csv": [*first, *deals(3)]})
    assert shop.first_exports() == [("deal", datetime(2026, 4, 30))]


def test_a_file_without_a_day_is_as_old_as_what_it_tells(tmp_path: Path):
    old, new = deals(1, 2, 4, updated="2026-04-30"), [*deals(1, 4, updated="2026-04-30"), *deals(3)]
    for export, told in (("full", "1 of 4 records are not in the newest export any more: they end."), (None, "1 of 4")):
        folder = tmp_path / str(export)
        folder.mkdir()
        shop = Shop(folder, export)
        assert told in shop.load({"deals.csv": old, "deals-2026-05-31.csv": new})
        assert shop.first_exports() == [("deal", datetime(2026, 4, 30))]
        assert [key for key, _ in shop.gone()] == (["D2"] if export else [])


def test_it_stays_the_first_when_more_exports_follow_and_rows_are_corrected(shop: Shop):
    shop.load({"deals-2026-05-01.csv": deals(1, 2)})
    corrected = [("D1", "2026-01-05", "2026-05-01"), *deals(2), *deals(3, updated="2026-05-09")]
    shop.load({"deals-2026-05-10.csv": corrected}, datetime(2026, 6, 2))
    assert shop.first_exports() == STATE
    assert shop.ask("select count(*) from raw_shop.deal where _file like '%05-10%'") == [(2,)]


def test_what_the_user_calls_incremental_is_no_state(tmp_path: Path):
    shop = Shop(tmp_path, "incremental")
    shop.load({"deals.csv": deals(1, 2)})
    assert shop.first_exports() == []
    assert shop.load({"deals-2026-05-10.csv": deals(2)}, datetime(2026, 6, 2)) == ""


def test_a_full_export_ends_what_it_lacks(full: Shop):
    assert full.load({"deals-2026-05-01.csv": deals(1, 2, 3, 4)}) == ""
    told = full.load({"deals-2026-05-10.csv": deals(1, 3, 4)}, datetime(2026, 6, 2))
    assert told == "shop.deal: 1 of 4 records are not in the newest export any more: they end."
    assert full.gone() == [("D2", datetime(2026, 5, 10, 23, 59, 59))]
    assert latest_day(full.connection, [full.source]) == date(2026, 5, 10)


def test_a_record_that_is_there_again_has_not_ended(full: Shop):
    full.load({"deals-2026-05-01.csv": deals(1, 2, 3)})
    full.load({"deals-2026-05-10.csv": deals(1, 3)}, datetime(2026, 6, 2))
    full.load({"deals-2026-05-11.csv": deals(1, 2)}, datetime(2026, 6, 3))
    assert full.gone() == [("D3", datetime(2026, 5, 11, 23, 59, 59))]


def test_a_part_an_older_and_a_broken_export_end_nothing(full: Shop):
    full.load({"deals-2026-05-10.csv": deals(1, 2, 3, 4)})
    told = full.load({"deals-2026-05-11.csv": deals(1)}, datetime(2026, 6, 2))
    assert told == "shop.deal: 3 of 4 records are not in the newest export: it is taken for a part, and none ends."
    assert full.load({"deals-2026-05-01.csv": deals(1, 2, 3)}, datetime(2026, 6, 3)) == ""
    (full.folder / "deal.parquet").write_bytes(b"the other half of this export")
    assert full.load({"deals-2026-05-13.csv": deals(1, 2, 3)}, datetime(2026, 6, 4)) == ""
    assert full.gone() == []


def test_a_bad_row_of_a_record_says_that_it_is_there(full: Shop):
    full.load({"deals-2026-05-01.csv": deals(1, 2, 3)})
    bad = [*deals(1, 3), ("D2", "2026-01-02", "yesterday")]
    assert full.load({"deals-2026-05-10.csv": bad}, datetime(2026, 6, 2)) == ""
    assert full.gone() == []


def test_who_does_not_say_what_the_exports_are_is_asked(shop: Shop):
    shop.load({"deals-2026-05-01.csv": deals(1, 2, 3)})
    told = shop.load({"deals-2026-05-10.csv": deals(1, 3)}, datetime(2026, 6, 2))
    assert told.startswith("shop.deal: 1 of 3 records are not in the newest export any more. If each of your exports")
    assert "write `export: full` for shop in sources.yaml" in told
    assert shop.gone() == []


def test_another_kind_of_export_is_refused(tmp_path: Path):
    file = tmp_path / "sources.yaml"
    file.write_text("sources:\n  stripe: {folder: x, export: whole}\n")
    with pytest.raises(ConfigurationError, match=r"'export' must be full \(each has every record\) or incremental"):
        read_configuration(file)
    file.write_text("sources:\n  stripe: {folder: x, export: full}\n")
    assert read_configuration(file).sources["stripe"].export == "full"
