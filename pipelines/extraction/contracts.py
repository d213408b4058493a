"""What an export must look like: the contract between a system and its raw tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entity:
    """One kind of record in a system's export; becomes the table `raw_<source>.<name>`.

    Columns that are not listed here pass through with the type they have in the export, so a company's own
    custom fields need no edit. A listed column that an export lacks is null.
    """

    name: str
    """Raw table and folder below the source's folder."""
    description: str
    columns: Mapping[str, str]
    """The vendor's column name to its DuckDB type."""
    key: tuple[str, ...]
    """Identifies a record. Never null, and unique together with `version`."""
    version: str | None = None
    """The column that says when this version of the record was written; None for records that never change."""
    time: str | None = None
    """The column that says when the row became known (for freshness, the run's date, and the check of the future)."""
    time_unit: str = "timestamp"
    """Type of `time`: `timestamp`, `date`, `epoch_s` or `epoch_ms`."""
    epochs: tuple[str, ...] = ()
    """Other columns with the same unit as `time`; a value of no plausible year is quarantined."""
    date_format: str | None = None
    """Format of dates and times in text exports, as in strptime (`%m/%d/%Y`); None: ISO 8601."""
    required: tuple[str, ...] = ()
    """Columns besides the key that may not be null."""
    rules: Mapping[str, str] = field(default_factory=dict)
    """Reason → SQL condition over the columns; a row for which it is false is quarantined (null passes)."""


@dataclass(frozen=True)
class Source:
    """One system whose exports are loaded into the schema `raw_<name>`."""

    name: str
    description: str
    entities: tuple[Entity, ...]
    owner: str = "team:data"
    kinds: tuple[str, ...] = ()
