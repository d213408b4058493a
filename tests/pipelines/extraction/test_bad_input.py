"""Every kind of bad export: the message says where, what and what to do; everything else still loads."""

import pytest

from pipelines.extraction.configuration import Limits
from pipelines.extraction.loading import reading
from pipelines.extraction.loading.load import load_entity, load_source
from pipelines.extraction.loading.schema_changes import prepare_schema
from pipelines.extraction.recognition import find_files

LATIN = "iconv -f LATIN1 -t UTF-8"


def test_a_missing_folder_is_named_and_what_was_loaded_stays(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    landing.folder.rename(landing.folder.with_name("moved"))
    report = landing.load()
    assert (report.status, report.total_rows) == ("missing", 1)
    assert str(landing.folder) in report.message
    assert "sources.yaml" in report.message


def test_an_empty_file(landing, account):
    landing.write("account/1.csv", "")
    landing.accounts("2.csv", account("a2"))
    report = landing.load()
    assert report.status == "rejected"
    assert report.rejected == (f"{landing.folder}/account/1.csv is empty (0 bytes). Export it again, or remove it.",)
    assert landing.quarantine() == [("account/1.csv", None, report.rejected[0], None)]
    assert landing.rows("select file, status from raw_crm._manifest order by file") == [
        ("account/1.csv", "rejected"),
        ("account/2.csv", "loaded"),
    ]
    assert landing.ids() == ["a2"]
    assert landing.load().status == "unchanged"
    landing.accounts("1.csv", account("a1"))
    landing.load()
    assert landing.ids() == ["a1", "a2"]
    assert landing.quarantine() == []


def test_a_header_without_rows_is_no_error(landing):
    landing.accounts("1.csv")
    assert (landing.load().status, landing.load().status) == ("loaded", "unchanged")
    assert landing.quarantine() == []


@pytest.mark.parametrize("kept", [0.5, 0.98])
def test_a_truncated_parquet(landing, account, kept):
    path = landing.folder / "account" / "1.parquet"
    path.parent.mkdir()
    landing.connection.execute(
        "copy (select 'p' || i as Id, timestamp '2025-01-01' as SystemModstamp from range(5000) t(i))"
        f" to '{path}' (format parquet)"
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    landing.accounts("2.csv", account("a2"))
    report = landing.load()
    assert f"{path} cannot be read as a whole Parquet file" in report.rejected[0]
    assert "export or copy it again" in report.rejected[0]
    assert landing.ids() == ["a2"]
    path.write_bytes(whole)
    assert landing.load().total_rows == 5001


def test_a_parquet_with_a_broken_page_does_not_stop_the_others(landing):
    folder = landing.folder / "account"
    folder.mkdir()
    for name in ("1", "2"):
        landing.connection.execute(
            f"copy (select '{name}_' || i as Id, timestamp '2025-01-01' as SystemModstamp from range(5000) t(i))"
            f" to '{folder / name}.parquet' (format parquet)"
        )
    damaged = bytearray((folder / "1.parquet").read_bytes())
    damaged[4:2000] = b"\xff" * 1996
    (folder / "1.parquet").write_bytes(bytes(damaged))
    report = landing.load()
    assert len(report.rejected) == 1
    assert "1.parquet" in report.rejected[0]
    assert report.total_rows == 5000


def test_a_changed_file_that_cannot_be_read_keeps_its_former_rows(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    landing.write("account/1.csv", "")
    assert "The 1 rows of its former version stay." in landing.load().rejected[0]
    assert landing.ids() == ["a1"]
    assert landing.rows("select rows, quarantined, status from raw_crm._manifest") == [(1, 0, "rejected")]


def test_broken_csv_lines(landing, account):
    lines = [account("a1"), "a2,too,few", account("a3") + ",more", '"a4,open', account("a5"), account("a6")]
    landing.accounts("1.csv", *lines)
    report = landing.load()
    assert landing.ids() == ["a1", "a5", "a6"]
    assert landing.quarantine() == [
        ("account/1.csv", 3, "3 values in the line, but the header has 7 columns", "a2,too,few"),
        ("account/1.csv", 4, "8 values in the line, but the header has 7 columns", lines[2]),
        ("account/1.csv", 5, "a quote is opened and never closed", '"a4,open'),
    ]
    assert report.quarantined == 3
    assert landing.rows("select _line from raw_crm.account order by 1") == [(2,), (6,), (7,)]


def test_wrong_encoding_keeps_the_readable_rows(landing, account):
    content = "\n".join(["Id,Name,SystemModstamp", "a1,Zoe,2025-01-01", "a2,Zoé,2025-01-01", "a3,Zoi,2025-01-01"])
    landing.write("account/1.csv", content.encode("latin-1").replace(b"Zoi", "Zoü".encode()))
    report = landing.load()
    assert landing.ids() == ["a1", "a3"]
    ((file, line, reason, raw),) = landing.quarantine()
    assert (file, line, raw) == ("account/1.csv", 3, "a2,Zo\ufffd,2025-01-01")
    assert reason.startswith("not UTF-8: byte 0xe9 at position 6")
    assert LATIN in reason
    assert "account/1.csv: line 3 is not UTF-8" in report.message
    ((message,),) = landing.rows("select message from raw_crm._manifest")
    assert "1 of 3 rows are in quarantine" in message
    assert "line 3 is not UTF-8" in message


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("utf-16", ""), ("utf-8-sig", ""), ("cp1252", "was read as Windows-1252"), ("utf-16-be", None)],
)
def test_text_in_another_encoding_is_read(landing, encoding, note):
    content = "Id,Größe,SystemModstamp\na1,5 € – süß,2025-01-01\n"
    landing.write("account/1.csv", content.encode(encoding))
    report = landing.load()
    if note is None:  # without the mark that says what it is
        assert "begins with zero bytes" in report.rejected[0]
        return
    assert landing.rows('select "Id", "Größe" from raw_crm.account') == [("a1", "5 € – süß")]
    assert note in report.message


def test_a_changed_header_names_the_missing_column_and_what_is_like_it(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.accounts("2.csv", "a2,2025-01-01", header="Id,SystemModifiedStamp")
    landing.accounts("3.csv", "a3,2025-01-01", header="AccountId,SystemModstamp")
    report = landing.load()
    assert landing.ids() == ["a1"]
    assert "2.csv, line 1: there is no column 'SystemModstamp', which is required of crm.account" in report.rejected[0]
    assert "Did you mean 'SystemModifiedStamp'?" in report.rejected[0]
    assert "`crm: {folder: ..., columns: {account: {SystemModstamp: ...}}}`" in report.rejected[0]
    assert "3.csv, line 1: there is no column 'Id', which is part of the key" in report.rejected[1]
    assert "Found: AccountId, SystemModstamp" in report.rejected[1]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("Seats", "many", "Seats is not a whole number: 'many'"),
        ("Seats", "2.5", "Seats is not a whole number: '2.5'"),
        ("Revenue", "12 k", "Revenue is not a number: '12 k'"),
        ("Revenue", "inf", "Revenue is not a number: 'inf'"),
        ("IsDeleted", "maybe", "IsDeleted is not true or false: 'maybe'"),
        ("StartDate", "31.02.2024", "StartDate is not a date (2024-01-31): '31.02.2024'"),
        ("SystemModstamp", "yesterday", "SystemModstamp is not a time (2024-01-31 13:45:00): 'yesterday'"),
        ("SystemModstamp", "", "SystemModstamp is empty, but it is required"),
        (
            "SystemModstamp",
            "2025-01-12",
            "SystemModstamp is in the future: 2025-01-12 00:00:00 (this run's clock: 2025-01-10 12:00)",
        ),
        ("Id", "  ", "Id is empty, but it is part of the key"),
        ("Seats", "-3", "Seats is negative (Seats = -3)"),
    ],
)
@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_a_value_that_breaks_the_contract(landing, format_, column, value, reason):
    row = {"Id": "a1", "SystemModstamp": "2025-01-01 00:00:00", column: value}
    good = {**row, "Id": "a2", "SystemModstamp": "2025-01-01 00:00:00", column: None}
    good |= {name: text for name, text in (("Id", "a2"), ("SystemModstamp", "2025-01-01")) if good[name] is None}
    folder = landing.folder / "account"
    folder.mkdir()
    fields = ", ".join(f"unnest({[good[name], row[name]]!r}) as {name}".replace("None", "null") for name in row)
    option = {"csv": "format csv, header", "jsonl": "format json", "parquet": "format parquet"}[format_]
    landing.connection.execute(f"copy (select {fields}) to '{folder / f'1.{format_}'}' ({option})")
    report = landing.load()
    assert landing.ids() == ["a2"]
    ((file, line, said, raw),) = landing.quarantine()
    assert (file, line, said) == (f"account/1.{format_}", 3 if format_ == "csv" else 2, reason)
    assert value in raw
    assert report.quarantined == 1


def test_future_epochs_are_shown_as_dates(landing):
    landing.write("event/1.jsonl", '{"id": "e1", "received": 1893456000000}\n')
    landing.load("event")
    assert landing.quarantine()[0][2].startswith("received is in the future: 1893456000000 (2030-01-01 00:00:00)")


def test_duplicate_keys_within_a_file_and_against_what_is_loaded(landing, account):
    landing.accounts("1.csv", account("a1"), account("a1"), account("a1", stamp="2025-01-02"))
    landing.load()
    landing.accounts("2.csv", account("a1", stamp="2025-01-02", name="Other"), account("a2"))
    landing.load()

    def reason(stamp: str, line: int) -> str:
        key = f"Id = a1, SystemModstamp = {stamp} 00:00:00"
        return f"duplicate key {key}: already loaded from account/1.csv, line {line} (the first one was kept)"

    assert [entry[:3] for entry in landing.quarantine()] == [
        ("account/1.csv", 3, reason("2025-01-01", 2)),
    ]
    # The newest file is right: a formula's value may be another without a new version.
    assert landing.rows('select "Id", "Name" from raw_crm.account order by "_file", "_line"') == [
        ("a1", "Acme"),
        ("a1", "Other"),
        ("a2", "Acme"),
    ]


def test_lines_that_are_no_json(landing):
    landing.write(
        "event/1.jsonl",
        b'{"id": "e1"}\n{"id": "e2"\n[1]\n{"id": "caf\xe9"}\n{"id": "e5", "kind": "s\xc3\xbc\xc3\x9f"}\n{"id": "e6',
    )
    report = landing.load("event")
    assert landing.ids("event") == ["e1", "e5"]
    reasons = {line: (reason, raw) for _, line, reason, raw in landing.quarantine()}
    assert reasons[2][0].startswith("the line is not valid JSON")
    assert reasons[2][1] == '{"id": "e2"'
    assert reasons[3] == ("the line is not a JSON object", "[1]")
    assert "not UTF-8" in reasons[4][0]
    assert reasons[6][1] == '{"id": "e6'
    assert "line 4: the line is not UTF-8" in report.message


CUTS = (
    '{"id": "x1", "kind":',
    '{"id": "x1", "kind": ',
    '{"id":',
    '{"id": "x1", "kind": [',
    '{"id": "x1", "kind": "cl',
    '{"id": "x1",',
    "{",
    "[",
    '{"id": "x1"} {"id": "x2"}',
    '{"id": "x1"}}',
)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\r\n"])
def test_a_cut_line_takes_no_other_line_with_it(landing, cut, gap):
    lines = ['{"id": "e1", "kind": "a"}', cut, '{"id": "e2", "kind": "b", "only": 7}', cut, '{"id": "e3"}']
    landing.write("event/1.jsonl", gap.join(lines) + gap)
    report = landing.load("event")
    step = gap.count("\n")
    assert landing.rows('select id, kind, "only", "_line" from raw_crm.event order by id') == [
        ("e1", "a", None, 1),
        ("e2", "b", 7, 1 + 2 * step),
        ("e3", None, None, 1 + 4 * step),
    ]
    assert [(line, raw) for _, line, _, raw in landing.quarantine()] == [
        (1 + step, cut.strip()),
        (1 + 3 * step, cut.strip()),
    ]
    assert (report.new_rows, report.quarantined) == (3, 2)
    assert landing.rows("select rows, quarantined from raw_crm._manifest") == [(5, 2)]


def test_a_cut_line_leaves_the_other_files_alone(landing):
    landing.write("event/1.jsonl", '\ufeff{"id": "e1"}\n{"id":\n{"id": "e2", "received": "x"}\n{"id": "e3"}\n')
    landing.write("event/2.jsonl", '{"id": "e4"}\n\n{"id": "e5"}\n')
    landing.load("event")
    assert landing.rows('select id, "_file", "_line" from raw_crm.event order by id') == [
        ("e1", "event/1.jsonl", 1),
        ("e3", "event/1.jsonl", 4),
        ("e4", "event/2.jsonl", 1),
        ("e5", "event/2.jsonl", 3),
    ]
    quarantine = landing.quarantine()
    assert [(line, raw) for _, line, _, raw in quarantine] == [(2, '{"id":'), (3, '{"id": "e2", "received": "x"}')]
    assert quarantine[1][2] == "received is not a whole number: 'x'"


def test_files_and_folders_that_belong_to_nothing_are_told(landing, account):
    landing.accounts("1.csv", account("a1"))
    landing.write("account/2.docx", "binary")
    landing.write("account/3.csv.part", "still being written")
    landing.write("acount/1.csv", "Id\n")
    report = landing.load()
    assert report.rejected == (
        f"{landing.folder}/account/2.docx: files with .docx are not read. Export it as CSV, JSON, Excel or Parquet.",
    )
    assert f"{landing.folder}/acount/1.csv is not read" in report.message
    assert "Did you mean 'account'?" in report.message


def test_columns_that_cannot_be_told_apart(landing):
    landing.accounts("1.csv", "a1,x,y,2025-01-01", header="Id,Name,name,SystemModstamp")
    (rejected,) = landing.load().rejected
    assert "account/1.csv, line 1: the column Name, name is there more than once. Rename one" in rejected


def test_a_file_that_vanishes_before_it_is_read_is_named(landing, account):
    paths = [landing.accounts(f"{number}.csv", account(f"a{number}")) for number in range(3)]
    (entity, _) = landing.source.entities
    files = find_files(landing.folder, [entity]).files
    prepare_schema(landing.connection, landing.source)
    paths[1].unlink()
    report = load_entity(landing.connection, landing.source, entity, files["account"], landing.now)
    assert report.rejected == (f"{paths[1]} cannot be read (No such file or directory). Export it again.",)
    assert landing.ids() == ["a0", "a2"]


def test_a_file_over_a_limit_loads_when_the_limit_is_raised(landing, account):
    path = landing.accounts("1.csv", account("a1", name="x" * 2_000_000))
    landing.accounts("2.csv", account("a2"))

    def load(**limits):
        return load_source(landing.connection, landing.source, landing.folder, landing.now, limits=Limits(**limits))[0]

    for limit, found in (
        ({"file_size": 10**6}, "it has 2 MB, at most 1 MB are allowed. Split it, or raise `limits: file_size`"),
        (
            {"row_size": 10**6},
            "line 2 has more than 1 MB, at most 1 MB are allowed. Split it, or raise `limits: row_size`",
        ),
        ({"columns": 5}, "it has 7 columns, at most 5 are allowed. Split it, or raise `limits: columns`"),
    ):
        (told, *_) = load(**limit).rejected
        assert told.startswith(f"{path} is over a limit: {found}")
    assert load().rejected == ()
    assert landing.ids() == ["a1", "a2"]
    assert landing.quarantine() == []


def test_custom_columns_may_not_make_a_table_too_wide(landing):
    for number in range(3):
        names = ",".join(f"c{number}_{column}" for column in range(4))
        landing.accounts(f"{number}.csv", f"a{number},2025-01-01,1,2,3,4", header=f"Id,SystemModstamp,{names}")
    limits = Limits(columns=18)
    (report, _) = load_source(landing.connection, landing.source, landing.folder, landing.now, limits=limits)
    assert len(report.rejected) == 1
    assert "2.csv is over a limit: with it crm.account would have 22 columns, at most 18" in report.rejected[0]
    assert landing.ids() == ["a0", "a1"]


def test_one_wide_json_file_does_not_widen_the_others_beyond_the_limit(landing):
    wide = "".join(f', "c{number}": 1' for number in range(900))
    landing.write("event/1.jsonl", f'{{"id": "e0"{wide}}}\n')
    landing.write("event/2.jsonl", "".join(f'{{"id": "e{number}"}}\n' for number in range(1, 80_000)))
    report = landing.load("event")
    assert (report.rejected, report.new_rows) == ((), 80_000)
    assert landing.rows("select id, c899 from raw_crm.event where c899 is not null") == [("e0", 1)]


def test_a_folder_that_may_not_be_read_is_told(landing, account, as_user):
    landing.accounts("1.csv", account("a1"))
    landing.load()
    landing.folder.chmod(0)
    report = as_user(landing.load)
    landing.folder.chmod(0o700)
    assert (report.status, report.total_rows) == ("missing", 1)
    assert f"the folder {landing.folder} cannot be read (Permission denied)" in report.message


def test_a_file_that_may_be_read_again_is_loaded(landing, account, as_user):
    path = landing.accounts("1.csv", account("a1"))
    path.chmod(0)
    for _ in range(2):
        assert "Permission denied" in as_user(landing.load).rejected[0]
        assert len(landing.quarantine()) == 1
    path.chmod(0o600)
    assert landing.load().rejected == ()
    assert landing.ids() == ["a1"]
    assert landing.quarantine() == []


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), OSError(5, "EIO"), MemoryError()])
def test_what_fails_for_want_of_disk_or_memory_is_held_against_no_file(landing, account, monkeypatch, problem):
    landing.accounts("1.csv", account("a1"))

    def fail(path, known):
        raise problem

    with monkeypatch.context() as patched, pytest.raises(Exception, match=r".*"):
        patched.setattr(reading, "csv_header", fail)
        landing.load()
    assert landing.rows("select * from raw_crm._manifest") == []
    assert landing.load().new_rows == 1
