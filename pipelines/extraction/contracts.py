"""What an export must look like: the contract between a system and its raw tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipelines.spelling import did_you_mean, plain

DATE_ORDERS = {"day_first": "dmy", "month_first": "mdy"}
"""What a `date_format` may say without being a format."""


@dataclass(frozen=True)
class Figure:
    """
    Money in an entity's records, as a person adds it up by hand in the vendor's own columns.

    All is SQL over the newest version of each record, epochs being timestamps. Besides its columns there are
    `_smallest_units` (how many of the currency's smallest units one of it has), `_is_gone` (a full export lacks the
    record), `_first_export` (the time of an entity's export that had no history; null where there is a history) and
    `_free_plans` (`customers: {free_plans: true}`).
    """

    name: str
    """A figure that `pipelines/quality/reconciliation.py` finds in core: `won_deals`, `invoices` ..."""
    amount: str
    """In units of the currency."""
    currency: str
    day: str
    not_counted: Mapping[str, str] = field(default_factory=dict)
    """Why a record does not count → SQL condition. The first that holds is the reason."""
    digits: Mapping[str, int] = field(default_factory=dict)
    """Currency → digits of its smallest unit, where the vendor counts otherwise than ISO 4217."""


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
    """Format of dates and times in text exports, as in strptime (`%m/%d/%Y`), or only the order of day and month:
    `day_first` or `month_first`; None: ISO 8601, or what all values of a column say."""
    required: tuple[str, ...] = ()
    """Columns besides the key that may not be null."""
    rules: Mapping[str, str] = field(default_factory=dict)
    """Reason → SQL condition over the columns; a row for which it is false is quarantined (null passes)."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What a row is → SQL condition over the columns; where it is true the row is no record of the company (a vendor's
    test mode). It is put aside and told, and is no fault of the export."""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column → what exports call it besides, the likeliest first: the labels of the vendor's export button, or the path
    of a nested field (`via.channel`). Case, blanks and signs do not matter: `Create Date` is `createdate` anyway."""
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Those labels that `sources.yaml` gives."""
    files: tuple[str, ...] = ()
    """Patterns of the names that the vendor's export gives its files, besides the entity's own name (`*_unified*`)."""
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column → the words that core knows; any other counts as `other` there, and is told when it first appears. Case,
    blanks and hyphens do not matter."""
    is_optional: bool = False
    """Many companies use the system without it: that there is no export of it is no finding."""
    inside: "Inside | None" = None
    """Where the records also come along in the records of another entity."""
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column → the entities of which one has that key; `system.entity` for another system's."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Column → the form of its identifiers (`values.keys.FORMS`), where that is not the source's `key_form`."""
    deal: Mapping[str, str] = field(default_factory=dict)
    """Of deals, which may stand in two systems: the columns with the `name`, `amount`, `date` of the close, and the key
    of the `company`, a reference to records whose column `name` has its name."""
    figures: tuple[Figure, ...] = ()
    """The money in its records, to be found again in core and in what is published."""
    not_in_core: Mapping[str, str] = field(default_factory=dict)
    """Why core has no row of a record → SQL condition with aggregates over all versions of it (`bool_and(...)`)."""

    @property
    def strptime(self) -> str | None:
        """The `date_format`, where it is a format."""
        return None if self.date_format in DATE_ORDERS else self.date_format

    @property
    def date_order(self) -> str:
        """`dmy` or `mdy`, where the `date_format` says which of day and month is first; else empty."""
        written = self.date_format or ""
        day, month = (written.find(sign) for sign in ("%d", "%m"))
        by_format = "" if min(day, month) < 0 else "dmy" if day < month else "mdy"
        return DATE_ORDERS.get(written, by_format)

    @property
    def filled(self) -> tuple[str, ...]:
        """Columns that an export of today's state may lack: they are filled with the time of the export."""
        return tuple(dict.fromkeys(name for name in (self.version, self.time) if name)) if self.version else ()

    def names(self) -> dict[str, str]:
        """All names that exports have for the columns, plain → the column; nested fields are in `nested`."""
        labels = {plain(label): column for column, some in self.labels.items() for label in some if "." not in label}
        return labels | {plain(column): column for column in self.columns}

    def nested(self) -> dict[str, str]:
        """The paths of nested fields → the column."""
        return {label: column for column, some in self.labels.items() for label in some if "." in label}


@dataclass(frozen=True)
class Inside:
    """Records within the records of another entity: a ticket's comments, a ticket's rating."""

    entity: str
    field: str
    """The parent's field that holds the list of them, or the one."""
    keys: Mapping[str, str]
    """Column → the parent's field that it is taken from, where the record does not have it itself."""
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column → the values of those that are records at all."""


@dataclass(frozen=True)
class Source:
    """One system whose exports are loaded into the schema `raw_<name>`."""

    name: str
    description: str
    entities: tuple[Entity, ...]
    owner: str = "team:data"
    encoding: str | None = None
    """Of text exports that are not UTF-8, where the user says it."""
    export: str | None = None
    """`full` where each export has every record, so that what is missing has ended; `incremental` where each has what
    changed; None where the user does not say."""
    kinds: tuple[str, ...] = ()
    key_form: str = ""
    """The form of its identifiers, wherever they stand in it: one of `values.keys.FORMS`."""

    def mapped(
        self, files: Mapping[str, tuple[str, ...]], columns: Mapping[str, Mapping[str, tuple[str, ...]]]
    ) -> "Source":
        """
        The source with a user's names of files and columns, which come before the vendor's.

        Raises ValueError for an entity or a column that there is not.
        """
        names = [entity.name for entity in self.entities]
        for name in (*files, *columns):
            if name not in names:
                raise ValueError(
                    f"{self.name} has no entity '{name}'.{did_you_mean(name, names)} There are: {', '.join(names)}."
                )
        entities = []
        for entity in self.entities:
            labels = dict(entity.labels)
            for column, some in columns.get(entity.name, {}).items():
                if column not in entity.columns:
                    hint = did_you_mean(column, entity.columns)
                    raise ValueError(f"{self.name}.{entity.name} has no column '{column}'.{hint}")
                labels[column] = (*some, *labels.get(column, ()))
            patterns = (*files.get(entity.name, ()), *entity.files)
            given = columns.get(entity.name, {})
            entities.append(replace(entity, labels=labels, given=given, files=patterns))
        return replace(self, entities=tuple(entities))
