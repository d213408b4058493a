"""`sources.yaml`: which systems there are, where their exports lie, and the few settings of a run."""

import codecs
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipelines.extraction.contracts import DATE_ORDERS, Source
from pipelines.extraction.money import MoneySettings
from pipelines.settings import data_dir, project_root, sources_file
from pipelines.spelling import did_you_mean
from pipelines.values.currencies import decimals
from pipelines.values.written_yaml import yaml_loader

SETTINGS = (
    "sample",
    "sources",
    "as_of",
    "timezone",
    "failure_webhook",
    "quarantine_limit",
    "row_count_range",
    "stale_after_days",
    "limits",
    "reporting_currency",
    "exchange_rates",
    "customers",
)
SOURCE_SETTINGS = ("folder", "files", "columns", "links", "time_zone", "encoding", "date_format", "export", "currency")
CUSTOMER_SETTINGS = ("free_plans",)
EXPORT_KINDS = ("full", "incremental")
SAMPLE_SETTINGS = ("accounts", "months", "seed")
DEFAULT_TIMEZONE = "UTC"
DEFAULT_QUARANTINE_LIMIT = 0.05
DEFAULT_ROW_COUNT_RANGE = (0.7, 1.5)
DEFAULT_STALE_AFTER_DAYS = 7
UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
FREE_EXPANSION = 10**9
"""Bytes that any file may take when it is read, however small: a column of one value is a few bytes in Parquet."""


class ConfigurationError(ValueError):
    """`sources.yaml` cannot be used; the message says where and what to write instead."""


@dataclass(frozen=True)
class Limits:
    """Upper limits of an export's file; a larger one is refused before it is read."""

    file_size: int = 20 * 10**9
    """Bytes of a file."""
    row_size: int = 64 * 10**6
    """Bytes of a line, and of a value in a Parquet file."""
    columns: int = 2000
    """Columns of a file, and of a raw table."""
    expansion: int = 1000
    """How many times its size a file may take when it is read."""

    def expanded(self, size: int) -> int:
        """How many bytes a file of `size` bytes may take when it is read."""
        return max(FREE_EXPANSION, self.expansion * size)


@dataclass(frozen=True)
class SourceSettings:
    """What `sources.yaml` says about one system's exports."""

    folder: Path
    """Absolute path."""
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Entity → patterns of its files' names."""
    columns: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Entity → the contract's column → what the export calls it."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Entity → address of one of its records in the system, with `{id}` for the record's key."""
    time_zone: str | None = None
    """Of times that are written without one."""
    encoding: str | None = None
    """Of text that is not UTF-8."""
    export: str | None = None
    """Whether an export has every record (`full`) or what changed (`incremental`)."""
    date_format: str | None = None
    """Of its dates and times: `day_first`, `month_first` or a format as in strptime."""
    currency: str | None = None
    """Of its amounts that come without one."""
    only: frozenset[Path] | None = None
    """Its files, where `scorecast check` looks into a folder that has others' too; None: all of the folder's."""


@dataclass(frozen=True)
class Configuration:
    """The settings of `sources.yaml`."""

    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    """System → its exports. A system that is not listed is absent."""
    sample: Mapping[str, int] | None = None
    """Size of the sample company, whose exports are written if there are none; None: no sample."""
    as_of: date | None = None
    """The run's date; None: the latest day in the data."""
    timezone: str = DEFAULT_TIMEZONE
    """The schedules' time zone."""
    failure_webhook: str | None = None
    """Where a failed run is posted."""
    quarantine_limit: float = DEFAULT_QUARANTINE_LIMIT
    """The share of an entity's new rows in quarantine above which the run stops."""
    row_count_range: tuple[float, float] = DEFAULT_ROW_COUNT_RANGE
    """A release is refused when a table's rows leave this range of the last release's."""
    stale_after_days: int = DEFAULT_STALE_AFTER_DAYS
    """A source whose newest data is older than this is said to be."""
    limits: Limits = field(default_factory=Limits)
    """Upper limits of an export's file."""
    money: MoneySettings = field(default_factory=MoneySettings)
    """How amounts are added up."""

    def mapped(self, source: Source) -> Source:
        """The source as the company's own exports have it. Raises `ConfigurationError` for names that there are not."""
        settings = self.sources[source.name]
        names = [entity.name for entity in source.entities]
        for name in settings.links:
            if name not in names:
                raise ConfigurationError(
                    f"{sources_file()}: sources: {source.name}: links: {source.name} has no entity '{name}'."
                    f"{did_you_mean(name, names)} There are: {', '.join(names)}."
                )
        try:
            mapped = source.mapped(settings.files, settings.columns)
        except ValueError as problem:
            raise ConfigurationError(f"{sources_file()}: sources: {source.name}: {problem}") from None
        mapped = replace(mapped, encoding=settings.encoding, export=settings.export)
        if settings.date_format is None:
            return mapped
        return replace(
            mapped, entities=tuple(replace(entity, date_format=settings.date_format) for entity in mapped.entities)
        )

    @property
    def folders(self) -> dict[str, Path]:
        """System → absolute path of its exports."""
        return {name: source.folder for name, source in self.sources.items()}


def has_day(written: object) -> bool:
    """Whether a text is a format of strptime by which a day can be read."""
    day = datetime(2026, 5, 3)
    try:
        return isinstance(written, str) and datetime.strptime(day.strftime(written), written).date() == day.date()
    except (ValueError, re.error):
        return False


def known_sources() -> list[str]:
    """The systems that have a file in `assets/sources/`."""
    folder = project_root() / "assets" / "sources"
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def read_configuration(path: Path | None = None) -> Configuration:
    """
    Read `sources.yaml`, or another file of its shape.

    A relative folder is relative to the data folder (`data/`, or `SCORECAST_DATA`). `${NAME}` in a text is the
    environment variable of that name. Raises `ConfigurationError`.
    """
    import yaml

    path = path or sources_file()
    if not path.exists():
        raise ConfigurationError(
            f"{path} is not there. It says where the exports are; restore it, or point SCORECAST_SOURCES at yours."
        )
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise ConfigurationError(
            f"{path} cannot be read: {problem.strerror}. Give this user the right to it."
        ) from None
    except UnicodeDecodeError as problem:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {problem.start}). Save it as UTF-8.") from None
    try:
        settings = _parsed(text)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = getattr(problem, "problem", None) or "not YAML"
        raise ConfigurationError(f"{path}{where}: {what}. Check the indentation and the colons there.") from None
    return _Reader(path, text).configuration(settings)


@lru_cache(maxsize=4)
def _parsed(text: str) -> object:
    """The YAML, which every source's definitions ask for; nobody changes what it returns."""
    import yaml

    return yaml.load(text, Loader=yaml_loader()) or {}


class _Reader:
    """Turns the parsed YAML into a configuration; keeps the text to name lines in messages."""

    def __init__(self, path: Path, text: str):
        self.path, self.lines = path, text.splitlines()

    def problem(self, key: str, what: str) -> ConfigurationError:
        line = next(
            (n for n, line in enumerate(self.lines, 1) if re.match(rf"\s*['\"]?{re.escape(key)}\b", line)), None
        )
        return ConfigurationError(f"{self.path}{f', line {line}' if line else ''}: {what}")

    def mapping(self, key: str, value: object) -> dict:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.problem(key, f"'{key}' must be a block of `name: value` lines, not {value!r}.")
        return value

    def known(self, key: object, allowed: "tuple[str, ...] | list[str]", kind: str) -> None:
        if key in allowed:
            return
        hint = did_you_mean(key, allowed) or f" There are: {', '.join(allowed)}."
        raise self.problem(str(key), f"there is no {kind} '{key}'.{hint}")

    def configuration(self, settings: object) -> Configuration:
        settings = self.mapping(self.path.name, settings)
        for key in settings:
            self.known(key, SETTINGS, "setting")
        sources = self.sources(settings.get("sources"))
        return Configuration(
            sources=sources,
            sample=self.sample(settings["sample"]) if settings.get("sample") is not None else None,
            as_of=self.as_of(settings.get("as_of")),
            timezone=self.zone("timezone", settings.get("timezone") or DEFAULT_TIMEZONE),
            failure_webhook=self.resolved("failure_webhook", settings.get("failure_webhook")),
            quarantine_limit=self.share(settings.get("quarantine_limit")),
            row_count_range=self.row_count_range(settings.get("row_count_range")),
            stale_after_days=self.days("stale_after_days", settings.get("stale_after_days", DEFAULT_STALE_AFTER_DAYS)),
            limits=self.limits(settings.get("limits")),
            money=self.money(settings, {name: each.currency for name, each in sources.items() if each.currency}),
        )

    def money(self, settings: dict, by_source: Mapping[str, str]) -> MoneySettings:
        customers = self.mapping("customers", settings.get("customers"))
        for key in customers:
            self.known(key, CUSTOMER_SETTINGS, "setting of customers")
        free_plans = customers.get("free_plans", False)
        if not isinstance(free_plans, bool):
            raise self.problem("free_plans", f"'free_plans' must be true or false, not {free_plans!r}.")
        currency = self.currency("reporting_currency", settings.get("reporting_currency"))
        rates = self.resolved("exchange_rates", settings.get("exchange_rates"))
        if rates and not currency:
            raise self.problem(
                "exchange_rates", "'exchange_rates' needs `reporting_currency: EUR` (or another) beside it."
            )
        return MoneySettings(
            reporting_currency=currency,
            exchange_rates=(data_dir() / Path(rates).expanduser()).resolve() if rates else None,
            free_plans=free_plans,
            by_source=by_source,
        )

    def currency(self, key: str, value: object) -> str | None:
        if value is None:
            return None
        code = str(value).strip().upper()
        if code not in decimals():
            raise self.problem(key, f"'{key}' must be a code of ISO 4217 such as EUR, not {value!r}.")
        return code

    def sources(self, value: object) -> dict[str, SourceSettings]:
        systems = known_sources()
        sources = {}
        for name, given in self.mapping("sources", value).items():
            self.known(name, systems, "source")
            settings = given if isinstance(given, dict) else {"folder": given}
            for key in settings:
                self.known(key, SOURCE_SETTINGS, "setting of a source")
            folder = settings.get("folder")
            if not isinstance(folder, str):
                raise self.problem(
                    name, f"'{name}' must be a folder, such as `{name}: landing/{name}`, not {folder!r}."
                )
            zone = settings.get("time_zone")
            sources[name] = SourceSettings(
                folder=(data_dir() / Path(self.resolved(name, folder) or "").expanduser()).resolve(),
                files={
                    entity: self.texts(entity, some)
                    for entity, some in self.mapping("files", settings.get("files")).items()
                },
                columns={
                    entity: {column: self.texts(column, label) for column, label in self.mapping(entity, some).items()}
                    for entity, some in self.mapping("columns", settings.get("columns")).items()
                },
                links={
                    entity: self.link(entity, template)
                    for entity, template in self.mapping("links", settings.get("links")).items()
                },
                time_zone=None if zone is None else self.zone("time_zone", zone),
                encoding=self.encoding(settings.get("encoding")),
                export=self.export(settings.get("export")),
                date_format=self.date_format(settings.get("date_format")),
                currency=self.currency("currency", settings.get("currency")),
            )
        return sources

    def export(self, value: object) -> str | None:
        if value is None or value in EXPORT_KINDS:
            return value
        raise self.problem(
            "export",
            f"'export' must be full (each has every record) or incremental (each has what changed), not {value!r}.",
        )

    def texts(self, key: object, value: object) -> tuple[str, ...]:
        """A text, or several."""
        some = value if isinstance(value, list) else [value]
        if not some or not all(isinstance(each, str) and each for each in some):
            raise self.problem(str(key), f"'{key}' must be a text, or a list of texts, not {value!r}.")
        return tuple(some)

    def link(self, entity: object, value: object) -> str:
        """The address of a record, with `{id}` for its key."""
        template = self.resolved(str(entity), value) or ""
        example = f'such as {entity}: "https://crm.example/{{id}}"'
        if re.findall(r"\{.*?\}", template) != ["{id}"]:
            raise self.problem(
                str(entity), f"the link of '{entity}' must have {{id}} once, where the record's key goes, {example}."
            )
        try:
            is_address = urlsplit(template).scheme in ("http", "https") and urlsplit(template).hostname
        except ValueError:
            is_address = False
        if not is_address or re.search(r"[\s<>\"]", template):
            raise self.problem(
                str(entity),
                f"the link of '{entity}' must be an address of http or https without blanks, {example}, not {value!r}.",
            )
        return template

    def encoding(self, value: object) -> str | None:
        if value is None:
            return None
        try:
            return codecs.lookup(str(value)).name
        except LookupError:
            raise self.problem(
                "encoding", f"there is no encoding '{value}'. Write one such as cp1252 or utf-16."
            ) from None

    def date_format(self, value: object) -> str | None:
        if value is None or value in DATE_ORDERS or has_day(value):
            return value
        raise self.problem(
            "date_format", f"'date_format' must be day_first, month_first or a format such as %d/%m/%Y, not {value!r}."
        )

    def sample(self, value: object) -> dict[str, int]:
        sample = self.mapping("sample", value)
        for key, number in sample.items():
            self.known(key, SAMPLE_SETTINGS, "sample setting")
            if not isinstance(number, int) or isinstance(number, bool) or number < (0 if key == "seed" else 1):
                raise self.problem(key, f"'{key}' must be a whole number, not {number!r}.")
        return sample

    def as_of(self, value: object) -> date | None:
        if value is None or (isinstance(value, date) and not hasattr(value, "hour")):
            return value
        raise self.problem("as_of", f"'as_of' must be a date such as 2025-06-30, not {value!r}.")

    def zone(self, key: str, value: object) -> str:
        try:
            ZoneInfo(str(value))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise self.problem(key, f"there is no time zone '{value}'. Write one such as Europe/Berlin.") from None
        return str(value)

    def share(self, value: object) -> float:
        if value is None:
            return DEFAULT_QUARANTINE_LIMIT
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise self.problem("quarantine_limit", f"'quarantine_limit' must be a share from 0 to 1, not {value!r}.")
        return float(value)

    def days(self, key: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.problem(key, f"'{key}' must be a whole number of days from 1 on, such as 7, not {value!r}.")
        return value

    def row_count_range(self, value: object) -> tuple[float, float]:
        if value is None:
            return DEFAULT_ROW_COUNT_RANGE
        are_numbers = isinstance(value, list) and all(
            isinstance(number, (int, float)) and not isinstance(number, bool) for number in value
        )
        if not are_numbers or len(value) != 2 or not 0 <= value[0] <= 1 <= value[1] < math.inf:
            raise self.problem(
                "row_count_range",
                "'row_count_range' must be two multiples of the last release's rows, the lowest from 0 to 1 and the"
                f" highest from 1 on, such as [0.7, 1.5], not {value!r}.",
            )
        return float(value[0]), float(value[1])

    def limits(self, value: object) -> Limits:
        limits = self.mapping("limits", value)
        names = tuple(field.name for field in fields(Limits))
        for key in limits:
            self.known(key, names, "limit")
        return Limits(**{key: self.limit(key, value) for key, value in limits.items()})

    def limit(self, key: str, value: object) -> int:
        """A size in bytes, or a count."""
        is_size = key.endswith("_size")
        found = re.fullmatch(r"(\d{1,12}) *([kMGT]B)" if is_size else r"(\d{1,12})", str(value).strip(), re.IGNORECASE)
        number = int(found[1]) * (UNITS[found[2].lower()] if is_size else 1) if found else 0
        if number < 1:
            example = "a size such as 500 MB or 20 GB" if is_size else "a whole number from 1 on"
            raise self.problem(key, f"'{key}' must be {example}, not {value!r}.")
        return number

    def resolved(self, key: str, value: object) -> str | None:
        """A text with `${NAME}` replaced; None for a webhook whose variable is not set."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.problem(key, f"'{key}' must be a text, not {value!r}.")
        missing = [name for name in re.findall(r"\$\{(\w+)\}", value) if name not in os.environ]
        if missing and key == "failure_webhook":
            return None
        if missing:
            raise self.problem(
                key, f"the environment variable {missing[0]} is not set. Set it, or write the value here."
            )
        return re.sub(r"\$\{(\w+)\}", lambda match: os.environ[match[1]], value) or None
