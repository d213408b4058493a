"""
Do the figures come through? Rows and money of the exports, added up from the raw tables, against core and published.

What a source's contract says of its figures (`Figure`, `Entity.not_in_core`) knows nothing of staging and core, so a
fault there shows as a rest that nothing explains.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipelines.database import literal, quoted
from pipelines.extraction.checking import LEFT_OUT
from pipelines.extraction.checkup import KIND, in_time, latest
from pipelines.extraction.contracts import Entity, Figure, Source
from pipelines.values.currencies import decimals

if TYPE_CHECKING:
    import duckdb

CENT = 0.01
MOST_MONTHS = 3
"""That are told of a figure that does not close."""
START, EXPLAINED, END, UNEXPLAINED = "start", "explained", "end", "unexplained"
TO_CORE, TO_PUBLISHED = "files to core", "core to published"
ROWS = "rows"
RECONCILIATION = {
    "line_id": "varchar",
    "figure": "varchar",
    "comparison": "varchar",
    "source_system": "varchar",
    "entity": "varchar",
    "currency": "varchar",
    "month_start_date": "date",
    "step_number": "integer",
    "role": "varchar",
    "step": "varchar",
    "rows": "bigint",
    "amount": "double",
    "as_of_date": "date",
}
STAGED = re.compile(r"source\('raw_(\w+)', '(\w+)'\), \{([^}]*)")
"""The raw table that a staging model reads, and the columns that it takes of it."""
VENDORS = re.compile(r": \['([^']+)'")


@dataclass(frozen=True)
class InCore:
    """Where a figure is found again; SQL over a core table's columns."""

    table: str
    amount: str
    day: str
    counts: str
    published: str | None = None
    """The column of `published.account_amounts`, if one has it."""
    rounded: float = 0.0
    """By how much it may be beside, of one company."""


FIGURES = {
    "won_deals": InCore("opportunities", "amount", "close_date", "is_won and deleted_at is null", "won_amount"),
    "open_deals": InCore("opportunities", "amount", "close_date", "is_open", "open_amount"),
    "invoices": InCore(
        "invoices",
        "latest_amount",
        "occurred_at",
        "coalesce(latest_status, 'open') in ('open', 'paid', 'uncollectible')",
        "amount_invoiced",
    ),
    "paid_invoices": InCore(
        "invoices", "latest_amount_paid", "occurred_at", "latest_status = 'paid'", published="amount_paid"
    ),
    "payments": InCore("payments", "amount", "occurred_at", "true"),
    # a company's month is in whole cents, and a year twelve times that
    "recurring_revenue": InCore("subscriptions", "mrr * 12", "started_at", "is_active", "arr", rounded=12 * CENT / 2),
}
"""Money that is compared; recurring revenue is a year's."""
RECORDS_IN_CORE = {
    "accounts": ("account_records", "count(distinct account_key)", "true"),
    "contacts": ("contact_records", "count(distinct contact_key)", "true"),
    "campaign_touches": ("campaign_touches", "count(*)", "type = 'reached'"),
    "posts": ("posts", "count(*)", "kind = 'post'"),
    "reviews": ("posts", "count(*)", "kind = 'review'"),
}
"""Staging entity → the core table, how its records are counted, and which; any other is a core table of its name."""
ENTITIES = {"accounts": "account", "people": "person"}
"""Core tables of what several systems know together → what their links call it."""


class Cell(NamedTuple):
    """What is compared by itself."""

    figure: str
    comparison: str
    source_system: str | None
    entity: str | None
    currency: str | None = None
    month: date | None = None


class Line(NamedTuple):
    """One step from the start to the end of a cell; `rows` and `amount` are negative where they explain a lack."""

    cell: Cell
    role: str
    step: str
    rows: int | None
    amount: float | None

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left: no row, and less than half a cent."""
        return self.role != UNEXPLAINED or (
            not self.rows and self.rows is not None and abs(self.amount or 0) < CENT / 2
        )


def reconcile(connection: "duckdb.DuckDBPyConnection", sources: Sequence[Source], staging: Path) -> list[Line]:
    """
    Every step from the files to core and from core to published, as lines; nothing is written.

    `staging`: the folder of the staging models, which says what feeds what. Cells whose tables are not there are left
    out; one that cannot be computed (its contract's SQL does not fit) has a line that says why.
    """
    return _computed(Cell(ROWS, TO_CORE, None, None), _all_lines(_Warehouse(connection), sources, staging))


def _all_lines(warehouse: "_Warehouse", sources: Sequence[Source], staging: Path) -> Iterator[Line]:
    fed = staged_from(staging, sources)
    in_core = warehouse.core_rows(name for source in sources for names in fed[source.name].values() for name in names)
    for source in sources:
        yield from _rows_of_source(warehouse, source, fed[source.name], in_core)
        for entity in source.entities:
            for figure in entity.figures if warehouse.has(f"raw_{source.name}", entity.name) else ():
                cell = Cell(figure.name, TO_CORE, source.name, entity.name)
                if figure.name not in FIGURES:
                    yield _uncomputed(cell, f"there is no such figure, but {', '.join(FIGURES)}")
                elif warehouse.has("core", FIGURES[figure.name].table):
                    yield from _computed(cell, _money(warehouse, cell, source, entity, figure))
    if warehouse.has("core", "accounts"):
        for table, name in ENTITIES.items():
            yield from _computed(Cell(ROWS, TO_CORE, None, table), _entities(warehouse, table, name))
    if warehouse.has("core", "accounts") and warehouse.has("published", "account_amounts"):
        for name, figure in FIGURES.items():
            if figure.published and warehouse.has("core", figure.table):
                yield from _computed(Cell(name, TO_PUBLISHED, None, None), _published(warehouse, name, figure))


def write_reconciliation(connection: "duckdb.DuckDBPyConnection", lines: Sequence[Line]) -> None:
    """Make `published.reconciliation` with the columns of `RECONCILIATION`."""
    import polars as pl

    places: dict[Cell, int] = defaultdict(int)
    rows = []
    for line in lines:
        cell = line.cell
        places[cell] += 1
        parts = (*cell[:5], cell.month and f"{cell.month:%Y-%m}", line.step)
        rows.append(("/".join(str(part or "-") for part in parts), *cell, places[cell], *line[1:]))
    connection.register(
        "reconciled",
        pl.DataFrame(
            rows,
            schema=dict.fromkeys(list(RECONCILIATION)[:6], pl.String)
            | {"month_start_date": pl.Date, "step_number": pl.Int32, "role": pl.String, "step": pl.String}
            | {"rows": pl.Int64, "amount": pl.Float64},
            orient="row",
        ).to_arrow(),
    )
    connection.execute("create schema if not exists published")
    connection.execute(
        "create or replace table published.reconciliation as"
        " select *, (select max(as_of_date) from raw_scorecast.as_of) as as_of_date from reconciled"
    )
    connection.unregister("reconciled")


def not_closed(lines: Sequence[Line]) -> list[str]:
    """What is left unexplained, without a full stop, one line a figure, source and currency."""
    found: dict[Cell, list[Line]] = defaultdict(list)
    for line in lines:
        if not line.is_closed:
            found[line.cell._replace(month=None)].append(line)
    return [_in_words(cell, open_lines) for cell, open_lines in found.items()]


def _in_words(cell: Cell, lines: Sequence[Line]) -> str:
    of = ".".join(filter(None, (cell.source_system, cell.entity))) or "all systems"
    what = f"{cell.figure.replace('_', ' ')} of {of}"
    if lines[0].rows is None and lines[0].amount is None:
        return f"{what}: {lines[0].step}"
    differences = []
    for line in lines[:MOST_MONTHS]:
        parts = [f"{line.amount:+,.2f} {cell.currency or 'without a currency'}"] if line.amount is not None else []
        parts += [f"{line.rows:+,} rows"] if line.rows else []
        differences.append(" and ".join(parts) + (f" in {line.cell.month:%Y-%m}" if line.cell.month else ""))
    differences += [f"and in {len(lines) - MOST_MONTHS} more months"] if len(lines) > MOST_MONTHS else []
    return f"{what}, {cell.comparison}: {', '.join(differences)} unexplained"


def staged_from(staging: Path, sources: Sequence[Source]) -> dict[str, dict[str, list[str]]]:
    """
    Source → entity → the staging entities that have its records: `{"stripe": {"customer": ["accounts", "contacts"]}}`.

    A model has the records of the raw table that it reads first, if its first column is of the key, and all the key is
    there: one that sums records up, or takes something else out of them, begins with another.
    """
    keys = {(source.name, entity.name): entity.key for source in sources for entity in source.entities}
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(staging.glob("*/stg_*__*.sql")):
        if (read := STAGED.search(path.read_text())) is None or (key := keys.get((read[1], read[2]))) is None:
            continue
        columns = VENDORS.findall(read[3])
        if columns and columns[0] in key and set(key) <= set(columns):
            found[read[1]][read[2]].append(path.stem.split("__", 1)[1])
    return found


class _Warehouse:
    """The open warehouse, and what its queries have in common."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection"):
        self.connection = connection
        # asked once: `information_schema` binds every view of the file each time
        self.tables = set(self.rows("select table_schema, table_name from information_schema.tables"))
        money = self.has("raw_scorecast", "settings")
        (self.free_plans,) = self.rows("select free_plans from raw_scorecast.settings")[0] if money else (False,)
        self.currencies = dict(self.rows("from raw_scorecast.source_currencies")) if money else {}

    def has(self, schema: str, table: str) -> bool:
        return (schema, table) in self.tables

    def core_rows(self, staged: Iterable[str]) -> dict[str, dict[str, int]]:
        """Staging entity → system → how many of its records core has; without those that core has no table of."""
        tables = {
            table
            for (table,) in self.rows(
                "select table_name from duckdb_columns() where database_name = current_database()"
                " and schema_name = 'core' and column_name = 'source_system'"
            )
        }
        counted = {name: RECORDS_IN_CORE.get(name, (name, "count(*)", "true")) for name in sorted(set(staged))}
        found: dict[str, dict[str, int]] = {name: {} for name, (table, *_) in counted.items() if table in tables}
        queries = [
            f"select {literal(name)}, source_system, {count} from core.{quoted(table)} where {chosen} group by all"
            for name, (table, count, chosen) in counted.items()
            if table in tables
        ]
        for name, system, rows in self.rows(" union all ".join(queries)) if queries else ():
            found[name][system] = rows
        return found

    def rows(self, query: str) -> list[tuple]:
        return self.connection.execute(query).fetchall()

    def beside(self, query: str, source: Source, entity: Entity) -> str:
        """SQL: a query over the raw table with the columns that figures may use besides."""
        schema = f"raw_{source.name}"
        name = literal(entity.name)
        first = f"select max(made_at) from {quoted(schema)}._first_exports where entity = {name}"
        first = f"({first})" if self.has(schema, "_first_exports") else "null::timestamp"
        gone = "false"
        if self.has(schema, "_vanished") and len(entity.key) == 1 and entity.version:
            key = f"{quoted(entity.key[0])}::varchar"
            gone = (
                f"exists (select 1 from {quoted(schema)}._vanished v where v.entity = {name} and v.key = {key}"
                f" and v.vanished_at > {quoted(entity.version)})"
            )
        extra = f"{gone} as _is_gone, {first} as _first_export, {literal(bool(self.free_plans))} as _free_plans"
        return f"select *, {extra} from ({query})"


def _computed(cell: Cell, lines: Iterator[Line]) -> list[Line]:
    """The lines; where the SQL of a contract does not fit the tables, one that says so."""
    import duckdb

    found: list[Line] = []
    try:
        found.extend(lines)
        return found
    except duckdb.Error as problem:
        return [*found, _uncomputed(cell, str(problem).splitlines()[0])]


def _uncomputed(cell: Cell, why: str) -> Line:
    return Line(cell, UNEXPLAINED, f"cannot be computed: {why}", None, None)


def _closed(cell: Cell, lines: Sequence[Line]) -> Iterator[Line]:
    """The lines of a cell, and what they leave unexplained."""
    yield from lines
    before = [line for line in lines if line.role != END]
    end = [line for line in lines if line.role == END]
    counted = all(line.rows is not None for line in lines)
    rows = sum(line.rows for line in before) - sum(line.rows for line in end) if counted else 0
    amount = None
    if any(line.amount is not None for line in lines):
        amount = sum(line.amount or 0 for line in before) - sum(line.amount or 0 for line in end)
        # what a sum of doubles loses by the order of its terms
        if abs(amount) < 1e-9 * max(abs(line.amount or 0) for line in lines):
            amount = 0.0
    yield Line(cell, UNEXPLAINED, "unexplained", rows, amount)


def _rows_of_source(
    warehouse: _Warehouse,
    source: Source,
    fed: Mapping[str, Sequence[str]],
    in_core: Mapping[str, Mapping[str, int]],
) -> list[Line]:
    """From the rows of the files to the records that core has, for every entity of a source that has rows."""
    schema, entities = f"raw_{source.name}", {entity.name: entity for entity in source.entities}
    present = [entity for entity in source.entities if warehouse.has(schema, entity.name)]
    if not present:
        return []
    taken_off: dict[str, dict[str, int]] = defaultdict(dict)
    files: dict[str, int] = {}
    if warehouse.has(schema, "_manifest"):
        for name, kind, rows in warehouse.rows(
            f"select entity, case when contains(reason, {literal(LEFT_OUT)})"
            f" then 'left out: ' || list_last(string_split(string_split(reason, {literal(LEFT_OUT)})[1], '; '))"
            f" else 'put aside: ' || {KIND} end as kind, count(*)"
            f" from {quoted(schema)}._quarantine where line is not null or raw_text is not null"
            " group by all order by all"
        ):
            taken_off[name][kind] = rows
        for name, rows, repeated, replaced in warehouse.rows(
            "select entity, coalesce(sum(rows), 0)::bigint, coalesce(sum(repeated), 0)::bigint,"
            f" coalesce(sum(changed), 0)::bigint from {quoted(schema)}._manifest group by entity"
        ):
            files[name] = rows
            taken_off[name] |= {"repeated by another file": repeated, "replaced by newer rows": replaced}
    counts = " union all ".join(
        f"select {literal(entity.name)}, count(*), {_records(entity)} from {quoted(schema, entity.name)}"
        for entity in present
    )
    lines = []
    for name, loaded, records in warehouse.rows(counts):
        cell = Cell(ROWS, TO_CORE, source.name, name)
        steps = {**taken_off[name], "older versions of a record": loaded - records}
        staged = next((each for each in fed.get(name, ()) if each in in_core), None)
        if staged and (reasons := entities[name].not_in_core):
            explained = _computed(cell, _not_in_core(warehouse, cell, source, entities[name], reasons))
            lines += [line for line in explained if line.role == UNEXPLAINED]
            steps |= {line.step: line.rows for line in explained if line.role == EXPLAINED}
        start = files.get(name, loaded)
        if not start and not loaded:
            continue
        end = in_core[staged].get(source.name, 0) if staged else records
        table = RECORDS_IN_CORE.get(staged, (staged,))[0] if staged else None
        lines += _closed(
            cell,
            [
                Line(cell, START, "rows of the files", start, None),
                *(Line(cell, EXPLAINED, step, -rows, None) for step, rows in steps.items() if rows),
                Line(cell, END, f"records in core.{table}" if table else "records", end, None),
            ],
        )
    return lines


def _records(entity: Entity) -> str:
    """SQL: how many records a raw table has; without versions each row is one."""
    return f"count(distinct ({', '.join(map(quoted, entity.key))}))" if entity.version else "count(*)"


def _not_in_core(
    warehouse: _Warehouse, cell: Cell, source: Source, entity: Entity, reasons: Mapping[str, str]
) -> Iterator[Line]:
    """Why core has no row of some records, and of how many."""
    keys = ", ".join(map(quoted, entity.key))
    typed = ", ".join(f"{in_time(entity, name) or quoted(name)} as {quoted(name)}" for name in entity.columns)
    versions = warehouse.beside(f"select {typed} from {quoted(f'raw_{source.name}', entity.name)}", source, entity)
    for reason, count in warehouse.rows(
        f"select reason, count(*) from (select {_first_reason(reasons)} as reason from ({versions})"
        f" group by {keys}) where reason is not null group by reason order by reason"
    ):
        yield Line(cell, EXPLAINED, reason, count, None)


def _first_reason(reasons: Mapping[str, str]) -> str:
    """SQL: the first reason whose condition holds, else null."""
    whens = " ".join(f"when {condition} then {literal(reason)}" for reason, condition in reasons.items())
    return f"case {whens} end" if whens else "null::varchar"


def _money(warehouse: _Warehouse, cell: Cell, source: Source, entity: Entity, figure: Figure) -> Iterator[Line]:
    """A figure by currency and month, from the newest version of each record to core."""
    code = f"upper(trim({figure.currency}))"
    default = literal(warehouse.currencies.get(source.name))
    known = f"case when {code} in ({', '.join(map(literal, sorted(decimals())))}) then {code} end"
    units = _smallest_units("_currency", {**decimals(), **figure.digits})
    in_core = FIGURES[figure.name]
    newest = warehouse.beside(latest(source.name, entity), source, entity)
    cells: dict[Cell, list[Line]] = defaultdict(list)
    for currency, month, reason, rows, amount in warehouse.rows(
        f"""
        with newest as (
            select *, case when coalesce({code}, '') = '' then {default} else {known} end as _currency from ({newest})
        ),
        measured as (select *, {units} as _smallest_units from newest)
        select
            _currency, date_trunc('month', {figure.day})::date as _month,
            {_first_reason(figure.not_counted)} as _reason, count(*), coalesce(sum({figure.amount}), 0)::double
        from measured group by all order by all
        """
    ):
        place = cell._replace(currency=currency, month=month)
        cells[place].append(Line(place, EXPLAINED, reason or "", rows, amount))
    ends = {
        cell._replace(currency=currency, month=month): (rows, amount)
        for currency, month, rows, amount in warehouse.rows(
            f"""
            select recorded_currency, date_trunc('month', {in_core.day})::date as month, count(*),
                coalesce(sum({in_core.amount} / exchange_rate), 0)::double
            from core.{in_core.table} where source_system = {literal(source.name)} and {in_core.counts}
            group by all order by all
            """
        )
    }
    order = {reason: number for number, reason in enumerate(figure.not_counted)}
    for place in sorted({*cells, *ends}, key=lambda each: (each.currency or "", each.month or date.min)):
        judged = cells.get(place, [])
        lines = [Line(place, START, "in the files", sum(x.rows for x in judged), sum(x.amount for x in judged))]
        lines += [
            line._replace(rows=-line.rows, amount=-line.amount)
            for line in sorted(judged, key=lambda line: order.get(line.step, 0))
            if line.step
        ]
        rows, amount = ends.get(place, (0, 0.0))
        yield from _closed(place, [*lines, Line(place, END, f"in core.{in_core.table}", rows, amount)])


def _smallest_units(currency: str, digits: Mapping[str, int]) -> str:
    """SQL: how many of its smallest units one of a currency has; 100 where the currency is not known."""
    by_digits: dict[int, list[str]] = defaultdict(list)
    for code, number in digits.items():
        if number != 2:
            by_digits[number].append(code)
    whens = " ".join(
        f"when {currency} in ({', '.join(map(literal, sorted(codes)))}) then {10.0**number}"
        for number, codes in sorted(by_digits.items())
    )
    return f"case {whens} else 100.0 end"


def _entities(warehouse: _Warehouse, table: str, name: str) -> Iterator[Line]:
    """From the identifiers that core links to the companies or people that they are, and those that are published."""
    if not warehouse.has("core", f"{name}_links") or not warehouse.has("core", table):
        return
    key = f"{name}_id"
    ((identifiers, joined, there, deleted),) = warehouse.rows(
        f"""
        with linked as (
            select distinct source, identifier, {key} from core.{name}_link_periods where valid_to >= date '9999-12-31'
        )
        select
            (select count(distinct (source, identifier)) from linked),
            (select count(distinct {key}) from linked),
            (select count(*) from core.{table}),
            (select count(*) from core.{table} where deleted_at is not null)
        """
    )
    cell = Cell(ROWS, TO_CORE, None, table)
    yield from _closed(
        cell,
        [
            Line(cell, START, "identifiers in the records", identifiers, None),
            Line(cell, EXPLAINED, "merged: several of one", joined - identifiers, None),
            Line(cell, END, f"in core.{table}", there, None),
        ],
    )
    if warehouse.has("published", table):
        ((published,),) = warehouse.rows(f"select count(*) from published.{table}")
        cell = Cell(ROWS, TO_PUBLISHED, None, table)
        steps = [Line(cell, START, f"in core.{table}", there, None)]
        steps += [Line(cell, EXPLAINED, "deleted", -deleted, None)] if deleted else []
        yield from _closed(cell, [*steps, Line(cell, END, f"in published.{table}", published, None)])


def _published(warehouse: _Warehouse, name: str, in_core: InCore) -> Iterator[Line]:
    """A figure of core by the currency that it is published in, to the sum over all companies."""
    found: dict[str | None, dict[str, float]] = defaultdict(dict)
    for currency, step, amount in warehouse.rows(
        f"""
        with counted as (
            select
                figure.currency, figure.account_id, ({in_core.amount})::double as amount,
                case
                    when figure.account_id is null then 'of no company that is known'
                    when accounts.deleted_at is not null then 'of a deleted company'
                end as reason
            from (select * from core.{in_core.table} where {in_core.counts}) as figure
            left join (select account_id, deleted_at from core.accounts) as accounts
                on figure.account_id = accounts.account_id
        ),
        by_company as (
            select account_id, currency, sum(amount) as amount from counted where reason is null group by all
        ),
        published as (
            select account_id, currency, sum({in_core.published})::double as amount
            from published.account_amounts
            group by all
        )
        select currency, 'start' as step, sum(amount) as amount from counted group by all
        union all
        select currency, reason as step, -sum(amount) from counted where reason is not null group by all
        union all
        select currency, 'end' as step, sum(amount) from published where amount <> 0 group by all
        union all
        select by_company.currency, 'rounded to cents' as step, sum(published.amount - by_company.amount)
        from by_company
        inner join published
            on by_company.account_id = published.account_id
            and by_company.currency is not distinct from published.currency
        where abs(published.amount - by_company.amount) between 1e-6 and {in_core.rounded + 1e-6}
        group by all
        order by all
        """
    ):
        found[currency][step] = amount or 0.0
    for currency, steps in sorted(found.items(), key=lambda item: item[0] or ""):
        cell = Cell(name, TO_PUBLISHED, None, None, currency)
        start, end = steps.pop("start", 0.0), steps.pop("end", 0.0)
        lines = [Line(cell, START, f"in core.{in_core.table}", None, start)]
        lines += [Line(cell, EXPLAINED, step, None, amount) for step, amount in steps.items()]
        yield from _closed(cell, [*lines, Line(cell, END, "in published.account_amounts", None, end)])
