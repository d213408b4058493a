from pipelines.database import connect_in_memory
from pipelines.publishing.summary import SHOWN_WARNINGS, identity_warnings


def test_what_the_identity_report_warns_of_is_told_the_largest_of_each_topic_first():
    with connect_in_memory() as connection:
        connection.execute(
            "create table identity_report"
            " (topic varchar, names bigint, unmatched bigint, records bigint, warning varchar)"
        )
        assert identity_warnings(connection, ["accounts"]) == []
        connection.execute(
            "insert into identity_report values ('keys', null, 5, 9, 'few keys'), ('keys', null, 50, 90, 'many keys'),"
            " ('group', 30, null, 40, 'a large group'), ('joined', null, null, 900, null)"
        )
        told = identity_warnings(connection, ["accounts", "identity_report"])
        assert told == ["a large group", "many keys", "few keys"]
        connection.execute("insert into identity_report values ('deals in two systems', null, 5, null, 'Twice.')")
        (twice,) = [each for each in identity_warnings(connection, ["identity_report"]) if each.startswith("Twice.")]
        assert "`scorecast forget <system>/<file>` takes it back" in twice
        connection.execute("delete from identity_report where warning = 'Twice.'")
        connection.execute("insert into identity_report select 'group', n, null, 1, 'group ' || n from range(10) t(n)")
        told = identity_warnings(connection, ["identity_report"])
        assert told[-1] == f"and {13 - SHOWN_WARNINGS} more warnings of identity_report"
        assert len(told) == SHOWN_WARNINGS + 1
