"""A draft's staging models: SQL that gives its records under our names, and the YAML that describes them."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.database import literal
from pipelines.new_source.contract import in_order, raw_names
from pipelines.new_source.proposal import DAY_KEYS, Draft, DraftTable
from pipelines.new_source.vocabulary import OUR_STATUSES

STEPS = {
    "tickets": ("solved_at", {"said_status": "'solved'", "solved_at": "solved_at"}),
    "tasks": ("completed_at", {"completed_at": "completed_at"}),
    "invoices": ("paid_at", {"said_status": "said_status", "paid_at": "paid_at", "amount_paid": "amount_paid"}),
    "subscriptions": (
        "coalesce(ended_at, cancelled_at)",
        {"said_status": "said_status", "cancelled_at": "cancelled_at", "ended_at": "ended_at"},
    ),
}
"""Entity → when it ended, and what is known of it by then."""
BEGINS = {"invoices": "'open'", "subscriptions": "'active'"}
"""Entity → the status in which every record begins."""
FIXED_TOO = {"subscriptions": {"plan_amount"}, "invoices": {"amount"}}
"""Entity → what does not change, besides what existing models call so: they compute it."""
OF_THE_END = ("stage", "status", "amount", "close_date", "closed_at", "won_at", "lost_at", "is_won", "is_closed")
"""What a deal has from its close on."""


@dataclass
class Model:
    """A staging model."""

    name: str
    description: str
    sql: str
    columns: dict[str, str] = field(default_factory=dict)
    """Column → its description."""
    stays: list[str] = field(default_factory=list)
    """Columns that core does not read."""


def staging_of(draft: Draft) -> list[Model]:
    """The staging models of a draft."""
    models = [_model(draft, table) for table in draft.tables]
    models += [_accounts_of(draft, table) for table in draft.tables if table.makes_accounts]
    return models


def yaml_of(draft: Draft, models: Sequence[Model]) -> str:
    """The YAML beside the staging models: the raw tables, and every model with its columns."""
    lines = ["sources:", f"  - name: raw_{draft.name}", f"    description: {_scalar(draft.description)}", "    tables:"]
    for table in draft.tables:
        files = ", ".join(export.path.name for export in table.exports)
        lines += [f"      - name: {table.name}", f"        description: {_scalar(f'As exported, such as {files}.')}"]
    lines += ["", "models:"]
    for model in models:
        lines += [f"  - name: {model.name}", f"    description: {_scalar(model.description)}"]
        if model.stays:
            lines += ["    config:", "      meta:", f"        stays_in_staging: [{', '.join(model.stays)}]"]
        lines.append("    columns:")
        for name, words in model.columns.items():
            lines += [f"      - name: {name}", f"        description: {_scalar(words)}"]
    return "\n".join(lines) + "\n"


def _model(draft: Draft, table: DraftTable) -> Model:
    entity, vocabulary, raw = table.entity, table.vocabulary, raw_names(table)
    own_key = vocabulary.key[0]
    renamed = {"account_key": "account_name"} if table.has_account_names else {}
    if not table.has_own_keys:
        renamed[own_key] = f"own_{own_key}"
    if entity in OUR_STATUSES:
        renamed["status"] = "said_status"
    renamed["plan_interval"] = "said_interval"
    columns = {renamed.get(ours, ours): (raw[ours], vocabulary.types.get(ours, "string")) for ours in in_order(table)}
    if vocabulary.is_versioned:
        if "is_deleted" in vocabulary.types:
            columns.setdefault("is_deleted", ("is_deleted", "boolean"))
        if "created_at" in vocabulary.types:
            columns.setdefault("created_at", ("created_at", "timestamp"))
        columns.setdefault("known_at", ("known_at", "timestamp"))
    elif "known_at" not in columns and "occurred_at" in columns:
        columns["known_at"] = columns["occurred_at"]
    has_history = vocabulary.is_versioned and "created_at" in columns
    parts = _Parts(table, columns, {ours: renamed.get(ours, ours) for ours in raw})
    parts.compute(draft)
    records = f"{table.name}_records"
    sql = [f"{{%- set {name} -%}} {value} {{%- endset -%}}" for name, value in parts.sets.items()]
    sql += [""] * bool(parts.sets)
    sql += [f"with {records} as (", f"    {{{{ raw_columns(source('raw_{draft.name}', '{table.name}'), {{"]
    sql += [f"        '{ours}': [{_jinja(vendor)}, '{type_}']," for ours, (vendor, type_) in columns.items()]
    sql += [*(parts.history() if has_history else ["    }) }}"]), ")"]
    if parts.computed or table.has_account_names:
        sql[-1] += ","
        if table.has_account_names:
            sql += _account_names(draft)
        made = [f"        {line}" for line in parts.selected()]
        sql += ["final as (", "    select", f"        {records}.*,", *made, f"    from {records}"]
        if table.has_account_names:
            sql += [
                "    left join account_names",
                f"        on lower(trim({records}.account_name)) = account_names.folded_name",
                "        and account_names.place = 1",
            ]
        sql += [")", "select * from final"]
    else:
        sql.append(f"select * from {records}")
    described = _described(table, columns, parts, has_history)
    known = {*vocabulary.entity.columns, "is_rebuilt", "loaded_at"}
    version = " and version" if vocabulary.is_versioned else ""
    return Model(
        f"stg_{draft.name}__{entity}",
        f"One row per {table.name.replace('_', ' ')}{version} of {draft.name}.",
        "\n".join(sql) + "\n",
        described,
        [name for name in described if name not in known],
    )


class _Parts:
    """What a staging model computes beside the columns that it renames."""

    def __init__(self, table: DraftTable, columns: Mapping[str, tuple[str, str]], names: Mapping[str, str]):
        self.table, self.columns, self.names = table, columns, names
        self.sets: dict[str, str] = {}
        """Jinja variable → SQL."""
        self.computed: dict[str, str] = {}
        """Column → SQL."""
        self.steps: list[tuple[str, str, dict[str, str]]] = []
        """When and whether, as Jinja, and what is known by then."""

    def compute(self, draft: Draft) -> None:
        """Find out what the entity needs."""
        entity, columns = self.table.entity, self.columns
        if self.table.has_account_names:
            self.computed["account_key"] = "account_names.account_key"
        if not self.table.has_own_keys:
            key = self.table.vocabulary.key[0]
            self.computed[key] = f"'lead-' || own_{key}"
        if "website" in columns and "domain" not in columns:
            self.computed["domain"] = "{{ website_domain('website') }}"
        if entity == "accounts":
            self.computed["is_register"] = _is_register(draft)
        if entity == "opportunities":
            self._of_deals()
        elif entity == "leads":
            self._of_leads()
        if "said_status" in columns:
            self.computed["status"] = _in_our_words("said_status", self.table.words)
        paid = _is_one_of("said_status", self.table.words.get("paid", ()))
        if entity == "invoices" and paid and "amount" in columns and "amount_paid" not in columns:
            self.computed["amount_paid"] = f"case when {paid} then amount end"
        if "said_interval" in columns:
            levels = self.table.column("plan_interval").levels
            self.computed["plan_interval"] = _in_our_words("said_interval", _intervals(levels))
        if entity in STEPS:
            at, known = STEPS[entity]
            known = {name: value for name, value in known.items() if name in columns}
            if there := [name for name in ("ended_at", "cancelled_at") if name in columns and name in at]:
                at = there[0] if len(there) == 1 else at
            if at in columns or there:
                self._add_step(at, "", known)
        day = next((name for name in DAY_KEYS if name in columns), None)
        if day and "known_at" not in columns:
            self.computed["known_at"] = f"{{{{ end_of_day('{day}') }}}}"

    def _of_deals(self) -> None:
        columns, words, status = self.columns, self.table.words, self.table.status
        has = {
            name: name in columns for name in ("is_won", "is_closed", "won_at", "lost_at", "closed_at", "close_date")
        }
        won = _is_one_of(status, words.get("won", ()))
        ended = _is_one_of(status, (*words.get("won", ()), *words.get("lost", ())))
        times = [name for name in ("won_at", "lost_at", "closed_at") if has[name]]
        is_won = "is_won" if has["is_won"] else won or ("won_at is not null" if has["won_at"] else "")
        if is_won and not has["is_won"]:
            self.sets["is_won"] = is_won
            self.computed["is_won"] = "coalesce({{ is_won }}, false)"
        has_ended = f"coalesce({', '.join(times)}) is not null" if times else ""
        is_closed = "is_closed" if has["is_closed"] else ended or has_ended
        if is_closed and not has["is_closed"]:
            self.sets["is_closed"] = is_closed
            self.computed["is_closed"] = "coalesce({{ is_closed }}, false)"
        by_outcome = ""
        if has["won_at"] and has["lost_at"] and is_won:
            by_outcome = f"case when {self._named('is_won')} then won_at else lost_at end"
        elif has["won_at"] or has["lost_at"]:
            by_outcome = "won_at" if has["won_at"] else "lost_at"
        ends = [part for part in ("closed_at" if has["closed_at"] else "", by_outcome) if part]
        ends = ends or (["close_date"] if has["close_date"] else [])
        if not ends or not (is_closed or is_won):
            return
        self.sets["closed_on"] = ends[0] if len(ends) == 1 else f"coalesce({', '.join(ends)})"
        is_over = "is_closed" if is_closed else "is_won"
        if by_outcome and not has["closed_at"]:
            self.computed["closed_at"] = f"case when {self._named(is_over)} then {{{{ closed_on }}}} end"
        self._add_step("closed_on", is_over, {name: name for name in OF_THE_END if name in columns})

    def _of_leads(self) -> None:
        columns, words, status = self.columns, self.table.words, self.table.status
        is_converted = "is_converted" if "is_converted" in columns else _is_one_of(status, words.get("converted", ()))
        if not is_converted and "converted_date" in columns:
            is_converted = "converted_date is not null"
        if is_converted and "is_converted" not in columns:
            self.sets["is_converted"] = is_converted
            self.computed["is_converted"] = "coalesce({{ is_converted }}, false)"
        if words.get("given_up") and status:
            self.computed["is_closed"] = f"coalesce({_is_one_of(status, words['given_up'])}, false)"
        if is_converted and "converted_date" in columns:
            known = {name: name for name in columns if name.startswith("converted_") or name == "is_converted"}
            if status and words.get("converted") and "is_converted" not in columns:
                known[status] = status
            self._add_step("converted_date", "is_converted", known)

    def _named(self, name: str) -> str:
        """A Jinja variable as SQL has it, or the column of that name."""
        return f"{{{{ {name} }}}}" if name in self.sets else name

    def _add_step(self, at: str, when: str, known: dict[str, str]) -> None:
        """`at` and `when`: Jinja variables, or SQL; an empty `when`: wherever the time is known."""
        time = f"'greatest(' ~ {at} ~ ', created_at)'" if at in self.sets else _jinja(f"greatest({at}, created_at)")
        parts = [part for each in ((when, " and ") if when else (), (at, " is not null")) for part in each]
        whether = " ~ ".join(part if part in self.sets else _jinja(part) for part in parts)
        self.steps.append((time, re.sub(r"' ~ '", "", whether), known))

    def selected(self) -> list[str]:
        """The computed columns as the rest of a select list."""
        own = "account_names.account_key"
        lines = [value if value == own else f"{value} as {name}" for name, value in self.computed.items()]
        return [f"{line}," for line in lines[:-1]] + lines[-1:]

    def history(self) -> list[str]:
        """The `history` of `raw_columns`: what an export of today's state tells of a record's past."""
        table = self.table
        stable = {name for model in table.vocabulary.entity.staging for name in model.fixed}
        stable |= FIXED_TOO.get(table.entity, set())
        fixed = [name for ours, name in self.names.items() if ours in {*stable, *table.vocabulary.key, "account_name"}]
        key = self.names[table.vocabulary.key[0]]
        lines = [
            "    }, history={",
            f"        'key': '{key}',",
            *_wrapped("'fixed': ", [f"'{name}'" for name in fixed]),
        ]
        if table.entity in BEGINS and "said_status" in self.columns:
            lines.append(f"        'begins_with': {{'said_status': {json.dumps(BEGINS[table.entity])}}},")
        if table.entity == "subscriptions" and "started_at" in self.columns:
            lines.append("        'begins_at': 'coalesce(started_at, created_at)',")
        for at, when, known in self.steps:
            lines += [
                "        'steps': [{",
                f"            'at': {at},",
                f"            'when': {when},",
                *_wrapped("'columns': ", [f"'{name}': {_jinja(value)}" for name, value in known.items()], "{}", 12),
                "        }],",
            ]
        if table.entity == "subscriptions" and {"said_status", "ended_at"} <= set(self.columns):
            lines.append("""        'gone': {'said_status': "'canceled'", 'ended_at': 'vanished_at'},""")
        elif "is_deleted" in self.columns:
            lines.append("        'gone': {'is_deleted': 'true'},")
        return [*lines, "    }) }}"]


def _is_register(draft: Draft) -> str:
    """SQL: whether the system is the register of companies; one that has deals or leads is."""
    return "true" if {table.entity for table in draft.tables} & {"opportunities", "leads"} else "false"


def _account_names(draft: Draft) -> list[str]:
    """CTE: companies by name. The first has the name: one that comes later changes nothing that was known before."""
    return [
        "account_names as (",
        "    -- the first company of a name: one that comes later changes nothing that was known before",
        "    select",
        "        account_key,",
        "        lower(trim(account_name)) as folded_name,",
        "        row_number() over (partition by lower(trim(account_name)) order by known_at, account_key) as place",
        f"    from {{{{ ref('stg_{draft.name}__accounts') }}}}",
        "    where account_name is not null",
        "),",
    ]


def _accounts_of(draft: Draft, table: DraftTable) -> Model:
    """The companies that another entity's records name, where no export has them."""
    of, name = f"stg_{draft.name}__{table.entity}", "account_name" if "account_name" in table.columns else "account_key"
    sql = textwrap.dedent(f"""\
        with {table.name}_records as (
            select * from {{{{ ref('{of}') }}}}
        ),
        accounts as (
            select
                account_key,
                min({name}) as account_name,
                {_is_register(draft)} as is_register,
                min({"created_at" if "created_at" in table.columns else "known_at"}) as created_at,
                min(known_at) as known_at,
                min(loaded_at) as loaded_at
            from {table.name}_records
            where account_key is not null
            group by account_key
        )
        select * from accounts
        """)
    docs = {name: f"{{{{ doc('{name}') }}}}" for name in ("account_key", "account_name", "is_register", "created_at")}
    docs |= {"known_at": "{{ doc('known_at_of_export') }}", "loaded_at": "{{ doc('loaded_at') }}"}
    words = f"One row per company that a {table.name.replace('_', ' ')} of {draft.name} names."
    return Model(f"stg_{draft.name}__accounts", words, sql, docs)


def _described(
    table: DraftTable, columns: Mapping[str, tuple[str, str]], parts: _Parts, has_history: bool
) -> dict[str, str]:
    """Every column of the model with core's description, and the export's name where that is no block of its own."""
    core = table.vocabulary.entity.descriptions
    headers = {name: table.columns[ours] for ours, name in parts.names.items()}
    described = {}
    for name in columns:
        words = core.get(name, "")
        if name == "known_at" and "known_at" in core:
            words = "{{ doc('known_at_of_export') }}"
        if not words.startswith("{{ doc("):
            origin = (
                f"`{headers[name]}` in the export" if name in headers else "not in the export that this was made for"
            )
            words = f"{words.rstrip('.')}: {origin}." if words else f"{origin[0].upper()}{origin[1:]}."
        described[name] = words
    if has_history:
        described["is_rebuilt"] = "{{ doc('is_rebuilt') }}"
    described["loaded_at"] = "{{ doc('loaded_at') }}"
    for name in parts.computed:
        words = core.get(name, "")
        if not words.startswith("{{ doc("):
            words = f"{words.rstrip('.')} (made of {table.name.replace('_', ' ')}'s columns)."
        described[name] = words
    return described


def _in_our_words(column: str, words: Mapping[str, Sequence[str]]) -> str:
    """SQL: our word for what a column says, else what it says in lower case."""
    folded = f"lower(trim({column}))"
    cases = [f"            when {_is_one_of(column, some)} then '{ours}'" for ours, some in words.items()]
    return "\n".join(["case", *cases, f"            else {folded}", "        end"]) if cases else folded


def _intervals(levels: Sequence[str]) -> dict[str, list[str]]:
    """`day`, `week`, `month`, `year` → the words for it among these."""
    looks = {
        "year": r"year|annual|jahr|jähr",
        "month": r"month|monat",
        "week": r"week|woche",
        "day": r"\bda(y|ily)|täglich",
    }
    return {
        ours: some
        for ours, pattern in looks.items()
        if (some := [level for level in levels if re.search(pattern, level.lower()) and not re.search(r"\d", level)])
    }


def _is_one_of(column: str | None, words: Sequence[str]) -> str:
    """SQL: whether a column has one of these words, case and blanks aside; empty without words."""
    if not column or not words:
        return ""
    folded = dict.fromkeys(word.strip().lower() for word in words)
    return f"lower(trim({column})) in ({', '.join(literal(word) for word in folded)})"


def _wrapped(start: str, items: Sequence[str], brackets: str = "[]", indent: int = 8) -> list[str]:
    """A list of a Jinja call on one line, or over several where it is long."""
    margin, line = " " * indent, f"{' ' * indent}{start}{brackets[0]}{', '.join(items)}{brackets[1]},"
    if len(line) <= 120:
        return [line]
    whole = [item.replace(" ", "\0") for item in items]
    inner = textwrap.wrap(", ".join(whole), 112 - indent, break_long_words=False, break_on_hyphens=False)
    inner = [part.replace("\0", " ") for part in inner]
    return [f"{margin}{start}{brackets[0]}", *(f"{margin}    {part}" for part in inner), f"{margin}{brackets[1]},"]


def _jinja(text: str) -> str:
    """A text as Jinja has it."""
    return f"'{text}'" if "'" not in text and "\\" not in text else json.dumps(text, ensure_ascii=False)


def _scalar(text: str) -> str:
    """A description as YAML, quoted where it has to be; but for `{{ doc(...) }}` no text is Jinja."""
    import yaml

    is_block = text.startswith("{{ doc(")
    safe = text if is_block else " ".join(text.translate(str.maketrans("{}", "()")).split())
    written = yaml.safe_dump(safe, width=10_000, allow_unicode=True, default_style='"' if is_block else None)
    return written.strip().removesuffix("\n...").strip()
