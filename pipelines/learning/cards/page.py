"""The model card as one HTML page: for whoever acts on the scores first, for the analyst further down.

No script, nothing fetched: style and pictures are inside. This is what it says; `templates/` is how it looks.
"""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.learning.cards import amounts, levels, sections, svg
from pipelines.learning.cards.facts import (
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
    maybe_percent,
    model_name,
    money_words,
    rows_called,
    scale_for,
    short_for,
    signed,
    some,
    tenths,
    texts,
    what_they_do,
)
from pipelines.learning.cards.svg import percent
from pipelines.learning.judging.holdback import rate_interval
from pipelines.learning.specs import TASKS
from pipelines.rendering import render

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE = Path(__file__).parent / "templates" / "card.html.j2"
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

    - what it is: name, about (one sentence), question ("Churn is Yes"), likelihood ("risk", "chance", "level" or
      "amount"), task ("yes_no", "classes", "ordered" with levels, or "amount" with link "identity" or "log"), rows_word
      ("customers"), yes_words ("leave within 90 days"), verdict ("ok", "weak" or "no_signal"), kept, reason, notes,
      limits, learnt_from, calibrated, created_at, method, fingerprint, code_version, seconds; n_rows, n_train,
      n_fitted, n_holdout, n_holdout_entities, n_positive, n_columns, split_words
    - how good: base_rate, auc, auc_error, average_precision, brier, log_loss, log_loss_error, baseline_log_loss,
      calibration_error, lift_top_decile; accuracy, macro_f1; deciles as of `evaluation.decile_table`; money {currency,
      deciles as of `evaluation.money_by_decile`};
      classes [class, rows, precision, recall, f1]; confusion {labels, counts: one list per true class}; of an amount
      the figures of `judging.amounts.evaluate`, tenths and reliability as of its functions, base_median, loss; of
      levels those of `judging.ordered.evaluate`, tenths as of its function, baseline_rps
    - why: drivers [column, words, strength (mean absolute log-odds), share,
      effects [label, rows, contribution (log-odds), observed_rate]]
    - for whom: segments [segment, value, rows, positives, predicted_rate, observed_rate, auc, log_loss, warning]
    - choice: candidates [name, log_loss (of an amount error, of levels rps), chosen]
    - columns: leaky, excluded, id_like, constant, target, unusable [column, reason]; suspect with auc_without,
      log_loss_without
    - the rows to score: unfamiliar [column, words]
    - since: score_outcomes, `ScoreOutcome`s of past releases and backfilled days that matured
    """
    return render(
        TEMPLATE,
        FILTERS,
        facts=facts,
        name=model_name(facts),
        likelihood=facts["likelihood"] if facts.get("likelihood") in ("chance", "level", "amount") else "risk",
        rows_word=rows_called(facts),
        verb=what_they_do(facts),
        again=short_for(what_they_do(facts)),
        use=_use(facts),
        verdict=_verdict(facts),
        amounts=amounts.amounts(facts),
        levels=levels.levels(facts),
        gain=sections.gain(facts),
        calibration=sections.calibration(facts),
        money=sections.money(facts),
        classes=sections.classes(facts),
        mixed_up=sections.mixed_up(facts),
        came_true=sections.came_true(facts),
        drivers=sections.drivers(facts),
        segments=None if amounts.is_amount(facts) else sections.segments(facts),
        suspects=sections.suspects(facts),
        leaky=dicts(facts, "leaky"),
        unfamiliar=dicts(facts, "unfamiliar"),
        limits=texts(facts, "limits"),
        measures=_measures(facts),
        candidates=_candidates(facts),
        counts=_counts(facts),
        left_out=_left_out(facts),
        most_left_out=MOST_LEFT_OUT,
    )


def _use(facts: dict) -> str | None:
    """Whether people may act on the scores; None where the facts do not say."""
    if facts.get("verdict") == "no_signal":
        return "no signal"
    kept = facts.get("kept")
    return ("in use" if kept else "not used") if isinstance(kept, bool) else None


def _verdict(facts: dict) -> dict:
    """What the model is worth, in words, figures and dots."""
    deciles, base = tenths(facts), base_rate(facts)
    has_signal = facts.get("verdict") != "no_signal"
    held_out = finite(facts.get("n_holdout"))
    entities = finite(facts.get("n_holdout_entities")) or held_out
    return {
        "first_share": sections.FIRST_SHARE,
        "found": gain_at(deciles, sections.FIRST_SHARE),
        "top": deciles[0]["observed_rate"] if deciles else None,
        "base": base,
        "scale": None if base is None else scale_for(base),
        "said": _said_and_happened(deciles, base, what_they_do(facts)) if deciles and has_signal else None,
        "how_to_read": sections.how_to_read(deciles, sections.is_only_order(facts)),
        "in_classes": _in_classes(facts),
        "held_out": held_out,
        "entities": entities if held_out and entities < held_out and rows_called(facts) != "rows" else None,
        "notes": texts(facts, "notes"),
        "dots": _dots(facts),
        "figures": _figures(facts),
    }


def _said_and_happened(deciles: list[dict], base: float | None, verb: str) -> str:
    """The highest tenth and the most ordinary one: a fixed choice, not the two that look best."""
    top = deciles[0]
    words = f"Where it says {percent(top['predicted_rate'])}, {percent(top['observed_rate'])} {verb}"
    if base is not None:
        ordinary = min(deciles[1:] or deciles, key=lambda row: abs(row["predicted_rate"] - base))
        if ordinary is not top:
            predicted, observed = percent(ordinary["predicted_rate"]), percent(ordinary["observed_rate"])
            words += f"; where it says {predicted}, {observed} {short_for(verb)[0]}"
    return f"{words}. "


def _in_classes(facts: dict) -> dict | None:
    """How often the class is right, and always the commonest one would be; the class it finds best, and worst."""
    accuracy, classes = finite(facts.get("accuracy")), class_rows(facts)
    if facts.get("task") != "classes" or accuracy is None:
        return None
    total, most = sum(row["rows"] for row in classes), max(classes, key=lambda row: row["rows"], default=None)
    known = [row for row in classes if row["rows"] and finite(row.get("recall")) is not None]
    best, worst = (pick(known, key=lambda row: row["recall"], default=None) for pick in (max, min))
    return {
        "accuracy": accuracy,
        "most": most if total else None,
        "share_of_most": most["rows"] / total if total else None,
        "best": best if len(known) > 1 else None,
        "worst": worst,
    }


def _dots(facts: dict) -> list[dict]:
    """Those with a yes in the highest tenth and among all, as dots."""
    deciles, base = tenths(facts), base_rate(facts)
    if not deciles or base is None or scale_for(base) > 1_000:
        return []
    scale, top = scale_for(base), deciles[0]
    low, high = rate_interval(top["observed_rate"] * top["rows"], top["rows"])
    across = 10 if scale <= 100 else 40
    return [
        {
            "key": key,
            "name": name,
            "words": f"{round(rate * scale):,} of {scale:,}",
            "span": span,
            "style": style,
            "step": 400 / across,
            "height": 400 / across * math.ceil(scale / across),
            "filled": svg.dots(0, round(rate * scale), across),
            "rest": svg.dots(round(rate * scale), scale, across),
        }
        for key, rate, name, style, span in (
            ("dots-top", top["observed_rate"], "in the highest tenth", "model", (low * scale, high * scale)),
            ("dots-all", base, f"among all {rows_called(facts)}", "plain", None),
        )
    ]


def _figures(facts: dict) -> list[tuple[str, str]]:
    """Value and meaning of each."""
    if amounts.is_amount(facts):
        return amounts.figures(facts)
    if levels.is_ordered(facts):
        return levels.figures(facts)
    found = gain_at(tenths(facts), sections.FIRST_SHARE)
    lift, auc = finite(facts.get("lift_top_decile")), finite(facts.get("auc"))
    off, accuracy, f1 = (finite(facts.get(key)) for key in ("calibration_error", "accuracy", "macro_f1"))
    first, error = percent(sections.FIRST_SHARE), finite(facts.get("auc_error"))
    noise = f", ± {error:.2f}" if error is not None else ""
    shown = [
        (f"{lift:.1f}×", "as many in the highest tenth as among all") if lift is not None else None,
        (percent(found), f"of them are in the first {first} of the list") if found is not None else None,
        (percent(accuracy), "put in the right class") if accuracy is not None else None,
        (f"{f1:.2f}", "mean F1 of the classes: 0 is useless, 1 is perfect") if f1 is not None else None,
        (in_points(off), "between what it says and what happens, on average") if off is not None else None,
        (f"{auc:.2f}", f"how well it ranks (AUC{noise}): 0.5 is a coin toss, 1 is perfect")
        if auc is not None
        else None,
    ]
    return [pair for pair in shown if pair is not None]


def _measures(facts: dict) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each."""
    if amounts.is_amount(facts):
        return amounts.measures(facts)
    if levels.is_ordered(facts):
        return levels.measures(facts)
    known = [(name, finite(facts.get(key)), finite(facts.get(f"{key}_error")), how) for key, name, how in MEASURES]
    rows = [
        (name, f"{value:.4f}" + (f" ± {noise:.4f}" if noise is not None else ""), how)
        for name, value, noise, how in known
        if value is not None
    ]
    loss, baseline = finite(facts.get("log_loss")), finite(facts.get("baseline_log_loss"))
    if loss is not None and baseline:
        rows.append(("Explained", percent(1 - loss / baseline), "share of the base rate's log loss that is gone"))
    return rows


def _candidates(facts: dict) -> list[dict]:
    """The best first, those without a loss last."""
    loss = TASKS.get(facts.get("task"), TASKS["yes_no"]).loss
    losses = [row | {"loss": finite(row.get(loss))} for row in dicts(facts, "candidates")]
    return sorted(losses, key=lambda row: math.inf if row["loss"] is None else row["loss"])


def _counts(facts: dict) -> list[str]:
    return [f"{count_words(facts[key])} {words}" for key, words in COUNTS if finite(facts.get(key)) is not None]


def _left_out(facts: dict) -> dict | None:
    groups = [(title, why, rows) for key, title, why in LEFT_OUT if (rows := dicts(facts, key))]
    used, dropped = finite(facts.get("n_columns")), sum(len(rows) for _, _, rows in groups)
    words = f"{some(dropped, 'column')} left out" + (f"; {used:,.0f} used." if used is not None else ".")
    return {"words": words, "groups": groups} if groups else None


def inline(text: object) -> "Markup":
    """A sentence with `code` and **strong** as markdown writes them; everything else is text.

    >>> inline("Is `Lead <b>` set **before** the sale?")
    Markup('Is <code>Lead &lt;b&gt;</code> set <strong>before</strong> the sale?')
    """
    from markupsafe import Markup, escape

    def marked(found: re.Match) -> str:
        return f"<code>{found[1]}</code>" if found[1] else f"<strong>{found[2]}</strong>"

    return Markup(re.sub(r"`([^`]+)`|\*\*([^*]+)\*\*", marked, escape("" if text is None else text)))


def out_of(share: float, scale: int) -> str:
    """How many of so many a share is, to the next whole number."""
    return f"{round(share * scale):,}"


FILTERS = {
    "along": svg.along,
    "amount": amounts.amount_words,
    "capital": lambda text: capital(str(text or "")),
    "driver_words": driver_words,
    "fixed": fixed,
    "inline": inline,
    "money": money_words,
    "number": count_words,
    "out_of": out_of,
    "percent": maybe_percent,
    "signed": signed,
    "some": some,
}
"""What the template writes figures and words with; what is not known becomes nothing."""
