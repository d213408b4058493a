"""The model card as one HTML page: for whoever acts on the scores first, for the analyst further down.

No script, nothing fetched: style and pictures are inside. Every text of the facts is escaped by `markup`.
"""

import math
from functools import lru_cache
from pathlib import Path

from pipelines.learning.cards import svg
from pipelines.learning.cards.facts import (
    NBSP,
    base_rate,
    capital,
    class_rows,
    count_words,
    dicts,
    driver_words,
    finite,
    fixed,
    gain_at,
    in_points,
    model_name,
    rows_called,
    scale_for,
    short_for,
    some,
    tenths,
    texts,
    what_they_do,
)
from pipelines.learning.cards.markup import Markup, details, inline, join, scroll, section, table, tag
from pipelines.learning.cards.sections import (
    FIRST_SHARE,
    calibration_section,
    came_true_section,
    classes_section,
    drivers_section,
    gain_section,
    how_to_read,
    is_only_order,
    mixed_up_section,
    money_section,
    segments_section,
    suspects_section,
)
from pipelines.learning.cards.svg import percent
from pipelines.learning.judging.holdback import rate_interval

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
MOST_LEFT_OUT = 12
LEFT_OUT = (
    ("leaky", "They give the answer away", "They are filled in by the outcome, or after it; nobody has them in time."),
    ("excluded", "Asked to leave out", None),
    ("id_like", "Names and numbers of single rows", "They identify a row and say nothing about the next one."),
    ("constant", "The same everywhere", "What never differs cannot tell anyone apart."),
    ("target", "The answer itself", "They have the target's name."),
    ("unusable", "Of a type that a model cannot use", None),
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
COUNTS = (
    ("n_rows", "rows with a known answer"),
    ("n_positive", "of them yes"),
    ("n_train", "learnt from before the test"),
    ("n_fitted", "fitted on in the end: of a common answer a random part, weighted"),
    ("n_holdout", "judged on"),
    ("n_columns", "columns used"),
)


def card_page(facts: dict) -> str:
    """A whole HTML document from a model's facts (plain JSON values; rates and shares from 0 to 1, losses in nats).

    What is missing, empty or not finite is left out of the page. Of the rows held out, unless said otherwise:

    - what it is: name, about (one sentence), question ("Churn is Yes"), likelihood ("risk" or "chance"), task ("yes_no"
      or "classes"), rows_word ("customers"), yes_words ("leave within 90 days"), verdict ("ok" or "no_signal"), kept,
      reason, notes, limits, learnt_from, calibrated, created_at, method, fingerprint, code_version, seconds; n_rows,
      n_train, n_fitted, n_holdout, n_holdout_entities, n_positive, n_columns, split_words
    - how good: base_rate, auc, average_precision, brier, log_loss, baseline_log_loss, calibration_error,
      lift_top_decile; accuracy, macro_f1; deciles as of `evaluation.decile_table`; money {currency, deciles as of
      `evaluation.money_by_decile`};
      classes [class, rows, precision, recall, f1]; confusion {labels, counts: one list per true class}
    - why: drivers [column, words, strength (mean absolute log-odds), share,
      effects [label, rows, contribution (log-odds), observed_rate]]
    - for whom: segments [segment, value, rows, positives, predicted_rate, observed_rate, auc, log_loss, warning]
    - choice: candidates [name, log_loss, chosen]
    - columns: leaky, excluded, id_like, constant, target, unusable [column, reason]; suspect with auc_without,
      log_loss_without
    - since: score_outcomes, `ScoreOutcome`s of past releases and backfilled days that matured
    """
    likelihood = "chance" if facts.get("likelihood") == "chance" else "risk"
    parts = [
        _header(facts),
        _verdict(facts),
        tag("div", gain_section(facts), calibration_section(facts), class_="two") if tenths(facts) else None,
        money_section(facts),
        classes_section(facts),
        mixed_up_section(facts),
        came_true_section(facts),
        drivers_section(facts, likelihood),
        segments_section(facts),
        suspects_section(facts),
        _gives_it_away(facts),
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
        tag("title", f"{model_name(facts)}: model card"),
        tag("style", _style()),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', parts), class_=likelihood), lang='en')}\n"


@lru_cache(maxsize=1)
def _style() -> Markup:
    return Markup(Path(__file__).with_name("card_page.css").read_text(encoding="utf-8"))


def _header(facts: dict) -> Markup:
    about = facts.get("about") or (f"Predicts: {facts['question']}" if facts.get("question") else None)
    return tag("header", tag("h1", model_name(facts)), _pill(facts), tag("p", about, class_="soft") if about else None)


def _pill(facts: dict) -> Markup | None:
    if facts.get("verdict") == "no_signal":
        return tag("span", "No signal", class_="pill bad")
    if isinstance(facts.get("kept"), bool):
        return (
            tag("span", "In use", class_="pill good") if facts["kept"] else tag("span", "Not used", class_="pill bad")
        )
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
        [tag("p", inline(note), class_="note") for note in texts(facts, "notes")],
    ]
    return tag("div", tag("div", words), dots, _figures(facts), class_="verdict pictured" if dots else "verdict")


def _not_to_be_used(facts: dict) -> Markup | None:
    reason = inline(facts["reason"]) if facts.get("reason") else None
    if facts.get("verdict") == "no_signal":
        return join(
            tag("strong", "Do not act on these scores."),
            " The model is hardly better than telling everyone the average. ",
            reason,
        )
    return join(tag("strong", "This model is not in use. "), reason) if facts.get("kept") is False else None


def _words_for_yes_no(facts: dict) -> list[Markup]:
    deciles, rows, verb = tenths(facts), rows_called(facts), what_they_do(facts)
    base, top = base_rate(facts), deciles[0]["observed_rate"] if deciles else None
    sentences = []
    if base is not None and top is not None:
        scale = scale_for(base)
        first = [
            f"Of {scale:,} {rows} that this model ranks highest, about ",
            tag("strong", f"{round(top * scale):,}"),
            f" {verb}; of all {rows}, ",
            tag("strong", f"{round(base * scale):,}"),
            f" {short_for(verb)[0]}. ",
        ]
        found = gain_at(deciles, FIRST_SHARE)
        if found is not None:
            first += [
                f"In the first {percent(FIRST_SHARE)} of its list you meet ",
                tag("strong", percent(found)),
                " of them.",
            ]
        sentences.append(join(first))
    if deciles and facts.get("verdict") != "no_signal":
        sentences.append(join(_said_and_happened(deciles, base, verb), how_to_read(deciles, is_only_order(facts))))
    return sentences


def _said_and_happened(deciles: list[dict], base: float | None, verb: str) -> str:
    """The highest tenth and the most ordinary one: a fixed choice, not the two that look best."""
    top = deciles[0]
    words = f"Where it says {percent(top['predicted_rate'])}, {percent(top['observed_rate'])} {verb}"
    if base is not None:
        ordinary = min(deciles[1:] or deciles, key=lambda row: abs(row["predicted_rate"] - base))
        if ordinary is not top:
            said, happened = percent(ordinary["predicted_rate"]), percent(ordinary["observed_rate"])
            words += f"; where it says {said}, {happened} {short_for(verb)[0]}"
    return f"{words}. "


def _words_for_classes(facts: dict) -> list[Markup]:
    accuracy, classes = finite(facts.get("accuracy")), class_rows(facts)
    if accuracy is None:
        return []
    rows = rows_called(facts)
    first = [f"Of 100 {rows}, it puts about ", tag("strong", round(100 * accuracy)), " in the right class"]
    total = sum(row["rows"] for row in classes)
    if total:
        most = max(classes, key=lambda row: row["rows"])
        share = round(100 * most["rows"] / total)
        first.append(join("; always saying “", most["class"], "” would be right for ", tag("strong", share)))
    sentences = [join(first, ".")]
    known = [row for row in classes if row["rows"] and finite(row.get("recall")) is not None]
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
    held_out = finite(facts.get("n_holdout"))
    if not held_out:
        return None
    rows, entities = rows_called(facts), finite(facts.get("n_holdout_entities")) or held_out
    words = f"Tested on {held_out:,.0f} {rows} whose outcome it had not seen."
    if entities < held_out and rows != "rows":
        dates = f"({held_out:,.0f} cases: most at several dates)"
        words = f"Tested on {entities:,.0f} {rows} whose outcome it had not seen {dates}."
    split = facts.get("split_words")
    return join(words, " ", inline(f"{capital(str(split))}.") if split else None)


def _dots(facts: dict) -> Markup | None:
    deciles, base = tenths(facts), base_rate(facts)
    if not deciles or base is None or facts.get("task") == "classes" or scale_for(base) > 1_000:
        return None
    scale, top = scale_for(base), deciles[0]
    low, high = rate_interval(top["observed_rate"] * top["rows"], top["rows"])
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
        figure("dots-all", base, f"among all {rows_called(facts)}", "plain", None),
        class_="dots-pair",
    )


def _figures(facts: dict) -> Markup | None:
    deciles = tenths(facts)
    lift, auc = finite(facts.get("lift_top_decile")), finite(facts.get("auc"))
    off, accuracy, f1 = (finite(facts.get(key)) for key in ("calibration_error", "accuracy", "macro_f1"))
    found = gain_at(deciles, FIRST_SHARE) if deciles else None
    shown = [
        (f"{lift:.1f}×", "as many in the highest tenth as among all") if lift is not None else None,
        (percent(found), f"of them are in the first {percent(FIRST_SHARE)} of the list") if found is not None else None,
        (percent(accuracy), "put in the right class") if accuracy is not None else None,
        (f"{f1:.2f}", "mean F1 of the classes: 0 is useless, 1 is perfect") if f1 is not None else None,
        (in_points(off), "between what it says and what happens, on average") if off is not None else None,
        (f"{auc:.2f}", "how well it ranks (AUC): 0.5 is a coin toss, 1 is perfect") if auc is not None else None,
    ]
    pairs = [tag("div", tag("dt", words), tag("dd", value)) for value, words in filter(None, shown)]
    return tag("dl", pairs, class_="figures") if pairs else None


def _gives_it_away(facts: dict) -> Markup | None:
    """What must not be learnt from; the rest of what was left out is for the analyst."""
    leaky = dicts(facts, "leaky")
    if not leaky:
        return None
    listed = [
        tag("li", tag("b", driver_words(row), title=row.get("column")), ". ", inline(capital(row.get("reason") or "")))
        for row in leaky
    ]
    them = "it" if len(leaky) == 1 else "them"
    words = f"{some(len(leaky), 'fact')} filled in by the outcome or after it: nobody has {them} in time."
    return section("What gives the answer away, and is left out", words, tag("ul", listed))


def _left_out(facts: dict) -> Markup | None:
    groups = [(title, why, rows) for key, title, why in LEFT_OUT if (rows := dicts(facts, key))]
    if not groups:
        return None
    used, dropped = finite(facts.get("n_columns")), sum(len(rows) for _, _, rows in groups)
    total = f"{some(dropped, 'column')} left out" + (f"; {used:,.0f} used." if used is not None else ".")
    parts = [tag("h3", "Columns left out, and why"), tag("p", total, class_="soft small")]
    for title, why, rows in groups:
        listed = [
            tag("li", tag("code", row.get("column")), " ", inline(row["reason"]) if row.get("reason") else None)
            for row in rows
        ]
        parts.append(tag("p", tag("b", f"{title} ({len(rows):,})"), f": {why}" if why else None, class_="small"))
        parts.append(tag("ul", listed[:MOST_LEFT_OUT], class_="small"))
        if len(listed) > MOST_LEFT_OUT:
            parts.append(details(f"{len(listed) - MOST_LEFT_OUT:,} more", tag("ul", listed[MOST_LEFT_OUT:])))
    return join(parts)


def _limits(facts: dict) -> Markup | None:
    limits = texts(facts, "limits")
    return (
        section("Where to be careful", None, tag("ul", [tag("li", inline(each)) for each in limits]))
        if limits
        else None
    )


def _for_analysts(facts: dict) -> Markup | None:
    written = (_decision(facts), _measures(facts), _candidates(facts), _counts(facts), _left_out(facts))
    parts = [part for part in written if part is not None]
    return section("For the analyst", None, parts, style="analyst") if parts else None


def _decision(facts: dict) -> Markup | None:
    told = [
        facts.get("reason") if not _not_to_be_used(facts) else None,
        facts.get("learnt_from"),
        facts.get("calibrated"),
    ]
    return join([tag("p", inline(each), class_="small") for each in told if each]) if any(told) else None


def _measures(facts: dict) -> Markup | None:
    known = [(key, name, how, finite(facts.get(key))) for key, name, how in MEASURES]
    rows = [(name, f"{value:.4f}", how) for _, name, how, value in known if value is not None]
    loss, baseline = finite(facts.get("log_loss")), finite(facts.get("baseline_log_loss"))
    if loss is not None and baseline:
        rows.append(("Explained", percent(1 - loss / baseline), "share of the base rate's log loss that is gone"))
    return scroll(table(("Figure", "Value", "How to read it"), rows, words=3)) if rows else None


def _candidates(facts: dict) -> Markup | None:
    losses = [(finite(row.get("log_loss")), row) for row in dicts(facts, "candidates")]
    if not losses:
        return None
    losses.sort(key=lambda pair: math.inf if pair[0] is None else pair[0])
    rows = [(row.get("name"), fixed(loss, 4), "the model" if row.get("chosen") else "") for loss, row in losses]
    return join(
        tag("h3", "Candidates"),
        tag("p", "Compared by log loss on rows that none of them had seen.", class_="soft small"),
        scroll(table(("Candidate", "Log loss", "Chosen"), rows)),
    )


def _counts(facts: dict) -> Markup | None:
    known = [f"{count_words(facts[key])} {words}" for key, words in COUNTS if finite(facts.get(key)) is not None]
    return join(tag("h3", "Rows and columns"), tag("p", "; ".join(known), ".", class_="small")) if known else None


def _footer(facts: dict) -> Markup | None:
    method, code, seconds = facts.get("method"), facts.get("code_version"), finite(facts.get("seconds"))
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
