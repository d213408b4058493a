"""What exports call things: the words of all contracts and staging models that there are, and a few besides."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from pipelines.extraction.contracts import Entity, Source
from pipelines.transformation.canonical import CanonicalEntity

LEAST_LIKENESS = 0.7
"""From here on a column is proposed for one of ours."""
LEAST_SPELT, FEWEST_LETTERS = 0.85, 6
"""For two names to be one that is spelt in two ways."""
EMPTY_WORDS = {"record", "the", "of", "der", "des", "die"}
ENTITY_WORDS = {
    "accounts": ("account", "organization", "organisation", "company", "customer", "firma", "firmen", "unternehmen",
                 "kunde", "kunden"),
    "contacts": ("contact", "person", "people", "personen", "kontakt", "kontakte", "ansprechpartner"),
    "leads": ("lead", "prospect", "interessent", "interessenten"),
    "opportunities": ("opportunity", "deal", "sale", "verkaufschance", "verkaufschancen", "chance", "chancen",
                      "geschäft", "geschäfte", "angebot", "angebote"),
    "subscriptions": ("subscription", "contract", "abo", "abonnement", "vertrag", "verträge"),
    "invoices": ("invoice", "bill", "rechnung", "rechnungen"),
    "tickets": ("ticket", "case", "request", "conversation", "anfrage", "anfragen"),
    "tasks": ("task", "activity", "call", "meeting", "aufgabe", "aufgaben", "aktivität", "aktivitäten"),
    "campaigns": ("campaign", "kampagne", "kampagnen"),
}  # fmt: skip
"""Canonical entity → what files of its records are called, besides the names of known raw tables."""
COLUMN_WORDS = {
    "account_key": ("organization", "organisation", "account", "account name id", "company", "customer", "firma",
                    "unternehmen", "kunde"),
    "account_name": ("name", "company", "organization", "organisation", "account", "customer", "firma", "firmenname",
                     "unternehmen", "kunde"),
    "amount": ("amount", "value", "deal value", "betrag", "wert", "auftragswert", "volumen", "umsatz"),
    "annual_revenue": ("annual revenue", "revenue", "jahresumsatz"),
    "cancelled_at": ("cancelled", "canceled", "cancellation date", "gekündigt am", "kündigungsdatum"),
    "city": ("city", "town", "ort", "stadt"),
    "close_date": ("close date", "closing date", "expected close date", "expected close", "abschlussdatum",
                   "erwarteter abschluss", "voraussichtlicher abschluss"),
    "closed_at": ("closed at", "closed on", "closed time", "close time", "date closed", "geschlossen am",
                  "abgeschlossen am"),
    "company": ("company", "company name", "organization", "organisation", "firma", "unternehmen"),
    "completed_at": ("completed", "done time", "marked as done time", "erledigt am"),
    "converted_date": ("converted date", "converted time", "converted at", "conversion date", "umgewandelt am",
                       "konvertiert am"),
    "country": ("country", "land", "staat"),
    "created_at": ("created", "created at", "created time", "created on", "creation date", "create date",
                   "date created", "add time", "added", "erstellt", "erstellt am", "angelegt am", "erfasst am",
                   "erstelldatum", "date", "invoice date", "issue date", "datum", "rechnungsdatum"),
    "currency": ("currency", "currency code", "währung"),
    "description": ("description", "beschreibung"),
    "domain": ("domain",),
    "email": ("email", "e mail", "mail", "email address", "e mail adresse"),
    "employee_count": ("employees", "number of employees", "employee count", "mitarbeiter", "mitarbeiterzahl",
                       "anzahl mitarbeiter"),
    "ended_at": ("ended", "end date", "end", "ende", "enddatum", "vertragsende"),
    "first_name": ("first name", "given name", "vorname"),
    "full_name": ("name", "full name", "vollständiger name"),
    "industry": ("industry", "branche"),
    "is_closed": ("closed", "is closed"),
    "is_converted": ("converted", "is converted", "umgewandelt", "konvertiert"),
    "is_deleted": ("deleted", "is deleted", "archived", "gelöscht", "archiviert"),
    "is_won": ("won", "is won", "gewonnen"),
    "known_at": ("updated", "updated at", "update time", "updated on", "last updated", "modified", "modified time",
                 "modified at", "modified on", "last modified", "last modified time", "last modified date",
                 "date updated", "geändert am", "zuletzt geändert", "letzte änderung", "änderungsdatum",
                 "aktualisiert am"),
    "last_name": ("last name", "surname", "family name", "nachname"),
    "lead_source": ("lead source", "source", "quelle", "herkunft"),
    "lost_at": ("lost time", "lost at", "lost on", "lost date", "verloren am"),
    "occurred_at": ("created", "created at", "date", "time", "timestamp"),
    "opportunity_name": ("name", "title", "bezeichnung", "titel"),
    "owner_id": ("owner", "owner id", "owner name", "sales owner", "assigned to", "besitzer", "verantwortlich",
                 "verantwortlicher", "zuständig", "betreuer", "vertriebsmitarbeiter"),
    "paid_at": ("paid at", "paid on", "payment date", "bezahlt am"),
    "person_key": ("requester", "requester id", "contact id", "person id", "user id"),
    "phone": ("phone", "phone number", "telephone", "telefon", "telefonnummer"),
    "plan_amount": ("plan amount", "price", "unit price", "preis"),
    "plan_interval": ("interval", "billing interval", "billing period unit", "billing cycle", "billing frequency",
                      "abrechnungszeitraum"),
    "plan_name": ("plan", "plan name", "tarif"),
    "product": ("product", "produkt"),
    "quantity": ("quantity", "plan quantity", "seats", "anzahl", "menge"),
    "rating": ("rating", "bewertung"),
    "solved_at": ("solved", "solved at", "resolved at", "resolved time", "closed at", "gelöst am"),
    "source": ("source", "lead source", "quelle", "herkunft"),
    "stage": ("stage", "deal stage", "sales stage", "pipeline stage", "phase", "stufe", "verkaufsphase"),
    "started_at": ("started", "start date", "start", "beginn", "vertragsbeginn"),
    "stated_probability_percent": ("probability", "win probability", "confidence", "wahrscheinlichkeit"),
    "status": ("status", "state", "lead status", "deal status", "outcome", "ergebnis"),
    "subject": ("subject", "title", "betreff"),
    "title": ("job title", "title", "position", "funktion"),
    "type": ("type", "art", "typ"),
    "website": ("website", "web", "url", "homepage", "webseite"),
    "won_at": ("won time", "won at", "won on", "won date", "gewonnen am"),
}  # fmt: skip
"""Our names → what other systems and languages call them."""
EXTRAS = {
    "accounts": {"website": "string"},
    "leads": {"website": "string"},
    "opportunities": {"status": "string", "won_at": "timestamp", "lost_at": "timestamp"},
}
"""Columns that core does not read, but of which a staging model makes what core reads."""
LEFT_TO_STAGING = {"is_register", "external_source", "source_system"}
"""Columns of core that no export has."""
ID_WORDS = {
    "id",
    "nr",
    "no",
    "num",
    "nbr",
    "nummer",
    "number",
    "key",
    "code",
    "ref",
    "reference",
    "referenz",
    "uid",
    "guid",
}
ID_WORDS |= {"uuid", "kennung", "schlüssel"}
NAME_WORDS = {"name", "title", "label", "titel", "bezeichnung", "firmenname", "subject", "betreff"}
FEWEST_OF_SHORT = 3
"""Letters with which a word may stand for the longer one that it begins: `Org` for organization."""
KEY_LABELS = ("id", "identifier", "nummer", "nr", "number", "key")
MEANINGS = {
    "opportunities": {
        "lost": r"\b(closed)?(lost|loss|lose)\b|\b(verloren|perdu\w*|perdid\w+|abandoned|no deal|not won)\b"
        r"|\b(nicht gewonnen|abgelehnt|abgesagt)\b",
        "won": r"\b(closed)?(won|win)\b|\b(gewonnen|gagn\w+|ganad\w+)\b",
    },
    "leads": {
        "converted": r"^(?!.*\b(not|un|nicht)\b).*\b(converted|konvertiert|umgewandelt)\b",
        "given_up": r"\b(not|un|dis) ?qualified\b|\b(junk|lost|dead|closed|rejected|recycled|archived|not converted)\b"
        r"|\b(nicht qualifiziert|unqualifiziert|verloren|abgelehnt)\b",
    },
    "invoices": {"paid": r"^(?!.*\b(not|un|partially|partly|nicht|teilweise)\b).*\b(paid|settled|bezahlt)\b"},
    "subscriptions": {
        "trialing": r"\b(trial\w*|test\w*)\b",
        "canceled": r"\b(cancel+ed|expired|ended|terminated|churned|inactive|gekündigt|beendet|abgelaufen|inaktiv)\b",
        "past_due": r"\b(past due|overdue|dunning|überfällig)\b",
        "active": r"\b(active|live|running|non renewing|aktiv|laufend)\b",
    },
    "tickets": {
        "solved": r"\b(solved|resolved|done|gelöst|erledigt)\b",
        "closed": r"\b(closed|geschlossen)\b",
        "hold": r"\b(hold|pausiert)\b",
        "pending": r"\b(pending|waiting|wartet|wartend)\b",
    },
}
"""Entity → what the words of its status may mean, and how such words look; an earlier meaning comes first."""
MUST_BE_TOLD = ("won", "lost", "converted", "paid", "active")
"""Meanings that are asked about, because a model depends on them."""
OUR_STATUSES = ("invoices", "subscriptions", "tickets")
"""Entities whose status core reads by our own words: the meanings above, and what the system says for all others."""


@dataclass(frozen=True)
class Vocabulary:
    """What the columns of one canonical entity are called in exports."""

    entity: CanonicalEntity
    key: tuple[str, ...]
    """Our names of the columns that identify a record."""
    is_versioned: bool
    """Whether its records change, so that an export has their state."""
    words: frozenset[str]
    """What the entity itself is called, one word each."""
    labels: Mapping[str, tuple[str, ...]]
    """Our name → what exports call it."""

    @property
    def types(self) -> dict[str, str]:
        """Our names → canonical types, with those that only staging reads."""
        extras = EXTRAS.get(self.entity.name, {})
        known = {name: type_ for name, type_ in self.entity.columns.items() if name not in LEFT_TO_STAGING}
        return {**extras, **known}


def vocabularies(entities: Mapping[str, CanonicalEntity], sources: Sequence[Source]) -> dict[str, Vocabulary]:
    """What is known of each canonical entity, by name; without those that no system has as records of a key."""
    contracts = {(source.name, each.name): each for source in sources for each in source.entities}
    everywhere = _labels_everywhere(entities, contracts)
    found = {}
    for name, entity in entities.items():
        models = [
            (each, contracts[each.system, each.table])
            for each in entity.staging
            if (each.system, each.table) in contracts
        ]
        keys = [
            tuple(ours for ours, vendor in each.columns.items() if vendor in contract.key and ours in entity.columns)
            for each, contract in models
        ]
        keys = [
            key[: len(contract.key)]
            for key, (_, contract) in zip(keys, models, strict=True)
            if len(key) >= len(contract.key)
        ]
        if not keys:
            continue
        words = {word for each, _ in models for word in tokens(each.table)} | {
            *tokens(name),
            *ENTITY_WORDS.get(name, ()),
        }
        labels = {
            ours: tuple(
                dict.fromkeys(
                    (
                        *(KEY_LABELS if ours in keys[0] and ours.endswith(("_id", "_key")) else ()),
                        *COLUMN_WORDS.get(ours, ()),
                        ours,
                        *everywhere.get(ours, ()),
                    )
                )
            )
            for ours in (*EXTRAS.get(name, {}), *entity.columns)
        }
        found[name] = Vocabulary(
            entity, keys[0], any(contract.version for _, contract in models), frozenset(tokens(" ".join(words))), labels
        )
    return found


def _labels_everywhere(
    entities: Mapping[str, CanonicalEntity], contracts: Mapping[tuple[str, str], Entity]
) -> dict[str, tuple[str, ...]]:
    """Our name → the vendors' names and labels that any staging model reads as it; keys and versions are left out."""
    found: dict[str, dict[str, None]] = {}
    for entity in entities.values():
        for model in entity.staging:
            contract = contracts.get((model.system, model.table))
            if contract is None:
                continue
            for ours, vendor in model.columns.items():
                is_key = vendor in contract.key and ours.endswith(("_id", "_key"))
                is_own = is_key or (ours == "known_at" and vendor != contract.version)
                if not is_own:
                    found.setdefault(ours, {}).update(dict.fromkeys((vendor, *contract.labels.get(vendor, ()))))
    return {ours: tuple(some) for ours, some in found.items()}


@cache
def tokens(name: str) -> tuple[str, ...]:
    """The words of a column's or file's name: lower case, singular, without those that say nothing."""
    split = re.sub(r"([a-zäöüß0-9])([A-ZÄÖÜ])", r"\1 \2", name)
    words = re.findall(r"[^\W\d_]+|\d+", split.lower())
    return tuple(_singular(word) for word in words if word not in EMPTY_WORDS)


@cache
def likeness(header: str, labels: tuple[str, ...], own_words: frozenset[str]) -> float:
    """
    How likely a column is one with one of these labels, 0 to 1.

    `own_words`: what the file's entity is called; a header may begin with it (`Deal - Value`, `Deal Name`).
    """
    full = tokens(header)
    bare = full
    while len(bare) > 1 and bare[0] in own_words:
        bare = bare[1:]
    return max((_alike(full, bare, tokens(label)) for label in labels), default=0.0)


def _alike(full: tuple[str, ...], bare: tuple[str, ...], label: tuple[str, ...]) -> float:
    if not label or not full:
        return 0.0
    if label == full:
        return 1.0
    if label == bare:
        return 0.98
    if "".join(label) in ("".join(full), "".join(bare)):
        return 0.95
    if set(label) == set(bare):
        return 0.9
    shared = len(set(label)) / len(set(bare))
    if set(label) < set(bare) and shared >= 0.4:
        return 0.6 + 0.25 * shared
    one, other = "".join(label), "".join(bare)
    if len(one) < FEWEST_LETTERS or min(len(one), len(other)) < LEAST_SPELT * max(len(one), len(other)):
        return 0.0
    spelt = SequenceMatcher(None, one, other).ratio()
    return 0.6 + spelt - LEAST_SPELT if spelt >= LEAST_SPELT else 0.0


def speaks_of(header: str, words: Collection[str]) -> bool:
    """Whether a column's name has one of the words, or the beginning of one: `Org No` has one of an organization."""
    return any(
        word.startswith(token)
        for token in set(tokens(header)) - ID_WORDS
        if len(token) >= FEWEST_OF_SHORT
        for word in words
    )


def meanings_of(entity: str, word: str) -> list[str]:
    """What a word of an entity's status may mean, the likeliest first: `won` of `Closed - Won`."""
    spaced = re.sub(r"[\W_]+", " ", word.lower()).strip()
    return [meaning for meaning, pattern in MEANINGS.get(entity, {}).items() if re.search(pattern, spaced)]


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")) else word
