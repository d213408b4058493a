"""The pictured sections of the model card's page. Each takes the facts; None where they lack it."""

import math
from collections.abc import Iterable
from itertools import accumulate

from pipelines.learning.cards import svg
from pipelines.learning.cards.facts import (
    PastScoring,
    ScoreOutcome,
    base_rate,
    capital,
    class_rows,
    count_words,
    dicts,
    driver_words,
    effects_of,
    finite,
    fixed,
    gain_at,
    gain_curve,
    listed,
    maybe_percent,
    money_words,
    off_tenths,
    past_scorings,
    rows_called,
    short_for,
    signed,
    signed_points,
    some,
    tenths,
    what_they_do,
)
from pipelines.learning.cards.markup import Markup, behind, details, inline, join, scroll, section, strips, table, tag
from pipelines.learning.cards.svg import Plot, percent
from pipelines.learning.judging.holdback import rate_interval

FIRST_SHARE = 0.2
"""How much of the list the verdict speaks of working through."""
MOST_DRIVERS, MOST_EFFECTS, MOST_LABELS = 12, 6, 12
MOST_CLASSES_CROSSED = 12
MOST_MIXED_UP = 15
MOST_RELEASES = 60
MOST_READ = 3
DECIDES = 1 / 3
"""Share of all that moves the estimate from which on one thing is said to count most of all."""


def gain_section(facts: dict) -> Markup | None:
    """How many are found when working down from the highest score."""
    deciles = tenths(facts)
    if not deciles:
        return None
    curve = gain_curve(deciles)
    plot = Plot(f"{rows_called(facts)} worked through, highest score first", "share of them met")
    base = base_rate(facts)
    plot.area(curve, "wash")
    plot.line([(0, 0), (1, 1)], "muted")
    if base:
        plot.line([(0, 0), (base, 1), (1, 1)], "faint")
        if base < 0.55:
            plot.label(base, 1, "best possible", "muted", (6, 14))
    plot.label(1, 0.72, "in random order", "muted end", (-4, 20))
    plot.line(curve, "model")
    for row, (share, found) in zip(deciles, curve[1:], strict=True):
        hint = f"The first {percent(share)}: {percent(found)} of all, {row['positives']:,} in this tenth"
        plot.dot(share, found, "model", hint, 3.5)
    found = gain_at(deciles, FIRST_SHARE)
    title = f"The first {percent(FIRST_SHARE)} of the list holds {percent(found)} of them"
    plot.line([(FIRST_SHARE, 0), (FIRST_SHARE, found)], "guide")
    plot.label(FIRST_SHARE, found, percent(found), "big", (9, 16))
    enough = next((share for share, gained in curve if gained >= 0.8), None)
    text = f"Gain curve: the share of all found against the share worked through. {title}."
    words = (
        f"Four in five of those who {what_they_do(facts)} are within the first {percent(enough)} of the list."
        if enough is not None
        else None
    )
    header = ("Tenth", capital(rows_called(facts)), "Of them yes", "It said", "Happened", "Times average", "Met so far")
    rows = [
        (
            row["decile"],
            count_words(row["rows"]),
            count_words(row["positives"]),
            percent(row["predicted_rate"]),
            percent(row["observed_rate"]),
            fixed(row.get("lift"), 2),
            percent(found),
        )
        for row, (_, found) in zip(deciles, curve[1:], strict=True)
    ]
    return section("How far down the list?", words, plot.draw("gain", title, text), behind(header, rows))


def calibration_section(facts: dict) -> Markup | None:
    """Predicted against observed rate, by tenth."""
    deciles = tenths(facts)
    if not deciles:
        return None
    spans = [rate_interval(row["observed_rate"] * row["rows"], row["rows"]) for row in deciles]
    limit = svg.end(*(high for _, high in spans), *(row["predicted_rate"] for row in deciles))
    plot = Plot("what it said", "what happened", limit, limit)
    plot.line([(0, 0), (limit, limit)], "muted")
    plot.label(0.62 * limit, 0.62 * limit, "said = happened", "muted", (10, 16))
    off = off_tenths(deciles)
    for row, (low, high) in zip(deciles, spans, strict=True):
        said, happened = row["predicted_rate"], row["observed_rate"]
        plot.whisker(said, low, high)
        hint = f"Said {percent(said)}, {percent(happened)} happened ({row['rows']:,} rows)"
        plot.dot(said, happened, "warm" if row in off else "model", hint, 4.5)
    words = (
        f"Each dot is a tenth of the {rows_called(facts)}, with what chance allows. On the dashed line it said what "
        "happened; below it, the estimate runs high, above it, low. "
    )
    rows = [
        (
            row["decile"],
            percent(row["predicted_rate"]),
            percent(row["observed_rate"]),
            f"{percent(low)} to {percent(high)}",
            count_words(row["rows"]),
            tag("span", f"as {percent(row['observed_rate'])}", class_="warned") if row in off else "as it stands",
        )
        for row, (low, high) in zip(deciles, spans, strict=True)
    ]
    text = "Calibration: predicted against observed rate by tenth of the score, with 95 % Wilson intervals."
    return section(
        "Does it keep its word?",
        words + (how_to_read(deciles, is_only_order(facts)) if facts.get("verdict") != "no_signal" else ""),
        plot.draw("calibration", "What it said and what happened", text),
        behind(("Tenth", "It said", "Happened", "Chance allows", capital(rows_called(facts)), "Read it"), rows),
    )


def is_only_order(facts: dict) -> bool:
    """Whether the model ranks better than chance, but says no better percentages than the average."""
    return bool(facts.get("is_only_order"))


def how_to_read(deciles: list[dict], is_only_order: bool) -> str:
    """
    Whether its percentages hold, and where they run high or low what to read instead.

    `is_only_order`: they are no better than the average, so that chance alone keeps them from being found wrong.
    """
    off = off_tenths(deciles)
    if not off:
        return "" if is_only_order else "Its percentages can be taken as they stand."
    runs_high = {row["predicted_rate"] > row["observed_rate"] for row in off}
    told = [f"{percent(row['predicted_rate'])} as about {percent(row['observed_rate'])}" for row in off[:MOST_READ]]
    where = "" if len(off) == len(deciles) else " in places"
    rest = "" if len(off) == len(deciles) else " Elsewhere its percentages hold."
    if off == deciles[: len(off)] and len(off) < len(deciles):
        where, rest = " at the top of the list", " Further down its percentages hold."
    which = "It runs high" if runs_high == {True} else "It runs low" if runs_high == {False} else "It is off"
    order = " Go by its order more than by its percentages." if len(off) > len(deciles) / 3 else ""
    return f"{which}{where}: read {listed(told)}.{rest if not order else ''}{order}"


def money_section(facts: dict) -> Markup | None:
    """How the money at stake lies along the list."""
    money = facts.get("money") if isinstance(facts.get("money"), dict) else {}
    needed = ("decile", "at_stake", "share", "share_of_yes")
    rows = [row for row in dicts(money, "deciles") if all(finite(row.get(key)) is not None for key in needed)]
    if not rows:
        return None
    currency, who, first = money.get("currency"), f"those who {what_they_do(facts)}", rows[0]
    top = svg.end(*(row[key] for row in rows for key in ("share", "share_of_yes")))
    so_far = accumulate(row["share_of_yes"] for row in rows)
    lines = [
        (
            row["decile"],
            svg.bar(row["share_of_yes"] / top, "model", row["share"] / top),
            percent(row["share"]),
            percent(row["share_of_yes"]),
            percent(found),
            money_words(row["at_stake"], currency),
        )
        for row, found in zip(rows, so_far, strict=True)
    ]
    those = f"those who {short_for(what_they_do(facts))[0]}"
    header = ("Tenth", f"bar: {those}, tick: all", "Of all", capital(those), "So far", "Each, on average")
    return section(
        "Where the money is",
        f"The first tenth of the list holds {percent(first['share'])} of all money at stake, and "
        f"{percent(first['share_of_yes'])} of the money of {who}."
        + (f" Only amounts in {currency} are counted." if currency else ""),
        strips(header, lines, "outcomes"),
    )


def classes_section(facts: dict) -> Markup | None:
    """Precision and recall by class, the weakest shown."""
    classes = [row for row in class_rows(facts) if finite(row.get("f1")) is not None]
    if not classes:
        return None
    order = sorted(classes, key=lambda row: -row["f1"])
    weakest = order[-MOST_CLASSES_CROSSED:]

    def lines(rows: Iterable[dict]) -> list[tuple]:
        return [
            (
                row["class"],
                svg.bar(row["f1"], "model"),
                fixed(row["f1"], 2),
                maybe_percent(row.get("recall")),
                maybe_percent(row.get("precision")),
                count_words(row["rows"]),
            )
            for row in rows
        ]

    header = ("Class", "", "F1", "Found", "Right when named", "Rows")
    rest = order[: -len(weakest)] if len(order) > len(weakest) else []
    return section(
        "Which classes it gets right",
        "Found: of the rows that are in the class, the share it puts there. Right when named: of those it puts there, "
        "the share that belongs." + (f" The {len(weakest)} weakest of {len(order)} are shown." if rest else ""),
        strips(header, lines(weakest)),
        details(f"The other {len(rest)} classes", strips(header, lines(rest))) if rest else None,
    )


def mixed_up_section(facts: dict) -> Markup | None:
    """The confusion matrix, or its largest cells where there are many classes."""
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
        [(is_, says, count_words(count), percent(share)) for count, share, is_, says in pairs[:MOST_MIXED_UP]],
        words=2,
    )
    if len(labels) > MOST_CLASSES_CROSSED:
        return section("What it mixes up", None, scroll(most)) if pairs else None
    cells = [
        tag(
            "tr",
            tag("th", label, scope="row"),
            [
                tag(
                    "td",
                    count_words(count),
                    style=f"--share:{count / max(sum(row), 1):.3f}",
                    class_="right" if i == j else None,
                )
                for j, count in enumerate(row)
            ],
        )
        for i, (label, row) in enumerate(zip(labels, counts, strict=True))
    ]
    head = tag(
        "tr", tag("th", "is ↓ says →", scope="col"), [tag("th", label, class_="n", scope="col") for label in labels]
    )
    crossed = tag("table", tag("thead", head), tag("tbody", cells), class_="confusion")
    return section(
        "What it mixes up",
        "A row is what it is, a column what the model says; the diagonal is right.",
        scroll(crossed),
        details("The most frequent mistakes", scroll(most)) if pairs else None,
    )


def came_true_section(facts: dict) -> Markup | None:
    """Past releases, and days that were backfilled, against what happened since."""
    past = past_scorings(row for row in facts.get("score_outcomes") or () if isinstance(row, ScoreOutcome))
    if not past:
        return None
    # What people had before their eyes says more than what a model would have said.
    newest = max(past, key=lambda each: (not each.is_backfill, each.as_of_date, each.release_id))
    rows_word = rows_called(facts)
    top = svg.end(*(rate for row in newest.grades for rate in (row.actual_rate, row.predicted_rate)))
    lines = [
        (
            row.grade,
            svg.bar(row.actual_rate / top, "model", row.predicted_rate / top),
            percent(row.predicted_rate),
            percent(row.actual_rate),
            count_words(row.rows),
        )
        for row in newest.grades
    ]
    header = ("Grade", "bar: happened, tick: said", "Said", "Happened", capital(rows_word))
    everything = [
        (
            str(each.as_of_date),
            "backfill" if each.is_backfill else "release",
            row.grade,
            count_words(row.rows),
            percent(row.predicted_rate),
            percent(row.actual_rate),
            money_words(row.money_expected, row.currency),
            money_words(row.money_come, row.currency),
        )
        for each in past[: -MOST_RELEASES - 1 : -1]
        for row in each.grades
    ]
    over_time = _over_time(past[-MOST_RELEASES:])
    columns = ("As of", "Scored by", "Grade", capital(rows_word), "Said", "Happened", "Money expected", "Money come")
    return section(
        "Did the scores come true?",
        join(_came_true(newest, rows_word, what_they_do(facts)), " ", _money_came(newest.grades)),
        tag(
            "div",
            strips(header, lines, "outcomes"),
            over_time,
            class_="came-true pictured" if over_time else "came-true",
        ),
        behind(columns, everything, f"All {len(past)} past scorings as numbers" if len(past) > 1 else None, 3),
    )


def _came_true(newest: PastScoring, rows_word: str, verb: str) -> Markup:
    first = newest.grades[0]
    when = tag("span", newest.as_of_date, class_="whole")
    then = " (scored later, from what was known then)" if newest.is_backfill else ""
    return join(
        f"Of {first.rows:,} {rows_word} with grade {first.grade} on ",
        when,
        f"{then} it said that {percent(first.predicted_rate)} {verb}; ",
        f"{percent(first.actual_rate)} {short_for(verb)[1]}.",
    )


def _money_came(grades: list[ScoreOutcome]) -> str | None:
    pairs = [(row.money_expected, row.money_come) for row in grades]
    known = [(expected, come) for expected, come in pairs if expected is not None and come is not None]
    currencies = {row.currency for row in grades}
    if not known or len(currencies) > 1:
        return None
    expected, come = (money_words(sum(values), *currencies) for values in zip(*known, strict=True))
    return f"In all it expected {expected}; it came to {come}."


def _over_time(past: list[PastScoring]) -> Markup | None:
    if len(past) < 2:
        return None
    said = [_pooled((row.rows, row.predicted_rate) for row in each.grades) for each in past]
    happened = [_pooled((row.rows, row.actual_rate) for row in each.grades) for each in past]
    plot = Plot("scores of", "said (dashed) and happened", len(past) - 1, svg.end(*said, *happened))
    plot.line(list(enumerate(said)), "muted")
    plot.line(list(enumerate(happened)), "model")
    for number, (each, a, b) in enumerate(zip(past, said, happened, strict=True)):
        kind = "backfill of " if each.is_backfill else ""
        plot.dot(number, b, "model", f"{kind}{each.as_of_date}: said {percent(a)}, {percent(b)} happened", 3.5)
    step = math.ceil(len(past) / 4)
    names = [(number, str(each.as_of_date)) for number, each in enumerate(past) if number % step == 0]
    text = "Predicted and actual rate of every past release whose outcomes are known."
    return plot.draw("outcomes", "Said and happened, release by release", text, names)


def _pooled(counted: Iterable[tuple[int, float]]) -> float:
    """The rate of all together, from rows and rate of each."""
    pairs = list(counted)
    return sum(rows * rate for rows, rate in pairs) / sum(rows for rows, _ in pairs)


def drivers_section(facts: dict, likelihood: str) -> Markup | None:
    """The columns that move the estimate most, and how their values do."""
    drivers = [row for row in dicts(facts, "drivers") if (finite(row.get("strength")) or 0) > 0]
    if not drivers:
        return None
    drivers.sort(key=lambda row: -row["strength"])
    most, total = drivers[0]["strength"], sum(row["strength"] for row in drivers)

    def line(row: dict) -> tuple:
        share = finite(row.get("share"))
        return (
            join(_driver_name(row), tag("span", _ends(row, likelihood), class_="soft")),
            svg.bar(row["strength"] / most, "model"),
            percent(row["strength"] / total if share is None else share, 0),
        )

    header = ("What is known", "how much it moves the estimate", "Share")
    shown, rest = drivers[:MOST_DRIVERS], drivers[MOST_DRIVERS:]
    words = join(
        _strongest(drivers, total, finite(facts.get("n_columns"))),
        " This is what the model goes by, not what causes the outcome: changing it need not change what happens.",
    )
    strongest = section(
        "What drives the estimate",
        words,
        strips(header, [line(row) for row in shown], "drivers"),
        details(f"{len(rest)} weaker ones", strips(header, [line(row) for row in rest])) if rest else None,
    )
    return join(strongest, _effects_section(drivers, base_rate(facts), likelihood))


def _effects_section(drivers: list[dict], base: float | None, likelihood: str) -> Markup | None:
    """Which values of the strongest columns raise the estimate, and which lower it."""
    described = [row for row in drivers if effects_of(row)]
    if not described:
        return None
    shown, rest = (
        tag("div", [_effect(row, base) for row in rows], class_="effects")
        for rows in (described[:MOST_EFFECTS], described[MOST_EFFECTS:])
    )
    figures = [
        (
            driver_words(row),
            each["label"],
            count_words(each.get("rows")),
            signed(each["contribution"]),
            maybe_percent(each.get("observed_rate")),
        )
        for row in described
        for each in effects_of(row)
    ]
    return section(
        f"What raises and what lowers the {likelihood}",
        _how_to_read(base),
        shown,
        details(f"{len(described) - MOST_EFFECTS} more", rest) if len(described) > MOST_EFFECTS else None,
        behind(("What is known", "Value", "Rows", "Strength", "Happened"), figures, words=2),
    )


def _strongest(drivers: list[dict], total: float, columns: float | None) -> Markup:
    """What the estimate rests on most; one thing is said to decide only where it does."""
    shares = [finite(row.get("share")) or row["strength"] / total for row in drivers[:2]]
    first, *others = [tag("b", driver_words(row)) for row in drivers[:2]]
    if shares[0] >= DECIDES:
        return join(f"Most of all ({percent(shares[0], 0)}) ", first, [", then ", others[0]] if others else None, ".")
    among = f" of {columns:,.0f} that it looks at" if columns else ""
    told = [[name, f" ({percent(share, 0)})"] for name, share in zip([first, *others], shares, strict=True)]
    return join(
        f"No single fact{among} decides. The strongest: ", told[0], [[", then ", each] for each in told[1:]], "."
    )


def _how_to_read(base: float | None) -> str:
    if base is None:
        return "Bars show which way a value moves the estimate and how strongly, all else the same."
    return (
        "Points: by how many percentage points a value moves an estimate that would otherwise be the average, "
        f"{percent(base)}, all else the same. Happened: the share in the end, with all else that comes with the value; "
        "the two can differ."
    )


def _ends(row: dict, likelihood: str) -> Markup | None:
    effects = [each for each in effects_of(row) if abs(each["contribution"]) > 1e-9]
    highest = max(effects, key=lambda each: each["contribution"], default=None)
    lowest = min(effects, key=lambda each: each["contribution"], default=None)
    parts = []
    if highest and highest["contribution"] > 0:
        parts.append(join(f"raises the {likelihood} most: ", tag("bdi", highest["label"])))
    if lowest and lowest["contribution"] < 0:
        parts.append(join("lowers it most: " if parts else f"lowers the {likelihood}: ", tag("bdi", lowest["label"])))
    return join(parts[0], *[join("; ", part) for part in parts[1:]]) if parts else None


def _effect(row: dict, base: float | None) -> Markup:
    effects = effects_of(row)[:MOST_LABELS]
    moves = [_moved(each["contribution"], base) for each in effects]
    most = max(abs(move) for move in moves)
    write = signed if base is None else signed_points
    # Of classes there is no one rate that a value could have.
    has_rate = any(finite(each.get("observed_rate")) is not None for each in effects)
    lines = [
        (
            each["label"],
            svg.two_ways(move, most),
            write(move),
            *([maybe_percent(each.get("observed_rate"))] if has_rate else []),
            count_words(each.get("rows")),
        )
        for each, move in zip(effects, moves, strict=True)
    ]
    header = ("", "Strength" if base is None else "Points", *(["Happened"] if has_rate else []), "Rows")
    left = len(effects_of(row)) - len(effects)
    return tag(
        "div",
        strips((tag("b", _driver_name(row)), *header), lines),
        tag("p", f"and {left} more below", class_="soft small") if left else None,
    )


def _moved(contribution: float, base: float | None) -> float:
    """By how much a contribution in log-odds moves the probability from the base rate; itself without one."""
    if base is None:
        return contribution
    odds = math.log(base / (1 - base)) + contribution
    return (1 / (1 + math.exp(-odds)) if odds > -700 else 0.0) - base


def _driver_name(row: dict) -> Markup:
    words, column = driver_words(row), row.get("column")
    return join(words) if column in (None, words) else tag("span", words, title=column)


def segments_section(facts: dict) -> Markup | None:
    """Ranking within groups, with what chance allows, and the warnings."""
    segments = [row for row in dicts(facts, "segments") if "value" in row]
    if not segments:
        return None
    warned = [row for row in segments if row.get("warning")]
    aucs = [auc for row in segments if (auc := finite(row.get("auc"))) is not None]
    floor = max(0.0, min([0.5, *(auc - 0.05 for auc in aucs)]))
    overall = finite(facts.get("auc"))
    header = ("how well it ranks", "0.5 is chance", "Said", "Happened", "Rows")
    tables = []
    for name in dict.fromkeys(row.get("segment") for row in segments):
        group = [row for row in segments if row.get("segment") == name]
        lines = [_segment_line(row, overall, floor) for row in group]
        tables.append(strips((tag("b", _segment_words(group[0])), *header), lines, "segments"))
    words = (
        f"{some(len(warned), 'group')} to be careful with."
        if warned
        else "No group stands out: where it does worse, it may be chance."
    )
    legend = (
        " The dot is how well it ranks within the group, the line through it what chance allows, the upright line "
        "all rows together."
    )
    return section(
        "Who it works less well for",
        join(words, legend if aucs else None),
        [tag("p", tag("b", _segment_name(row)), ". ", _warning(row), class_="note") for row in warned],
        tables,
        _segment_figures(segments),
    )


def _segment_line(row: dict, overall: float | None, floor: float) -> tuple:
    """One group of a table: name, strip, figures. `overall`: AUC of all rows; `floor`: where the strip begins."""
    auc = finite(row.get("auc"))
    return (
        join(
            tag("span", "▲ ", class_="warned", title="warning") if row.get("warning") else None,
            tag("bdi", row["value"]),
        ),
        None if auc is None else _segment_strip(row, auc, overall, floor),
        fixed(auc, 2),
        maybe_percent(row.get("predicted_rate")),
        maybe_percent(row.get("observed_rate")),
        count_words(finite(row.get("rows"))),
    )


def _segment_strip(row: dict, auc: float, overall: float | None, floor: float) -> Markup:
    from pipelines.learning.judging.evaluation import auc_error

    def at(value: float) -> float:
        return (value - floor) / (1 - floor)

    rows, yes = (finite(row.get(key)) for key in ("rows", "positives"))
    error = auc_error(auc, round(yes), round(rows - yes)) if rows and yes else math.nan
    reach = 1.96 * error if math.isfinite(error) else 0.0
    reference = None if overall is None else at(overall)
    return svg.interval(at(auc), at(auc - reach), at(auc + reach), reference, "warm" if row.get("warning") else "model")


def _segment_figures(segments: list[dict]) -> Markup:
    """The table behind the pictures."""
    return behind(
        ("By", "Value", "Rows", "Yes", "Said", "Happened", "AUC", "Log loss"),
        [
            (
                _segment_words(row),
                row["value"],
                count_words(row.get("rows")),
                count_words(row.get("positives")),
                *(maybe_percent(row.get(key)) for key in ("predicted_rate", "observed_rate")),
                *(fixed(row.get(key), 3) for key in ("auc", "log_loss")),
            )
            for row in segments
        ],
        words=2,
    )


def _segment_words(row: dict) -> str:
    """What the groups differ in."""
    return capital(str(row.get("words") or row.get("segment") or ""))


def _segment_name(row: dict) -> Markup:
    name = _segment_words(row)
    return join(name, ": " if name else None, tag("bdi", row["value"]))


def _warning(row: dict) -> Markup:
    return inline(row["warning"]) if isinstance(row["warning"], str) else join("it works much less well here.")


def suspects_section(facts: dict) -> Markup | None:
    """Columns that may have been filled in late, and what the model is worth without each."""
    suspects = dicts(facts, "suspect")
    if not suspects:
        return None
    auc = finite(facts.get("auc"))

    def line(row: dict) -> tuple:
        without = finite(row.get("auc_without"))
        strip = svg.change(2 * auc - 1, 2 * without - 1) if None not in (auc, without) else None
        return (
            join(
                tag("b", driver_words(row), title=row.get("column")),
                tag("span", inline(row.get("reason") or ""), class_="soft"),
            ),
            strip,
            _with_without(auc, without, 3),
        )

    return section(
        "Ask before you trust",
        f"{some(len(suspects), 'fact')} so telling that the outcome itself may have filled "
        f"{'it' if len(suspects) == 1 else 'them'} in. If so, leave it out: the model is then worth what stands on the "
        "right of the arrow.",
        strips(
            ("What is known", "with ○ and without ●", "How well it ranks"), [line(row) for row in suspects], "suspects"
        ),
    )


def _with_without(before: float | None, after: float | None, digits: int) -> str:
    return "" if after is None else f"{fixed(before, digits)} → {fixed(after, digits)}".removeprefix(" → ")
