"""Invalid rows, about one in two hundred, beside the true ones: nothing true is lost when they are refused."""

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import blake2b

import numpy as np
import polars as pl

from pipelines.sample.shapes import Shape

SHARE = 0.005
FUTURE = datetime(2099, 1, 1, 12, 0, 0)
FUTURE_SECONDS = int(FUTURE.replace(tzinfo=UTC).timestamp())
BREACHES: dict[str, dict[str, object]] = {
    "salesforce.account": {"NumberOfEmployees": -5},
    "salesforce.lead": {"NumberOfEmployees": -1},
    "salesforce.opportunity": {"Probability": 250.0},
    "google_ads.campaign_stats": {"cost_micros": -990_000},
    "hubspot.email_event": {"type": "FORWARD"},
    "stripe.subscription": {"quantity": 0},
    "stripe.invoice": {"amount_due": -2500},
    "product.usage_daily": {"active_users": -3},
    "web.session": {"session_end": datetime(2001, 1, 1)},
    "zendesk.ticket": {"solved_at": "2001-01-01T00:00:00.000Z"},
    "zendesk.satisfaction_rating": {"score": "offered"},
    "social.post": {"likes": -4},
    "social.review": {"rating": 7.0},
}
"""What breaks a rule of the entity's contract."""


@dataclass(frozen=True)
class Invalid:
    """Invalid rows of one file, and what is wrong with each."""

    rows: pl.DataFrame
    kinds: list[str]
    columns: dict[str, str]


def kinds_for(shape: Shape, columns: list[str]) -> list[str]:
    """What can be wrong with a row of such a file."""
    kinds = ["duplicate", "no key", "future"]
    if set(BREACHES.get(shape.name, ())) <= set(columns) and shape.name in BREACHES:
        kinds.append("breach")
    if shape.format != "parquet":
        kinds.append("broken line")
        if "whole" in (shape.columns[name] for name in columns):
            kinds.append("text for number")
    return kinds


def invalid_rows(frame: pl.DataFrame, shape: Shape, name: str) -> Invalid:
    """Changed copies of rows of a file's frame, with keys of their own but for the exact duplicates."""
    seed = int.from_bytes(blake2b(f"{shape.name}/{name}".encode(), digest_size=8).digest(), "little")
    random = np.random.default_rng(seed)
    count = int(len(frame) * SHARE + random.random())
    if not len(frame) or not count:
        return Invalid(frame.head(0), [], shape.columns)
    # duplicates come after what they repeat: the first row of a key is the true one
    rows = frame[random.integers(0, len(frame) // 3 + 1, count).tolist()]
    choices = kinds_for(shape, frame.columns)
    kinds = [choices[position] for position in random.integers(0, len(choices), count)]
    made = [
        _spoil(row, kind, shape, number) for number, (row, kind) in enumerate(zip(rows.to_dicts(), kinds, strict=True))
    ]
    return Invalid(pl.DataFrame(made, schema=frame.schema), kinds, shape.columns)


def _spoil(row: dict[str, object], kind: str, shape: Shape, number: int) -> dict[str, object]:
    if kind == "duplicate":
        return row
    text_key = next(name for name in shape.key if shape.columns[name] == "text")
    row[text_key] = f"{row[text_key]}-{number}"
    if kind == "no key":
        row[text_key] = None
    elif kind == "breach":
        row |= BREACHES[shape.name]
    elif kind == "future":
        stands_for = {
            "time": FUTURE if shape.format == "parquet" else FUTURE.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "date": date(2099, 1, 1),
            "epoch_s": FUTURE_SECONDS,
            "epoch_ms": FUTURE_SECONDS * 1000,
        }
        row[shape.known] = stands_for[shape.columns[shape.known]]
    return row


def _spoilt_texts(bad: Invalid) -> list[tuple[str, dict[str, object]]]:
    """Kind and row; a number that is to be a text becomes one."""
    found = []
    for kind, row in zip(bad.kinds, bad.rows.to_dicts(), strict=True):
        if kind == "text for number":
            name = next(name for name in row if bad.columns[name] == "whole")
            row[name] = "many"
        found.append((kind, row))
    return found


def as_csv(bad: Invalid, columns: list[str]) -> list[str]:
    """The invalid rows as lines of CSV; a broken line has too few fields, or too many."""
    lines = []
    for number, (kind, row) in enumerate(_spoilt_texts(bad)):
        cells = ["" if row[name] is None else str(row[name]) for name in columns]
        cells = [cell.lower() if cell in ("True", "False") else cell for cell in cells]
        if kind == "broken line":
            cells = cells[: len(cells) // 2] if number % 2 else [*cells, "", "left over"]
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerow(cells)
        lines.append(buffer.getvalue())
    return lines


def as_jsonl(bad: Invalid) -> list[str]:
    """The invalid rows as lines of JSON; a broken line ends in the middle."""
    lines = []
    for kind, row in _spoilt_texts(bad):
        text = json.dumps(row, default=str, ensure_ascii=False, separators=(",", ":"))
        lines.append((text[: len(text) * 2 // 3] if kind == "broken line" else text) + "\n")
    return lines


def scatter(text: str, lines: list[str], header: bool) -> str:
    """The file's text with the lines put in past its middle, at two places."""
    if not lines:
        return text
    middle = text.find("\n", len(text) // 2) + 1
    middle = max(middle, text.find("\n") + 1 if header else 0)
    half = len(lines) // 2
    return text[:middle] + "".join(lines[:half]) + text[middle:] + "".join(lines[half:])
