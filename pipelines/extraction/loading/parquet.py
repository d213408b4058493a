"""What a Parquet file promises in its footer: the names of its columns, and how much it becomes when it is read."""

from typing import TYPE_CHECKING

from pipelines.database import literal
from pipelines.extraction.checking import base_type
from pipelines.extraction.files import LandedFile, in_bytes, over_limit

if TYPE_CHECKING:
    import duckdb

VALUE_BYTES = 8
"""Of a value in memory that is no text."""


def parquet_columns(connection: "duckdb.DuckDBPyConnection", file: LandedFile) -> tuple[list[str], list[str]]:
    """The names of a file's columns as they stand there, and the types that DuckDB reads them with."""
    path = literal(str(file.path))
    described = connection.execute(f"describe select * from read_parquet({path}, hive_partitioning = false)").fetchall()
    tree = connection.execute(f"select name, coalesce(num_children, 0) from parquet_schema({path})").fetchall()
    names, below = [], 0
    for name, children in tree[1:]:
        if not below:
            names.append(name)
        below += children - (1 if below else 0)
    if len(names) != len(described):
        names = [row[0] for row in described]
    return names, [row[1].lower() for row in described]


def check_expansion(connection: "duckdb.DuckDBPyConnection", file: LandedFile, types: list[str]) -> None:
    """
    Raise `UnreadableFileError` for a file that becomes far more than it is when it is read, or has a huge value.

    A text that is repeated is in the file only once: where the footer does not rule out that such texts are too much,
    their lengths are added up, which copies none of them.
    """
    path, allowed, row_size = literal(str(file.path)), file.limits.expanded(file.size), file.limits.row_size
    values, repeated, largest = connection.execute(
        f"""
        select
            coalesce(sum(greatest(row_group_num_rows, num_values, 0)), 0),
            coalesce(sum(greatest(row_group_num_rows, num_values, 0)::hugeint * greatest(total_uncompressed_size, 0))
                filter (is_text and encodings ~ '.*(DICTIONARY|DELTA).*'), 0),
            coalesce(max(total_uncompressed_size) filter (is_text), 0)
        from (select *, type like '%BYTE_ARRAY%' as is_text from parquet_metadata({path}))
        """
    ).fetchone()
    size, longest = int(values) * VALUE_BYTES, 0
    if size <= allowed and (repeated > allowed or largest > row_size):
        texts = [
            f"octet_length(c{position})" if base_type(type_) == "blob" else f"strlen(c{position}::varchar)"
            for position, type_ in enumerate(types)
            if base_type(type_) in ("varchar", "blob", "struct", "list", "map")
        ]
        names = ", ".join(f"c{position}" for position in range(len(types)))
        if texts:
            *sums, longest = connection.execute(
                f"select {', '.join(f'coalesce(sum({text}), 0)' for text in texts)},"
                f" greatest({', '.join(f'coalesce(max({text}), 0)' for text in texts)})"
                f" from read_parquet({path}, hive_partitioning = false) as t({names})"
            ).fetchone()
            size += int(sum(sums))
    if size > allowed:
        found = f"its {in_bytes(file.size)} become {in_bytes(size)} when they are read"
        raise over_limit(file, "expansion", found, f"{in_bytes(allowed)} ({file.limits.expansion:,} times its size)")
    if longest > row_size:
        raise over_limit(file, "row_size", f"a value has {in_bytes(longest)}", in_bytes(row_size))
