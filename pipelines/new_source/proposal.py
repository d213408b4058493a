"""From exports of an unknown system to a draft of its source: proposed where the files tell, else asked."""

import keyword
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.new_source.exports import Export, Exports, FileColumn
from pipelines.new_source.given import Given, listed
from pipelines.new_source.keys import Candidates, likely_key, why_key
from pipelines.new_source.vocabulary import (
    ID_WORDS,
    LEAST_LIKENESS,
    MEANINGS,
    MUST_BE_TOLD,
    Vocabulary,
    likeness,
    meanings_of,
    speaks_of,
    tokens,
)
from pipelines.spelling import did_you_mean, plain

NAME = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9]*(_[a-z0-9]+)*")
TAKEN = ("defs", "scorecast")
"""Names that the contract's file, or a schema of our own, has."""
NO_SQL = re.compile(r"[{}\\]")
"""What a word cannot have to stand in dbt's SQL as it is."""
NOT_A_SYSTEM = {
    *(
        "export",
        "exports",
        "download",
        "downloads",
        "data",
        "landing",
        "csv",
        "files",
        "tmp",
        "temp",
        "home",
        "desktop",
    ),
    *("documents", "sample", "all", "full", "report", "crm", "backup", "new", "my"),
}
FEWEST_COLUMNS = 4
"""That are recognised in a file whose name says nothing, for what it holds to be proposed."""
LEAST_SHARE = 0.5
"""Of a column's values that must be those of another file's column, to be taken for references to it."""
DAY_KEYS = ("usage_date", "spend_date")
"""Of tables with one row a day: their rows are known at its end."""
TIMES_OF_EVENTS = ("known_at", "occurred_at", *DAY_KEYS)
"""One of them says when a record that never changes became known; the first that is there."""
OUTCOMES = {"status", "stage", "is_won", "won_at"}
"""One of them says whether a deal is won."""
LEAST_SHARE_BY_KEY = 0.9
"""The same for a column whose name says nothing of it."""
TOLD_BY_WORDS = ("opportunities", "leads")
"""Entities whose outcome a model predicts, by the words of a status."""
ACCOUNT_LISTS = ("opportunities", "contacts", "subscriptions", "invoices", "tickets")
"""Of which entity the companies are taken where no file has them; the first that names them."""


@dataclass(frozen=True)
class Question:
    """One question, with possible answers and a default."""

    flag: str
    """The flag that answers it."""
    words: str
    choices: tuple[str, ...] = ()
    default: str | None = None
    """None: there is no default; the empty text: no answer is needed."""
    check: Callable[[str], object] | None = None
    """Raises ValueError for an answer that is not valid; None: one of `choices` is."""

    def problem(self, answer: str) -> str | None:
        """Why an answer is not valid, or None."""
        if answer == "" and self.default == "":
            return None
        if self.check is None:
            return None if answer in self.choices else f"There is no '{answer}'.{did_you_mean(answer, self.choices)}"
        try:
            self.check(answer)
        except ValueError as problem:
            return str(problem)
        return None


Asked = Callable[[Question], str | None]
"""Asks a question; None takes its default."""


@dataclass(frozen=True)
class DraftTable:
    """One raw table and the staging model that is made of it."""

    name: str
    exports: tuple[Export, ...]
    """Files of the same columns; the first is looked at."""
    vocabulary: Vocabulary
    columns: Mapping[str, str]
    """Our name → the file's column."""
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A meaning such as `won` → the words of the status that have it."""
    has_account_names: bool = False
    """Its records name their company by its name, not by its key."""
    makes_accounts: bool = False
    """The companies are taken from these records: there is no file of companies."""
    has_own_keys: bool = True
    """No record of another table has the same key where core takes both for one set of keys."""

    @property
    def entity(self) -> str:
        """The canonical entity."""
        return self.vocabulary.entity.name

    def column(self, ours: str) -> FileColumn | None:
        """The file's column that is mapped to ours."""
        return self.exports[0].column(self.columns[ours]) if ours in self.columns else None

    @property
    def custom(self) -> tuple[str, ...]:
        """The file's columns that are not mapped."""
        return tuple(name for name in self.exports[0].names if name not in self.columns.values())

    @property
    def status(self) -> str | None:
        """Our name of the column whose words say how a record ended."""
        return next((name for name in ("status", "stage") if name in self.columns and self._says_end(name)), None)

    def _says_end(self, name: str) -> bool:
        if self.words:
            return any(word in self.column(name).levels for some in self.words.values() for word in some)
        return _says_end(self.entity, self.column(name))


@dataclass(frozen=True)
class Draft:
    """A source that can be written."""

    name: str
    description: str
    owner: str
    tables: tuple[DraftTable, ...]
    notes: tuple[str, ...] = ()
    """What the user should know of the files."""


def drafted(
    exports: Exports, vocabularies: Mapping[str, Vocabulary], given: Given, asked: Asked, taken: Sequence[str]
) -> Draft:
    """
    A draft of the source; `asked` gets every question that no flag answers.

    `taken`: names that a source cannot have. Raises LookupError for a question without an answer and ValueError for an
    answer, or files, of which no source can be made.
    """
    words = {word for vocabulary in vocabularies.values() for word in vocabulary.words}
    name = _system(exports.files, given, asked, taken, words)
    kinds = {export.path: _kind(export, vocabularies, given, asked) for export in exports.files}
    tables = _tables(exports.files, kinds, vocabularies, name)
    _require_known(given, tables)
    for position, table in enumerate(tables):
        tables[position] = replace(table, columns=_mapped(exports, table, given, tables))
    tables = [_agreed(exports, table, given, asked) for table in tables]
    tables, notes = _linked(exports, tables)
    tables = [replace(table, words=_words(table, given, asked)) for table in tables]
    for table in tables:
        if len(table.vocabulary.key) == 1 and (table.name, *table.vocabulary.key) not in given.columns:
            why = why_key(_candidates(exports, table), table.columns[table.vocabulary.key[0]])
            notes.append(f"{table.name}: {why}")
    notes += [note for table in tables for note in _notes(table)]
    what = ", ".join(dict.fromkeys(table.entity for table in tables))
    description = given.description or f"{name.replace('_', ' ').capitalize()}: {what}."
    return Draft(name, description, given.owner, tuple(tables), tuple(notes))


def _answer(question: Question, asked: Asked) -> str:
    answer = asked(question)
    answer = question.default if answer is None else answer.strip()
    if answer is None:
        there = f" There are: {', '.join(question.choices[:30])}." if question.choices else ""
        raise LookupError(f"{question.flag} is missing: {question.words}.{there}")
    if problem := question.problem(answer):
        raise ValueError(f"{question.flag}: {problem}")
    return answer


def _system(files: Sequence[Export], given: Given, asked: Asked, taken: Collection[str], words: Collection[str]) -> str:
    """What the system is called: the folder of the files, or the word that all their names begin with."""
    folders = {file.path.resolve().parent.name for file in files}
    firsts = {re.split(r"[\W_]", file.path.name)[0] for file in files}
    likely = [re.sub(r"\W+", "_", some.pop().lower()) for some in (folders, firsts) if len(some) == 1]
    proposed = [
        name
        for name in likely
        if NAME.fullmatch(name) and name not in NOT_A_SYSTEM and not set(tokens(name)) & set(words)
    ]

    def check(name: str) -> None:
        if not NAME.fullmatch(name) or keyword.iskeyword(name):
            raise ValueError(f"'{name}' is no name; use lower-case letters, digits and _, and a letter first.")
        if name in (*taken, *TAKEN):
            raise ValueError(f"There is a source {name} already. Edit it, or choose another name.")

    what = "what the system is called, such as pipedrive"
    question = Question(
        "--name", what, default=next((each for each in proposed if each not in taken), None), check=check
    )
    return _answer(question, lambda asking: given.name or asked(asking))


def _kind(export: Export, vocabularies: Mapping[str, Vocabulary], given: Given, asked: Asked) -> str:
    """The canonical entity that a file holds: by its name, by what its columns begin with, else by its columns."""
    file = export.path.name
    question = Question(
        f"--as {file}=ENTITY", f"what {file} holds", tuple(vocabularies), _likely_kind(export, vocabularies)
    )
    return _answer(question, lambda asking: given.kinds.get(file) or asked(asking))


def _likely_kind(export: Export, vocabularies: Mapping[str, Vocabulary]) -> str | None:
    named = set(tokens(export.path.name.split(".")[0]))
    firsts = [(tokens(name) or ("",))[0] for name in export.names]
    first = max(firsts, key=firsts.count)
    named |= {first} if firsts.count(first) > 0.8 * len(firsts) and len(firsts) > 1 else set()
    hits = {name: len(named & vocabulary.words) for name, vocabulary in vocabularies.items()}
    most = max(hits.values())
    some = [name for name in vocabularies if hits[name] == most]
    found = {name: len(_assigned(export, vocabularies[name], {})) for name in some}
    best = max(some, key=lambda name: found[name])
    is_clear = most or (
        found[best] >= FEWEST_COLUMNS and found[best] > max((found[name] for name in some if name != best), default=0)
    )
    return best if is_clear else None


def _tables(
    files: Sequence[Export], kinds: Mapping[Path, str], vocabularies: Mapping[str, Vocabulary], system: str
) -> list[DraftTable]:
    """One table a canonical entity. Raises ValueError where files of one entity have other columns."""
    tables: dict[str, DraftTable] = {}
    for export in files:
        kind = kinds[export.path]
        vocabulary = vocabularies[kind]
        if kind not in tables:
            words = [word for word in tokens(export.path.name.split(".")[0]) if word in vocabulary.words]
            name = _ascii("_".join(words or tokens(kind)))
            if name in [table.name for table in tables.values()]:
                name = _ascii("_".join(tokens(kind)))
            tables[kind] = DraftTable(name, (export,), vocabulary, {})
        elif set(export.names) == set(tables[kind].exports[0].names):
            tables[kind] = replace(tables[kind], exports=(*tables[kind].exports, export))
        else:
            other = tables[kind].exports[0].path.name
            raise ValueError(
                f"{other} and {export.path.name} are both {kind}, but have other columns. Leave one out, or say what it"
                f" holds: --as {export.path.name}=..."
            )
    # Companies first: the others refer to them.
    return sorted(tables.values(), key=lambda table: table.entity != "accounts")


def _ascii(name: str) -> str:
    """A name of a raw table and of a Python word: umlauts are spelt out."""
    for letter, spelt in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        name = name.replace(letter, spelt)
    return re.sub(r"[^a-z0-9_]+", "_", name).strip("_") or "record"


def _require_known(given: Given, tables: Sequence[DraftTable]) -> None:
    """Raise ValueError for a flag about a table, column or meaning that there is not."""
    by_name = {table.name: table for table in tables}
    files = {export.path.name for table in tables for export in table.exports}
    for file in given.kinds:
        if file not in files:
            raise ValueError(f"--as {file}: there is no such file.{did_you_mean(file, files)}")
    for flag, some in (("--map", given.columns), ("--words", given.words)):
        for name, ours in some:
            if name not in by_name:
                raise ValueError(f"{flag} {name}.{ours}: there is no '{name}'. There are: {', '.join(by_name)}.")
            table = by_name[name]
            valid = table.vocabulary.types if flag == "--map" else MEANINGS.get(table.entity, {})
            if ours not in valid:
                hint = did_you_mean(ours, valid) or f" There are: {', '.join(valid) or 'none'}."
                raise ValueError(f"{flag} {name}.{ours}: {table.entity} has no '{ours}'.{hint}")


def _mapped(exports: Exports, table: DraftTable, given: Given, tables: Sequence[DraftTable]) -> dict[str, str]:
    """Our name → the file's column: what flags say, then references to companies, then by likeness."""
    given_columns = {ours: column for (name, ours), column in given.columns.items() if name == table.name}
    for ours, column in given_columns.items():
        if column:
            _require_fitting(table, ours, column)
    export, chosen = table.exports[0], {ours: column for ours, column in given_columns.items() if column}
    if "account_key" in table.vocabulary.types and "account_key" not in (*table.vocabulary.key, *given_columns):
        companies = next((each for each in tables if each.entity == "accounts"), None)
        chosen |= _company_columns(exports, table, companies, chosen)
    left_out = [ours for ours, column in given_columns.items() if not column]
    mapped = _assigned(export, table.vocabulary, chosen, left_out)
    (key, *more) = table.vocabulary.key
    if not more and key not in given_columns:
        likeliest = mapped.pop(key, None)
        found = likely_key(_candidates(exports, replace(table, columns=mapped)), likeliest)
        if found not in (None, likeliest, mapped.get("email")):
            mapped = _assigned(export, table.vocabulary, {**chosen, key: found}, left_out)
        elif found:
            mapped[key] = found
    version = mapped.get("known_at") if table.vocabulary.is_versioned and "known_at" not in given_columns else None
    if version and export.column(version).filled < export.rows:
        del mapped["known_at"]  # records without it would have no version
    return mapped


def _candidates(exports: Exports, table: DraftTable) -> Candidates:
    own = {each.path for each in table.exports}
    others = [each for each in exports.files if each.path not in own]
    return Candidates(exports, table.exports[0], others, table.vocabulary, table.columns)


def _require_fitting(table: DraftTable, ours: str, column: str) -> None:
    names = table.exports[0].names
    if column not in names:
        hint = did_you_mean(column, names) or f" There are: {', '.join(names)}."
        raise ValueError(f"{table.name}.{ours}: {table.exports[0].path.name} has no column '{column}'.{hint}")
    type_ = table.vocabulary.types[ours]
    if not table.exports[0].column(column).fits(type_):
        raise ValueError(
            f"{table.name}.{ours} is a {type_}, but too many values of '{column}' in {table.exports[0].path.name}"
            " cannot be read so. Map another column, or leave it to the custom fields."
        )


def _assigned(
    export: Export, vocabulary: Vocabulary, chosen: Mapping[str, str], left_out: Sequence[str] = ()
) -> dict[str, str]:
    """`chosen`, and the pairs of our names and the file's columns that are most alike, each once."""
    pairs = []
    for place, (ours, type_) in enumerate(vocabulary.types.items()):
        if ours in chosen or ours in left_out or (ours == "account_key" and ours not in vocabulary.key):
            continue
        for column in export.columns:
            score = likeness(column.name, vocabulary.labels[ours], vocabulary.words)
            if score < (LEAST_LIKENESS if column.filled else 0.9) or not column.fits(type_):
                continue
            if ours == "email" and column.filled and column.shares["email"] < 0.9:
                continue
            if (
                ours not in ("status", "stage")
                and vocabulary.entity.name in TOLD_BY_WORDS
                and _says_end(vocabulary.entity.name, column)
            ):
                continue  # an outcome under a harmless name would give itself away
            pairs.append((-score, -column.filled, place, ours, column.name))
    assigned = dict(chosen)
    for *_, ours, name in sorted(pairs):
        if ours not in assigned and name not in assigned.values():
            assigned[ours] = name
    if "email" in vocabulary.types and "email" not in (*assigned, *left_out):
        free = [each for each in export.columns if each.filled and each.name not in assigned.values()]
        emails = [each for each in free if each.shares["email"] >= 0.9]
        if emails:
            assigned["email"] = max(emails, key=lambda each: each.filled).name
    return assigned


def _identifies(exports: Exports, table: DraftTable, mapped: Mapping[str, str]) -> bool:
    """Whether the key tells records apart, or their versions."""
    key = [mapped[ours] for ours in table.vocabulary.key if ours in mapped]
    export = table.exports[0]
    with_version = [*key, mapped["known_at"]] if "known_at" in mapped else key
    return exports.is_key(export, key) or (table.vocabulary.is_versioned and exports.is_key(export, with_version))


def _company_columns(
    exports: Exports, table: DraftTable, companies: DraftTable | None, chosen: Mapping[str, str]
) -> dict[str, str]:
    """`account_key` → the column that has companies' keys, or their names; `account_name` → names beside keys."""
    export, vocabulary = table.exports[0], table.vocabulary
    free = [column for column in export.columns if column.filled and column.name not in chosen.values()]
    alike = {each.name: likeness(each.name, vocabulary.labels["account_key"], vocabulary.words) for each in free}
    some = sorted((name for name in alike if alike[name] >= LEAST_LIKENESS), key=lambda name: -alike[name])
    if companies and (theirs := companies.columns.get("account_key")):
        some += [
            name
            for name in alike
            if name not in some
            and (plain(name) == plain(theirs) or speaks_of(name, companies.vocabulary.words))
            and _shares(exports, export, name, companies)[0] >= LEAST_SHARE
        ]
    numbered = [name for name in some if set(tokens(name)) & ID_WORDS]
    named = [name for name in some if name not in numbered]
    if companies is None:
        keys, names = numbered[:1] or named[:1], named[:1] if numbered else []
        return {ours: column for ours, column in (("account_key", keys), ("account_name", names)) for column in column}
    # Whatever it is called, a column of the companies' own keys refers to them; but numbers may be anything's.
    wordy = [each.name for each in free if each.distinct > 1 and each.shares["number"] < 0.5 and each.name not in some]
    some += [name for name in wordy if _shares(exports, export, name, companies)[0] >= LEAST_SHARE_BY_KEY]
    some.sort(key=lambda name: -max(_shares(exports, export, name, companies)))
    return {"account_key": some[0]} if some else {}


def _shares(exports: Exports, export: Export, name: str, companies: DraftTable) -> tuple[float, float]:
    """Which share of a column's values are keys, and which are names, of the companies that there are."""
    theirs = companies.columns
    by_key, by_name = (
        exports.share_within(export, name, companies.exports[0], theirs[ours]) if ours in theirs else 0.0
        for ours in ("account_key", "account_name")
    )
    return by_key, by_name


def _agreed(exports: Exports, table: DraftTable, given: Given, asked: Asked) -> DraftTable:
    """The table with its key, and with the changes that the user makes to the proposed columns."""
    file = table.exports[0]
    for ours in table.vocabulary.key:
        if ours in table.columns:
            continue
        unique = tuple(name for name in file.names if exports.is_key(file, [name]))
        question = Question(
            f"--map {table.name}.{ours}=COLUMN",
            f"the column of {file.path.name} that identifies a record",
            tuple(dict.fromkeys((*unique, *file.names))),
            unique[0] if len(unique) == 1 else None,
        )
        table = replace(table, columns={**table.columns, ours: _answer(question, asked)})
    while answer := _answer(_any_change(table), asked):
        table = _changed(table, answer)
    if not _identifies(exports, table, table.columns):
        key = ", ".join(table.columns[ours] for ours in table.vocabulary.key)
        raise ValueError(
            f"{key} of {file.path.name} does not identify a record: it is empty, or twice there. Map the column that"
            f" does: --map {table.name}.{table.vocabulary.key[0]}=COLUMN."
        )
    if table.entity == "opportunities" and "created_at" not in table.columns:
        raise LookupError(
            f"--map {table.name}.created_at=COLUMN is missing: when a record of {file.path.name} was created. Export it"
            f" with that column. There are: {', '.join(file.names)}."
        )
    table = _with_planned_close(_with_status(table, given, asked), given)
    if not table.vocabulary.is_versioned and not {*TIMES_OF_EVENTS} & set(table.columns):
        raise LookupError(
            f"--map {table.name}.known_at=COLUMN is missing: when a record of {file.path.name} became known. There are:"
            f" {', '.join(file.names)}."
        )
    return table


def _with_status(table: DraftTable, given: Given, asked: Asked) -> DraftTable:
    """Deals with the column that says how they stand: by its words where no name tells it, else by an answer."""
    is_given = any((table.name, ours) in given.columns for ours in ("status", "stage"))
    if table.entity != "opportunities" or is_given or OUTCOMES & set(table.columns):
        return table
    file = table.exports[0]
    by_words = tuple(name for name in table.custom if _says_end(table.entity, file.column(name)))
    question = Question(
        f"--map {table.name}.status=COLUMN",
        f"the column of {file.path.name} that says whether a deal is won, lost or open; without one all"
        f" {file.rows:,} count as open (`--map {table.name}.status=` says that there is none)",
        (*by_words, *(name for name in table.custom if name not in by_words)),
        by_words[0] if len(by_words) == 1 else None,
        check=lambda answer: _require_fitting(table, "status", answer),
    )
    return replace(table, columns={**table.columns, "status": _answer(question, asked)})


def _with_planned_close(table: DraftTable, given: Given) -> DraftTable:
    """Deals whose day of closing may be still to come: that is a plan, which a deal that is open has, too."""
    column = table.column("closed_at") if table.entity == "opportunities" else None
    if column is None or not column.has_plans:
        return table
    others = {ours: theirs for ours, theirs in table.columns.items() if ours != "closed_at"}
    if "close_date" not in others:
        return replace(table, columns={**others, "close_date": column.name})
    if given.columns.get((table.name, "closed_at")):
        raise ValueError(
            f"--map {table.name}.closed_at={shlex.quote(column.name)}: some of its days are still to come, so it does"
            " not say when a deal was closed. Leave it out."
        )
    return replace(table, columns=others)


def _any_change(table: DraftTable) -> Question:
    """Asks for the next change of the columns; no answer: they are right."""
    words = f"{shown(table)}\n  Change one by `our name=column`, leave one out by `our name=`; empty: it is right"
    return Question(f"--map {table.name}.OURS=COLUMN", words, default="", check=lambda answer: _changed(table, answer))


def _changed(table: DraftTable, answer: str) -> DraftTable:
    """The table with another column, or none, for one of ours. Raises ValueError."""
    ours, sign, column = (part.strip() for part in answer.partition("="))
    if not sign:
        raise ValueError(f"'{answer}' is no change of a column: write `our name=column`.")
    types = table.vocabulary.types
    if ours not in types:
        hint = did_you_mean(ours, types) or f" There are: {', '.join(types)}."
        raise ValueError(f"{table.entity} has no '{ours}'.{hint}")
    keys = table.vocabulary.key  # a key may be a column that has a name of its own, too: an e-mail address
    columns = {
        name: header
        for name, header in table.columns.items()
        if name != ours and (header != column or name in keys or ours in keys)
    }
    if column:
        _require_fitting(table, ours, column)
        columns[ours] = column
    return replace(table, columns=columns)


def _linked(exports: Exports, tables: Sequence[DraftTable]) -> tuple[list[DraftTable], list[str]]:
    """The tables with how they refer to companies, and what is to be told of it."""
    linked, notes = [], []
    companies = next((table for table in tables if table.entity == "accounts"), None)
    maker = None
    if companies is None:
        order = sorted(tables, key=lambda each: (*ACCOUNT_LISTS, each.entity).index(each.entity))
        maker = next((each for each in order if each.entity in ACCOUNT_LISTS and "account_key" in each.columns), None)
    for table in tables:
        if companies and table is not companies and "account_key" in table.columns:
            header = table.columns["account_key"]
            by_key, by_name = _shares(exports, table.exports[0], header, companies)
            if by_name > by_key:
                table = replace(table, has_account_names=True)
            if max(by_key, by_name) < LEAST_SHARE:
                notes.append(_unmatched(exports, table, companies, max(by_key, by_name)))
        if table is maker:
            table = replace(table, makes_accounts=True)
            notes.append(f"No file has companies: they are taken from {table.columns['account_key']} of {table.name}.")
        linked.append(table)
    by_name = [table.name for table in linked if table.has_account_names]
    if by_name and (twice := exports.repeated(companies.exports[0], companies.columns["account_name"])):
        notes.append(
            f"{twice:,} names of {companies.name} occur more than once, and {', '.join(by_name)} has no other reference"
            " than the name: the first company of a name has all. Export the company's ID with it to tell them apart."
        )
    people = {table.entity: table for table in linked}
    if {"leads", "contacts"} <= set(people):
        leads, contacts = people["leads"], people["contacts"]
        columns = leads.columns["lead_id"], contacts.columns["contact_key"]
        if exports.share_within(leads.exports[0], columns[0], contacts.exports[0], columns[1]):
            linked[linked.index(leads)] = replace(leads, has_own_keys=False)
    return linked, notes


def _unmatched(exports: Exports, table: DraftTable, companies: DraftTable, share: float) -> str:
    """What to map where a table's companies are not those of the file of companies: its own column, or theirs."""
    header, theirs = table.columns["account_key"], companies.exports[0]
    few = f"Only {share:.0%} of what {table.name} has in '{header}' are companies of {theirs.path.name}"
    found = {name: exports.share_within(table.exports[0], header, theirs, name) for name in theirs.names}
    best = max(found, key=lambda name: found[name])
    if found[best] >= LEAST_SHARE:
        return (
            f"{few} by its '{companies.columns['account_key']}', but {found[best]:.0%} are in its '{best}'. If that"
            f" identifies a company, map it: --map {companies.name}.account_key={shlex.quote(best)}"
        )
    return f"{few}. If another column refers to them, map it: --map {table.name}.account_key=COLUMN."


def _notes(table: DraftTable) -> list[str]:
    """What the user should know of a table's columns."""
    notes = []
    if table.has_account_names:
        notes.append(f"{table.name}: its company is the first that is called as '{table.columns['account_key']}' says.")
    if table.entity == "opportunities" and not {"closed_at", "won_at", "lost_at"} & set(table.columns):
        date = table.columns.get("close_date")
        notes.append(
            f"{table.name}: no column says when it was won or lost; '{date}' counts as that day."
            if date
            else f"{table.name}: no column says when it was won or lost: that is known from the day of the export on."
        )
    if table.entity == "accounts" and not table.makes_accounts and "account_name" not in table.columns:
        notes.append(
            f"{table.name}: no column is taken for the companies' names, so they would have none. If one is:"
            f" --map {table.name}.account_name=COLUMN."
        )
    is_told = "converted" in table.words or {"is_converted", "converted_date"} & set(table.columns)
    if table.entity == "leads" and not is_told:
        notes.append(f"{table.name}: nothing says which were converted, so no model can learn it.")
    if table.vocabulary.is_versioned and "known_at" not in table.columns:
        notes.append(f"{table.name}: no column says when a record changed; it is as it was on the day of the export.")
    return notes


def _words(table: DraftTable, given: Given, asked: Asked) -> dict[str, tuple[str, ...]]:
    """Which words of the status mean what, of those that matter for the entity."""
    meanings = MEANINGS.get(table.entity, {})
    given_words = {meaning: words for (name, meaning), words in given.words.items() if name == table.name}
    if not meanings or not ({"status", "stage"} & set(table.columns)):
        if given_words:
            raise ValueError(
                f"--words {table.name}.{next(iter(given_words))}: no column says how a record stands. Map it:"
                f" --map {table.name}.status=COLUMN."
            )
        return {}
    column = table.column(table.status or ("status" if "status" in table.columns else "stage"))
    plain = [level for level in column.levels if not NO_SQL.search(level)]
    firsts = {level: some[0] for level in plain if (some := meanings_of(table.entity, level))}
    is_told = {"won": {"is_won"}, "lost": {"is_closed", "is_won"}, "converted": {"is_converted", "converted_date"}}
    words: dict[str, tuple[str, ...]] = {}
    for meaning in meanings:
        found = tuple(level for level, first in firsts.items() if first == meaning)
        question = Question(
            f"--words {table.name}.{meaning}=WORD,WORD",
            f"the words of '{column.name}' that mean {meaning}, with commas between"
            f" (there are: {', '.join(column.levels)})",
            default=",".join(found) or ("" if meaning == "converted" else None),
            check=lambda answer: _require_words(listed(answer), column),
        )
        if meaning in given_words:
            _require_words(given_words[meaning], column)
            words[meaning] = given_words[meaning]
        elif meaning not in MUST_BE_TOLD or not column.levels or is_told.get(meaning, set()) & set(table.columns):
            words[meaning] = found
        else:
            words[meaning] = listed(_answer(question, asked))
    return {meaning: some for meaning, some in words.items() if some}


def _says_end(entity: str, column: FileColumn) -> bool:
    """Whether some of a column's words say how a record of the entity ended."""
    return any(meanings_of(entity, level) for level in column.levels)


def _require_words(words: Sequence[str], column: FileColumn) -> None:
    for word in words:
        if column.levels and word not in column.levels:
            hint = did_you_mean(word, column.levels) or f" There are: {', '.join(column.levels)}."
            raise ValueError(f"'{column.name}' has no '{word}'.{hint}")
        if NO_SQL.search(word):
            raise ValueError(f"'{word}' has a brace or a backslash, which SQL of dbt cannot have as they are.")


def shown(table: DraftTable) -> str:
    """A table's columns for people: ours, and the file's."""
    files = ", ".join(export.path.name for export in table.exports)
    width = max(len(ours) for ours in table.columns)
    lines = [f"{files}: {table.exports[0].rows:,} rows, taken for {table.entity}; raw table {table.name}"]
    order = [ours for ours in (*table.vocabulary.types, *table.columns) if ours in table.columns]
    lines += [f"  {ours:<{width}}  {table.columns[ours]}" for ours in dict.fromkeys(order)]
    if table.custom:
        lines.append(f"  {'custom_*':<{width}}  {', '.join(table.custom)}")
    return "\n".join(lines)
