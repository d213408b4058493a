"""Tables behind an address: `https://` and what DuckDB's httpfs reads, such as `s3://`. They are copied, then read."""

import importlib.util
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipelines.database import literal

if TYPE_CHECKING:
    import duckdb

ADDRESS = re.compile(r"^(?:https?|s3|gcs|gs|r2)://", re.IGNORECASE)
EXTENSION = "duckdb_extension_httpfs"
"""A package that brings the extension, for machines that may not download it (`pip install .[remote]`)."""
S3_SETTINGS = {
    "key_id": "AWS_ACCESS_KEY_ID",
    "secret": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "region": "AWS_REGION",
    "endpoint": "AWS_ENDPOINT_URL",
}
"""What DuckDB's secret for S3 is made of → the environment variable that has it."""


class NotReachable(ValueError):
    """The table behind an address cannot be had; the message says which, why, and what to do."""


def is_address(location: str) -> bool:
    """Whether a location is an address and no path."""
    return bool(ADDRESS.match(location))


def without_query(location: str) -> str:
    """An address as messages show it: what follows `?` may hold a signature, what stands before `@` a password."""
    if not is_address(location):
        return location
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def copied(address: str, folder: Path) -> Path:
    """
    A copy in the folder of the one file behind an address, called as it is called there.

    S3's credentials come from the environment (`AWS_ACCESS_KEY_ID` and so on), without them the file must be public.
    Raises `NotReachable`.
    """
    import duckdb

    shown = without_query(address)
    if "*" in shown:
        raise NotReachable(f"{shown} stands for several files; name one.")
    copy = folder / (unquote(PurePosixPath(urlsplit(address).path).name) or "table").replace("/", "_")
    with duckdb.connect() as connection:
        _load_extension(connection, shown)
        try:
            if secret := _s3_secret():
                connection.execute(secret)
            found = connection.execute("select content from read_blob(?)", [address]).fetchone()
        except duckdb.Error as problem:
            why = str(problem).splitlines()[0].replace(address, shown)
            raise NotReachable(f"{shown} cannot be read: {why}. Check the address and who may read it.") from None
    if found is None:
        raise NotReachable(f"There is no file {shown}.")
    copy.write_bytes(found[0])
    return copy


def _load_extension(connection: "duckdb.DuckDBPyConnection", shown: str) -> None:
    """Load httpfs: from the package, else as DuckDB has it, else downloaded by DuckDB."""
    import duckdb

    package = importlib.util.find_spec(EXTENSION)
    files = [] if package is None else Path(package.origin).parent.glob(f"extensions/v{duckdb.__version__}/*")
    tried = [[f"load {literal(str(file))}"] for file in files]
    for statements in [*tried, ["load httpfs"], ["install httpfs", "load httpfs"]]:
        try:
            for statement in statements:
                connection.execute(statement)
        except duckdb.Error:
            continue
        return
    raise NotReachable(
        f"{shown} cannot be read: DuckDB's extension httpfs is not there and cannot be downloaded (no network?)."
        " Download the file and name it here, or install the extension: pip install 'scorecast[remote]'."
    )


def _s3_secret() -> str | None:
    """SQL that tells DuckDB the credentials of the environment; None without any."""
    known = {name: os.environ[variable] for name, variable in S3_SETTINGS.items() if os.environ.get(variable)}
    if "key_id" not in known:
        return None
    settings = [f"{name} {literal(value)}" for name, value in known.items() if name != "endpoint"]
    if endpoint := known.get("endpoint"):
        parts = urlsplit(endpoint)
        use_ssl = "false" if parts.scheme == "http" else "true"
        settings += [f"endpoint {literal(parts.netloc)}", f"use_ssl {use_ssl}", "url_style 'path'"]
    return f"create or replace secret (type s3, {', '.join(settings)})"
