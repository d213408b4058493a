"""The model card as one HTML page: for whoever acts on the scores first, for the analyst further down.

No script, nothing fetched: style and pictures are inside. Every text of the facts is escaped by `markup`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import resources

from pipelines.learning import svg
from pipelines.learning.markup import Markup, inline, join, table, tag
from pipelines.learning.svg import Plot, percent

NBSP = "\N{NO-BREAK SPACE}"
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
FIRST_SHARE = 0.2
"""How much of the list the verdict speaks of working through."""
OFF_BY = 0.1
"""A predicted rate that chance does not explain and that is off by more than this share of itself is called off."""
FEW_CASES = 30
MOST_DRIVERS, MOST_EFFECTS, MOST_LABELS = 12, 6, 12
MOST_CLASSES_CROSSED = 12
MOST_MIXED_UP = 15
MOST_LEFT_OUT = 12
MOST_RELEASES = 60
LEFT_OUT = (
    ("leaky", "They give the answer away", "They are filled in by the outcome, or after it; nobody has them in time."),
    ("excluded", "Asked to leave out", None),
    ("id_like", "Names and numbers of single rows", "They identify a row and say nothing about the next one."),
    ("constant", "The same everywhere", "What never differs cannot tell anyone apart."),
)
MEASURES = (
    ("auc", "AUC", "0.5 is a coin toss, 1 ranks perfectly"),
    ("average_precision", "Average precision", "compare with the base rate"),
    ("log_loss", "Log loss", "lower is better"),
    ("baseline_log_loss", "Log loss of the base rate", "what the model has to beat"),
    ("brier", "Brier score", "lower is better"),
    ("calibration_error", "Calibration error", "mean distance of predicted and observed rate"),
    ("lift_top_decile", "Lift of the top tenth", "times the base rate"),
    ("base_rate", "Base rate", "share of yes in the rows judged on"),
    ("accuracy", "Accuracy", "share of rows whose most likely class is right"),
    ("macro_f1", "Macro F1", "mean of precision and recall, every class counted alike"),
)


def card_page(facts: dict) -> str:
    """A whole HTML document from a model's facts (plain JSON values; rates and shares from 0 to 1, losses in nats).

    Only `name` is needed: what is missing, empty or not finite is left out of the page. See `docs/model_card.md` for
    every
    key. Rates are of the rows held out, unless their key says otherwise.
    """
    likelihood = "chance" if facts.get("likelihood") == "chance" else "risk"
    parts = [
        _header(facts),
        _verdict(facts),
        tag("div", _gain(facts), _calibration(facts), class_="two") if _deciles(facts) else None,
        _classes(facts),
        _mixed_up(facts),
        _came_true(facts),
        _drivers(facts, likelihood),
        _segments(facts),
        _suspects(facts),
        _left_out(facts),
        _limits(facts),
        _for_analysts(facts),
        _footer(facts),
    ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{_name(facts)}: model card"),
        tag("style", _style()),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', parts), class_=likelihood), lang='en')}\n"


@lru_cache(maxsize=1)
def _style() -> Markup:
    return Markup(resources.files(__package__).joinpath("card_page.css").read_text(encoding="utf-8"))


def _header(facts: dict) -> Markup:
    question = facts.get("question")
    return tag(
        "header",
        tag("h1", _name(facts)),
        _pill(facts),
        tag("p", "Predicts: ", question, class_="soft") if question else None,
    )


def _pill(facts: dict) -> Markup | None:
    if facts.get("verdict") == "no_signal":
        return tag("span", "No signal", class_="pill bad")
    if isinstance(facts.get("kept"), bool):
        return tag("span", "In use", class_="pill good") if facts["kept"] else tag("span", "Not used", class_="pill bad")
    return None


def _verdict(facts: dict) -> Markup:
    """What the model is worth, in words, figures and dots."""
    sentences = _words_for_classes(facts) if facts.get("task") == "classes" else _words_for_yes_no(facts)
    warning = _not_to_be_used(facts)
    about = _judged_on(facts)
    dots = _dots(facts)
    words = [
        tag("p", warning, class_="note") if warning else None,
        *[tag("p", sentence, class_="lead") for sentence in sentences],
        tag("p", about, class_="soft small") if about else None,
        tag("p", inline(facts["reason"]), class_="soft small") if facts.get("reason") and not warning else None,
        [tag("p", inline(note), class_="note") for note in _texts(facts, "notes")],
    ]
    return tag("div", tag("div", words), dots, _figures(facts), class_="verdict pictured" if dots else "verdict")


def _not_to_be_used(facts: dict) -> Markup | None:
    reason = inline(facts["reason"]) if facts.get("reason") else None
    if facts.get("verdict") == "no_signal":
        return join(
            tag("strong", "Do not act on these scores."),
            " By more than chance, the model is no better than telling everyone the average. ",
            reason,
        )
    return join(tag("strong", "This model is not in use. "), reason) if facts.get("kept") is False else None


def _words_for_yes_no(facts: dict) -> list[Markup]:
    deciles, rows, verb = _deciles(facts), _rows_word(facts), _verb(facts)
    base, top = _base_rate(facts), deciles[0]["observed_rate"] if deciles else None
    sentences = []
    if base is not None and top is not None:
        scale = _scale(base)
        first = [
            f"Of {scale:,} {rows} that this model ranks highest, about ",
            tag("strong", f"{round(top * scale):,}"),
            f" {verb}; among all, ",
            tag("strong", f"{round(base * scale):,}"),
            " do. ",
        ]
        found = _gain_at(deciles, FIRST_SHARE)
        if found is not None:
            first += [
                f"Working through the top {percent(FIRST_SHARE)} finds ",
                tag("strong", percent(found)),
                " of those who do.",
            ]
        sentences.append(join(first))
    if deciles:
        sentences.append(join(_said_and_happened(deciles, base), _trust(deciles)))
    return sentences


def _said_and_happened(deciles: list[dict], base: float | None) -> str:
    """The highest tenth and the most ordinary one: a fixed choice, not the two that look best."""
    told = [deciles[0]]
    if base is not None:
        ordinary = min(deciles[1:] or deciles, key=lambda row: abs(row["predicted_rate"] - base))
        told += [ordinary] if ordinary is not told[0] else []
    words = "; ".join(
        f"when it said {percent(row['predicted_rate'])}, {percent(row['observed_rate'])} happened" for row in told
    )
    return words[0].upper() + words[1:] + ". "


def _trust(deciles: list[dict]) -> str:
    off = len(_off(deciles))
    if off <= len(deciles) / 10:
        return "Its percentages can be taken at their word."
    if off <= len(deciles) / 3:
        return f"In {off} of {len(deciles)} groups it was off by more than chance explains."
    return "Trust its order more than its percentages: they were often off by more than chance explains."


def _off(deciles: list[dict]) -> list[dict]:
    """Tenths whose predicted rate chance does not explain, and that are off by enough to matter."""
    off = []
    for row in deciles:
        said, happened = row["predicted_rate"], row["observed_rate"]
        low, high = wilson(happened, row["rows"])
        if not low <= said <= high and abs(said - happened) > OFF_BY * max(said, happened):
            off.append(row)
    return off


def _words_for_classes(facts: dict) -> list[Markup]:
    accuracy, classes = _number(facts.get("accuracy")), _class_rows(facts)
    if accuracy is None:
        return []
    rows = _rows_word(facts)
    first = [f"Of 100 {rows}, it puts about ", tag("strong", round(100 * accuracy)), " in the right class"]
    total = sum(row["rows"] for row in classes)
    if total:
        most = max(classes, key=lambda row: row["rows"])
        share = round(100 * most["rows"] / total)
        first.append(join("; always saying “", most["class"], "” would be right for ", tag("strong", share)))
    sentences = [join(first, ".")]
    known = [row for row in classes if row["rows"] and _number(row.get("recall")) is not None]
    if len(known) > 1:
        best, worst = (pick(known, key=lambda row: row["recall"]) for pick in (max, min))
        sentences.append(
            join(
                f"It finds {round(100 * best['recall'])} of 100 that are “",
                best["class"],
                f"”, but only {round(100 * worst['recall'])} of 100 that are “"
                if worst["recall"] < 0.9 * best["recall"]
                else f"” and {round(100 * worst['recall'])} of 100 that are “",
                worst["class"],
                "”.",
            )
        )
    return sentences


def _judged_on(facts: dict) -> Markup | None:
    held_out = _number(facts.get("n_holdout"))
    if not held_out:
        return None
    words = f"Measured on {held_out:,.0f} {_rows_word(facts)} that the model had not seen."
    split = facts.get("split_words")
    return join(words, " ", inline(split) if split else None)


def _dots(facts: dict) -> Markup | None:
    deciles, base = _deciles(facts), _base_rate(facts)
    if not deciles or base is None or facts.get("task") == "classes" or _scale(base) > 1_000:
        return None
    scale, top = _scale(base), deciles[0]
    low, high = wilson(top["observed_rate"], top["rows"])
    span = f"{round(low * scale)} to {round(high * scale)}, with 95{NBSP}% confidence"

    def figure(key: str, rate: float, name: str, style: str, more: str | None) -> Markup:
        filled = round(rate * scale)
        words = f"{filled:,} of {scale:,}"
        caption = [tag("b", words), name, tag("span", f" ({more})", class_="soft") if more else None]
        return tag(
            "figure",
            svg.dot_grid(key, filled, scale, f"{name}: {words}", style),
            tag("figcaption", caption, class_="small"),
        )

    return tag(
        "div",
        figure("dots-top", top["observed_rate"], "in the highest tenth", "model", span),
        figure("dots-all", base, f"among all {_rows_word(facts)}", "plain", None),
        class_="dots-pair",
    )


def _figures(facts: dict) -> Markup | None:
    deciles = _deciles(facts)
    lift, auc = _number(facts.get("lift_top_decile")), _number(facts.get("auc"))
    off, accuracy, f1 = (_number(facts.get(key)) for key in ("calibration_error", "accuracy", "macro_f1"))
    found = _gain_at(deciles, FIRST_SHARE) if deciles else None
    shown = [
        (f"{lift:.1f}×", "as many in the highest tenth as among all") if lift is not None else None,
        (percent(found), f"of all found in the top {percent(FIRST_SHARE)}") if found is not None else None,
        (percent(accuracy), "put in the right class") if accuracy is not None else None,
        (f"{f1:.2f}", "mean F1 of the classes: 0 is useless, 1 is perfect") if f1 is not None else None,
        (_points(off), "between what it says and what happens, on average") if off is not None else None,
        (f"{auc:.2f}", "how well it ranks (AUC): 0.5 is a coin toss, 1 is perfect") if auc is not None else None,
    ]
    pairs = [tag("div", tag("dt", words), tag("dd", value)) for value, words in filter(None, shown)]
    return tag("dl", pairs, class_="figures") if pairs else None


def _gain(facts: dict) -> Markup | None:
    deciles = _deciles(facts)
    if not deciles:
        return None
    curve = _curve(deciles)
    plot = Plot(f"{_rows_word(facts)} worked through, highest score first", "found, of all that do")
    base = _base_rate(facts)
    plot.area(curve, "wash")
    plot.line([(0, 0), (1, 1)], "muted")
    if base:
        plot.line([(0, 0), (base, 1), (1, 1)], "faint")
        if base < 0.55:
            plot.label(base, 1, "best possible", "muted", (6, 14))
    plot.label(0.72, 0.72, "in random order", "muted", (8, 16))
    plot.line(curve, "model")
    for row, (share, found) in zip(deciles, curve[1:], strict=True):
        hint = f"The first {percent(share)}: {percent(found)} of all, {row['positives']:,} in this tenth"
        plot.dot(share, found, "model", hint, 3.5)
    found = _gain_at(deciles, FIRST_SHARE)
    title = f"The first {percent(FIRST_SHARE)} of the list holds {percent(found)} of all"
    plot.line([(FIRST_SHARE, 0), (FIRST_SHARE, found)], "guide")
    plot.label(FIRST_SHARE, found, percent(found), "big", (9, 16))
    half = next((share for share, gained in curve if gained >= 0.8), None)
    text = f"Gain curve: the share of all found against the share worked through. {title}."
    words = (
        f"Four in five are in the first {percent(half)}. The dashed line is a list in random order."
        if half is not None
        else "The dashed line is a list in random order."
    )
    header = ("Tenth", "Rows", "Yes", "Predicted", "Observed", "Lift", "Found so far")
    rows = [
        (
            row["decile"],
            _count(row["rows"]),
            _count(row["positives"]),
            percent(row["predicted_rate"]),
            percent(row["observed_rate"]),
            _fixed(row.get("lift"), 2),
            percent(found),
        )
        for row, (_, found) in zip(deciles, curve[1:], strict=True)
    ]
    return _section("How far down the list?", words, plot.draw("gain", title, text), _behind(header, rows))


def _calibration(facts: dict) -> Markup | None:
    deciles = _deciles(facts)
    if not deciles:
        return None
    spans = [wilson(row["observed_rate"], row["rows"]) for row in deciles]
    limit = svg.end(*(high for _, high in spans), *(row["predicted_rate"] for row in deciles))
    plot = Plot("what it said", "what happened", limit, limit)
    plot.line([(0, 0), (limit, limit)], "muted")
    plot.label(0.62 * limit, 0.62 * limit, "said = happened", "muted", (10, 16))
    off = _off(deciles)
    for row, (low, high) in zip(deciles, spans, strict=True):
        said, happened = row["predicted_rate"], row["observed_rate"]
        plot.whisker(said, low, high)
        hint = f"Said {percent(said)}, {percent(happened)} happened ({row['rows']:,} rows)"
        plot.dot(said, happened, "warm" if row in off else "model", hint, 4.5)
    error = _number(facts.get("calibration_error"))
    words = [
        "Each dot is a tenth of the rows, the line through it what chance allows (95",
        NBSP,
        "%). On the dashed line it keeps its word",
        f"; it is {_points(error)} off on average." if error is not None else ".",
    ]
    rows = [
        (
            row["decile"],
            percent(row["predicted_rate"]),
            percent(row["observed_rate"]),
            f"{percent(low)} to {percent(high)}",
            _count(row["rows"]),
            tag("span", "off", class_="warned") if row in off else "",
        )
        for row, (low, high) in zip(deciles, spans, strict=True)
    ]
    text = "Calibration: predicted against observed rate by tenth of the score, with 95 % Wilson intervals."
    return _section(
        "Does it keep its word?",
        join(words),
        plot.draw("calibration", "What it said and what happened", text),
        _behind(("Tenth", "Said", "Happened", "Chance allows", "Rows", ""), rows),
    )


def _classes(facts: dict) -> Markup | None:
    classes = [row for row in _class_rows(facts) if _number(row.get("f1")) is not None]
    if not classes:
        return None
    order = sorted(classes, key=lambda row: -row["f1"])
    weakest = order[-MOST_CLASSES_CROSSED:]

    def lines(rows: Iterable[dict]) -> list[tuple]:
        return [
            (
                row["class"],
                svg.bar(row["f1"], "model"),
                _fixed(row["f1"], 2),
                _percent(row.get("recall")),
                _percent(row.get("precision")),
                _count(row["rows"]),
            )
            for row in rows
        ]

    header = ("Class", "", "F1", "Found", "Right when named", "Rows")
    rest = order[: -len(weakest)] if len(order) > len(weakest) else []
    return _section(
        "Which classes it gets right",
        "Found: of the rows that are in the class, the share it puts there. Right when named: of those it puts there, "
        "the share that belongs." + (f" The {len(weakest)} weakest of {len(order)} are shown." if rest else ""),
        _strips(header, lines(weakest)),
        _details(f"The other {len(rest)} classes", _strips(header, lines(rest))) if rest else None,
    )


def _mixed_up(facts: dict) -> Markup | None:
    confusion = facts.get("confusion") or {}
    labels, counts = confusion.get("labels") or [], confusion.get("counts") or []
    if not labels or len(counts) != len(labels):
        return None
    pairs = [
        (count, count / max(sum(row), 1), labels[i], labels[j])
        for i, row in enumerate(counts)
        for j, count in enumerate(row)
        if i != j and count
    ]
    pairs.sort(key=lambda pair: -pair[0])
    most = table(
        ("It is", "It says", "How often", "Of that class"),
        [(is_, says, _count(count), percent(share)) for count, share, is_, says in pairs[:MOST_MIXED_UP]],
        words=2,
    )
    if len(labels) > MOST_CLASSES_CROSSED:
        return _section("What it mixes up", None, _scroll(most)) if pairs else None
    cells = [
        tag(
            "tr",
            tag("th", label, scope="row"),
            [
                tag("td", _count(count), style=f"--share:{count / max(sum(row), 1):.3f}", class_="right" if i == j else None)
                for j, count in enumerate(row)
            ],
        )
        for i, (label, row) in enumerate(zip(labels, counts, strict=True))
    ]  # fmt: skip
    head = tag(
        "tr", tag("th", "is ↓ says →", scope="col"), [tag("th", label, class_="n", scope="col") for label in labels]
    )
    crossed = tag("table", tag("thead", head), tag("tbody", cells), class_="confusion")
    return _section(
        "What it mixes up",
        "A row is what it is, a column what the model says; the diagonal is right.",
        _scroll(crossed),
        _details("The most frequent mistakes", _scroll(most)) if pairs else None,
    )


def _came_true(facts: dict) -> Markup | None:
    """Past releases against what happened since."""
    outcomes = [
        row
        for row in _dicts(facts, "score_outcomes")
        if all(_number(row.get(key)) is not None for key in ("rows", "predicted_rate", "actual_rate")) and row["rows"]
    ]
    if not outcomes:
        return None
    releases: dict[tuple[str, str], list[dict]] = {}
    for row in sorted(outcomes, key=lambda row: (str(row.get("as_of_date", "")), str(row.get("release_id", "")))):
        releases.setdefault((str(row.get("as_of_date", "")), str(row.get("release_id", ""))), []).append(row)
    newest = max(releases)
    grades = sorted(releases[newest], key=lambda row: str(row.get("grade") or ""))
    rows_word, verb = _rows_word(facts), _verb(facts)
    first = grades[0]
    said, happened = first["predicted_rate"], first["actual_rate"]
    lead = [f"Of {first['rows']:,} {rows_word}"]
    if first.get("grade"):
        lead += [" with grade ", first["grade"]]
    if newest[0]:
        lead += [" on ", newest[0]]
    lead.append(f" it said that {percent(said)} {verb}; {percent(happened)} did.")
    money = _money_came([row for rows in releases.values() for row in rows])
    top = svg.end(*(row["actual_rate"] for row in grades), *(row["predicted_rate"] for row in grades))
    lines = [
        (
            row.get("grade") or "all",
            svg.bar(row["actual_rate"] / top, "model", row["predicted_rate"] / top),
            percent(row["predicted_rate"]),
            percent(row["actual_rate"]),
            _count(row["rows"]),
        )
        for row in grades
    ]
    header = ("Grade", "bar: happened, tick: said", "Said", "Happened", _capital(rows_word))
    everything = [
        (
            key[0] or key[1],
            row.get("grade") or "all",
            _count(row["rows"]),
            percent(row["predicted_rate"]),
            percent(row["actual_rate"]),
            _money(row.get("money_expected"), row),
            _money(row.get("money_come"), row),
        )
        for key in sorted(releases, reverse=True)[:MOST_RELEASES]
        for row in sorted(releases[key], key=lambda row: str(row.get("grade") or ""))
    ]
    columns = ("As of", "Grade", "Rows", "Said", "Happened", "Money expected", "Money come")
    return _section(
        "Did the scores come true?",
        join(lead, " ", money),
        tag("div", _strips(header, lines), _over_time(releases), class_="came-true"),
        _behind(columns, everything, f"All {len(releases)} releases as numbers" if len(releases) > 1 else None, 2),
    )


def _money_came(rows: list[dict]) -> str | None:
    pairs = [(_number(row.get("money_expected")), _number(row.get("money_come"))) for row in rows]
    known = [(expected, come) for expected, come in pairs if expected is not None and come is not None]
    if not known or len({row.get("currency") for row in rows}) > 1:
        return None
    expected, come = (sum(values) for values in zip(*known, strict=True))
    return f"Over all releases it expected {_money(expected, rows[0])}; it came to {_money(come, rows[0])}."


def _over_time(releases: dict[tuple[str, str], list[dict]]) -> Markup | None:
    keys = sorted(releases)[-MOST_RELEASES:]
    if len(keys) < 2:
        return None
    said, happened = ([_pooled(releases[key], rate) for key in keys] for rate in ("predicted_rate", "actual_rate"))
    plot = Plot("scores of", "said (dashed) and happened", len(keys) - 1, svg.end(*said, *happened))
    plot.line(list(enumerate(said)), "muted")
    plot.line(list(enumerate(happened)), "model")
    for number, (key, a, b) in enumerate(zip(keys, said, happened, strict=True)):
        plot.dot(number, b, "model", f"{key[0]}: said {percent(a)}, {percent(b)} happened", 3.5)
    step = math.ceil(len(keys) / 4)
    names = [(number, key[0]) for number, key in enumerate(keys) if number % step == 0]
    text = "Predicted and actual rate of every past release whose outcomes are known."
    return plot.draw("outcomes", "Said and happened, release by release", text, names)


def _pooled(rows: list[dict], rate: str) -> float:
    return sum(row["rows"] * row[rate] for row in rows) / sum(row["rows"] for row in rows)


def _drivers(facts: dict, likelihood: str) -> Markup | None:
    drivers = [row for row in _dicts(facts, "drivers") if (_number(row.get("strength")) or 0) > 0]
    if not drivers:
        return None
    drivers.sort(key=lambda row: -row["strength"])
    most, total = drivers[0]["strength"], sum(row["strength"] for row in drivers)
    base = _base_rate(facts)

    def line(row: dict) -> tuple:
        share = _number(row.get("share"))
        return (
            join(_driver_name(row), tag("span", _ends(row, likelihood), class_="soft")),
            svg.bar(row["strength"] / most, "model"),
            percent(row["strength"] / total if share is None else share, 0),
        )

    header = ("What is known", "how much it moves the estimate", "Share")
    shown, rest = drivers[:MOST_DRIVERS], drivers[MOST_DRIVERS:]
    told = [row for row in drivers if _effects(row)]
    first = drivers[0]
    words = join(
        "Most of all ",
        tag("b", _words_of(first)),
        *([", then ", tag("b", _words_of(drivers[1]))] if len(drivers) > 1 else []),
        ". This is what the model goes by, not what causes the outcome: changing it need not change what happens.",
    )
    return join(
        _section(
            "What drives the estimate",
            words,
            _strips(header, [line(row) for row in shown], "drivers"),
            _details(f"{len(rest)} weaker ones", _strips(header, [line(row) for row in rest])) if rest else None,
        ),
        _section(
            f"What raises and what lowers the {likelihood}",
            _how_to_read(base),
            tag("div", [_effect(row, base) for row in told[:MOST_EFFECTS]], class_="effects"),
            _details(
                f"{len(told) - MOST_EFFECTS} more",
                tag("div", [_effect(row, base) for row in told[MOST_EFFECTS:]], class_="effects"),
            )
            if len(told) > MOST_EFFECTS
            else None,
            _behind(
                ("Column", "Value", "Rows", "Contribution, log-odds", "Observed"),
                [
                    (row.get("column"), each["label"], _count(each.get("rows")), _signed(each["contribution"]),
                     _percent(each.get("observed_rate")))
                    for row in told
                    for each in _effects(row)
                ],
                words=2,
            ),
        )
        if told
        else None,
    )  # fmt: skip


def _how_to_read(base: float | None) -> str:
    if base is None:
        return "Bars show by how much a value moves the log-odds, all else the same."
    return (
        f"Points: how far a value moves someone who would otherwise stand at the average, {percent(base)}. "
        "Happened: how it really went for them, for whatever reason."
    )


def _ends(row: dict, likelihood: str) -> Markup | None:
    effects = [each for each in _effects(row) if abs(each["contribution"]) > 1e-9]
    highest = max(effects, key=lambda each: each["contribution"], default=None)
    lowest = min(effects, key=lambda each: each["contribution"], default=None)
    parts = []
    if highest and highest["contribution"] > 0:
        parts.append(join(f"raises the {likelihood} most: ", tag("bdi", highest["label"])))
    if lowest and lowest["contribution"] < 0:
        parts.append(join("lowers it most: " if parts else f"lowers the {likelihood}: ", tag("bdi", lowest["label"])))
    return join(parts[0], *[join("; ", part) for part in parts[1:]]) if parts else None


def _effect(row: dict, base: float | None) -> Markup:
    effects = _effects(row)[:MOST_LABELS]
    moves = [_moved(each["contribution"], base) for each in effects]
    most = max(abs(move) for move in moves)
    write = _signed if base is None else _signed_points
    lines = [
        (each["label"], svg.two_ways(move, most), write(move), _percent(each.get("observed_rate")), _count(each.get("rows")))
        for each, move in zip(effects, moves, strict=True)
    ]  # fmt: skip
    left = len(_effects(row)) - len(effects)
    return tag(
        "div",
        tag("h3", _driver_name(row)),
        _strips(("", "", "Log-odds" if base is None else "Points", "Happened", "Rows"), lines),
        tag("p", f"and {left} more below", class_="soft small") if left else None,
    )


def _moved(contribution: float, base: float | None) -> float:
    """By how much a contribution in log-odds moves the probability from the base rate; itself without one."""
    if base is None:
        return contribution
    odds = math.log(base / (1 - base)) + contribution
    return (1 / (1 + math.exp(-odds)) if odds > -700 else 0.0) - base


def _segments(facts: dict) -> Markup | None:
    from pipelines.learning.evaluation import auc_error

    segments = [row for row in _dicts(facts, "segments") if "value" in row]
    if not segments:
        return None
    warned = [row for row in segments if row.get("warning")]
    overall = _number(facts.get("auc"))
    aucs = [auc for row in segments if (auc := _number(row.get("auc"))) is not None]
    floor = max(0.0, min([0.5, *(auc - 0.05 for auc in aucs)]))

    def at(value: float) -> float:
        return (value - floor) / (1 - floor)

    def line(row: dict) -> tuple:
        auc, strip = _number(row.get("auc")), None
        rows, yes = (_number(row.get(key)) for key in ("rows", "positives"))
        if auc is not None:
            error = auc_error(auc, round(yes), round(rows - yes)) if rows and yes else math.nan
            reach = 1.96 * error if math.isfinite(error) else 0.0
            reference = None if overall is None else at(overall)
            strip = svg.interval(
                at(auc), at(auc - reach), at(auc + reach), reference, "warm" if row.get("warning") else "model"
            )
        return (
            join(
                tag("span", "▲ ", class_="warned", title="warning") if row.get("warning") else None,
                tag("bdi", row["value"]),
            ),
            strip,
            _fixed(auc, 2),
            _percent(row.get("base_rate")),
            _percent(row.get("calibration_error")),
            _count(rows),
        )

    header = ("", "how well it ranks", "AUC", "Do", "Off by", "Rows")
    tables = []
    for name in dict.fromkeys(row.get("segment") for row in segments):
        mine = [row for row in segments if row.get("segment") == name]
        tables.append(
            _strips((tag("b", "" if name is None else name), *header[1:]), [line(row) for row in mine], "segments")
        )
    words = (
        f"{_some(len(warned), 'group')} to be careful with."
        if warned
        else "No group stands out: where it does worse, chance explains it."
    )
    return _section(
        "Who it works less well for",
        join(
            words,
            " The dot is how well it ranks within the group, the line through it what chance allows, the upright line "
            "all rows together."
            if aucs
            else None,
        ),
        [
            tag("p", tag("b", _segment_name(row)), ": ", _warning(row), class_="note")
            for row in warned
        ],
        tables,
        _behind(
            ("Column", "Value", "Rows", "Yes", "Base rate", "AUC", "Log loss", "Calibration error"),
            [
                (row.get("segment"), row["value"], _count(row.get("rows")), _count(row.get("positives")),
                 _percent(row.get("base_rate")), *(_fixed(row.get(key), 3) for key in ("auc", "log_loss", "calibration_error")))
                for row in segments
            ],
            words=2,
        ),
    )  # fmt: skip


def _segment_name(row: dict) -> Markup:
    return join(row.get("segment"), " = " if row.get("segment") is not None else None, tag("bdi", row["value"]))


def _warning(row: dict) -> Markup:
    return inline(row["warning"]) if isinstance(row["warning"], str) else join("it works much less well here.")


def _suspects(facts: dict) -> Markup | None:
    suspects = _dicts(facts, "suspect")
    if not suspects:
        return None
    auc, loss = _number(facts.get("auc")), _number(facts.get("log_loss"))

    def line(row: dict) -> tuple:
        without, loss_without = _number(row.get("auc_without")), _number(row.get("log_loss_without"))
        strip = svg.change(2 * auc - 1, 2 * without - 1) if None not in (auc, without) else None
        return (
            join(tag("b", row.get("column")), tag("span", inline(row.get("reason") or ""), class_="soft")),
            strip,
            _with_without(auc, without, 2),
            _with_without(loss, loss_without, 3),
        )

    return _section(
        "Ask before you trust",
        f"{_some(len(suspects), 'column')} so telling that {'it' if len(suspects) == 1 else 'they'} may have been filled in "
        "after the outcome. If so, leave it out: the model is then worth what stands on the right.",
        _strips(("Column", "with ○ and without ●", "AUC", "Log loss"), [line(row) for row in suspects]),
    )  # fmt: skip


def _with_without(before: float | None, after: float | None, digits: int) -> str:
    return "" if after is None else f"{_fixed(before, digits)} → {_fixed(after, digits)}".removeprefix(" → ")


def _left_out(facts: dict) -> Markup | None:
    groups = [(title, why, rows) for key, title, why in LEFT_OUT if (rows := _dicts(facts, key))]
    if not groups:
        return None
    used, dropped = _number(facts.get("n_columns")), sum(len(rows) for _, _, rows in groups)
    parts = []
    for title, why, rows in groups:
        listed = [
            tag("li", tag("code", row.get("column")), " ", inline(row["reason"]) if row.get("reason") else None)
            for row in rows
        ]
        parts.append(tag("h3", f"{title} ({len(rows):,})", style="margin-top:16px"))
        parts.append(tag("p", why, class_="soft small") if why else None)
        parts.append(tag("ul", listed[:MOST_LEFT_OUT], class_="small"))
        if len(listed) > MOST_LEFT_OUT:
            parts.append(_details(f"{len(listed) - MOST_LEFT_OUT:,} more", tag("ul", listed[MOST_LEFT_OUT:])))
    words = f"{_some(dropped, 'column')} left out" + (f"; {used:,.0f} used." if used is not None else ".")
    return _section("What was left out, and why", words, *parts)


def _limits(facts: dict) -> Markup | None:
    limits = _texts(facts, "limits")
    return (
        _section("Where to be careful", None, tag("ul", [tag("li", inline(each)) for each in limits]))
        if limits
        else None
    )


def _for_analysts(facts: dict) -> Markup | None:
    measured = [(name, f"{value:.4f}", how) for key, name, how in MEASURES if (value := _number(facts.get(key))) is not None]
    loss, baseline = _number(facts.get("log_loss")), _number(facts.get("baseline_log_loss"))
    if loss is not None and baseline:
        measured.append(("Explained", percent(1 - loss / baseline), "share of the base rate's log loss that is gone"))
    candidates = sorted(_dicts(facts, "candidates"), key=lambda row: _number(row.get("log_loss")) or math.inf)
    counted = [
        (words, _count(facts.get(key)))
        for key, words in (
            ("n_rows", "rows with a known answer"),
            ("n_positive", "of them yes"),
            ("n_train", "learnt from"),
            ("n_holdout", "judged on"),
            ("n_columns", "columns used"),
        )
        if _number(facts.get(key)) is not None
    ]
    if not (measured or candidates or counted):
        return None
    return _section(
        "For the analyst",
        None,
        _scroll(_figures_table(measured)) if measured else None,
        [
            tag("h3", "Candidates", style="margin-top:18px"),
            tag("p", "Compared by log loss on rows that none of them had seen.", class_="soft small"),
            _scroll(
                table(
                    ("Candidate", "Log loss", "Weight in the model", "Seconds"),
                    [
                        (row.get("name"), _fixed(row.get("log_loss"), 4), _percent(row.get("weight"), 0), _fixed(row.get("seconds"), 1))
                        for row in candidates
                    ],
                )
            ),
        ]
        if candidates
        else None,
        [
            tag("h3", "Rows and columns", style="margin-top:18px"),
            tag("p", "; ".join(f"{count} {words}" for words, count in counted) + ".", class_="small"),
        ]
        if counted
        else None,
    )  # fmt: skip


def _figures_table(measured: Sequence[tuple[str, str, str]]) -> Markup:
    return table(("Figure", "Value", "How to read it"), measured, words=3)


def _footer(facts: dict) -> Markup | None:
    method, code, seconds = facts.get("method"), facts.get("code_version"), _number(facts.get("seconds"))
    made = str(facts.get("created_at") or "")[:16].replace("T", " ")
    parts = [
        join("Made ", made) if made else None,
        join("method ", method) if method else None,
        f"fitted in {seconds:.1f} s" if seconds is not None else None,
        join("data ", tag("code", str(facts["fingerprint"])[:16])) if facts.get("fingerprint") else None,
        join("code ", tag("code", code)) if code else None,
    ]
    known = [part for part in parts if part is not None]
    return tag("footer", join(known[:1], [[" · ", part] for part in known[1:]])) if known else None


def wilson(rate: float, rows: float, z: float = 1.96) -> tuple[float, float]:
    """From where to where the true rate may lie, 95 %. Wilson (1927), "Probable inference, the law of succession"."""
    middle = (rate + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * math.sqrt(max(0.0, rate * (1 - rate) / rows + z**2 / (4 * rows**2)))
    return max(0.0, middle - half), min(1.0, middle + half)


def _section(title: str, words: object, *children: object) -> Markup:
    return tag("section", tag("h2", title), tag("p", words, class_="soft") if words else None, children)


def _details(summary: str, *children: object) -> Markup:
    return tag("details", tag("summary", summary), children)


def _behind(header: Sequence[str], rows: Sequence[Sequence[object]], summary: str | None = None, words: int = 1) -> Markup:
    """The figures of a picture, for those who cannot see it or want them exactly."""
    return _details(summary or "As numbers", _scroll(table(header, rows, words)))


def _strips(header: Sequence[object], rows: Sequence[Sequence[object]], style: str | None = None) -> Markup:
    """A table whose second column is drawn."""
    return _scroll(table(header, rows, words=2, class_=f"strips {style}" if style else "strips"))


def _scroll(child: Markup) -> Markup:
    return tag("div", child, class_="scroll")


def _deciles(facts: dict) -> list[dict]:
    """Tenths with rows and both rates, the highest first; none for classes."""
    if facts.get("task") == "classes":
        return []
    needed = ("decile", "rows", "positives", "predicted_rate", "observed_rate")
    rows = [row for row in _dicts(facts, "deciles") if all(_number(row.get(key)) is not None for key in needed)]
    return sorted((row for row in rows if row["rows"] > 0), key=lambda row: row["decile"])


def _curve(deciles: list[dict]) -> list[tuple[float, float]]:
    """Share of rows and share of all yes, from (0, 0) to the end of the list."""
    rows, yes = sum(row["rows"] for row in deciles), sum(row["positives"] for row in deciles)
    points, seen, found = [(0.0, 0.0)], 0.0, 0.0
    for row in deciles:
        seen, found = seen + row["rows"], found + row["positives"]
        points.append((seen / rows, found / yes if yes else 0.0))
    return points


def _gain_at(deciles: list[dict], share: float) -> float | None:
    """The share of all yes within the first `share` of the rows, straight between the tenths."""
    curve = _curve(deciles)
    for (a, low), (b, high) in zip(curve, curve[1:], strict=False):
        if b >= share - 1e-9:
            return low + (high - low) * min(1.0, (share - a) / (b - a))
    return None


def _base_rate(facts: dict) -> float | None:
    rate = _number(facts.get("base_rate"))
    return rate if rate is not None and 0 < rate < 1 else None


def _scale(rate: float) -> int:
    """Of how many people to speak so that the rate is a whole number of them: 100, 1,000, ..."""
    return next((scale for scale in (100, 1_000, 10_000, 100_000) if rate * scale >= 0.95), 1_000_000)


def _effects(row: dict) -> list[dict]:
    return [
        each for each in _dicts(row, "effects") if "label" in each and _number(each.get("contribution")) is not None
    ]


def _class_rows(facts: dict) -> list[dict]:
    return [row for row in _dicts(facts, "classes") if "class" in row and _number(row.get("rows")) is not None]


def _dicts(facts: dict, key: str) -> list[dict]:
    return [row for row in facts.get(key) or [] if isinstance(row, dict)]


def _texts(facts: dict, key: str) -> list[str]:
    return [str(each) for each in facts.get(key) or [] if each]


def _name(facts: dict) -> str:
    return str(facts.get("name") or "Model")


def _rows_word(facts: dict) -> str:
    """What a row is, in the plural."""
    return str(facts.get("rows_word") or "rows")


def _verb(facts: dict) -> str:
    """What those with a yes do: "leave", or that the question's answer is yes."""
    return str(facts.get("yes_words") or (f"have “{facts['question']}”" if facts.get("question") else "are a yes"))


def _words_of(row: dict) -> str:
    return str(row.get("words") or row.get("column") or "?")


def _driver_name(row: dict) -> Markup:
    words, column = _words_of(row), row.get("column")
    return join(words) if column in (None, words) else tag("span", words, title=column)


def _number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) else None


def _percent(value: object, digits: int | None = None) -> str:
    number = _number(value)
    return "" if number is None else percent(number, digits)


def _fixed(value: object, digits: int) -> str:
    number = _number(value)
    return "" if number is None else f"{number:.{digits}f}"


def _count(value: object) -> str:
    number = _number(value)
    return "" if number is None else f"{number:,.0f}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _signed_points(value: float) -> str:
    return f"{100 * value:+.{0 if abs(value) >= 0.0095 else 1}f}".replace("-", "−")


def _points(share: float) -> str:
    return f"{100 * share:.1f}{NBSP}points"


def _money(value: object, row: dict) -> Markup | None:
    number = _number(value)
    if number is None:
        return None
    size = next(((unit, word) for unit, word in ((1e9, "bn"), (1e6, "M")) if abs(number) >= unit), None)
    words = f"{number / size[0]:,.2f}{NBSP}{size[1]}" if size else f"{number:,.0f}"
    return join(words, NBSP, row["currency"]) if row.get("currency") else join(words)


def _some(count: int, word: str) -> str:
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    return f"{words[count] if count < len(words) else f'{count:,}'} {word}{'' if count == 1 else 's'}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
