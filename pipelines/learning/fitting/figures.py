"""What is said of a fit: figures on the test, whether there is a signal, what drives the estimate, by segment."""

from dataclasses import replace

import numpy as np
import polars as pl

from pipelines.learning.columns.kinds import as_numbers
from pipelines.learning.columns.ordered_levels import level_values
from pipelines.learning.context import Context
from pipelines.learning.fitting.drifting import calibrate_model
from pipelines.learning.fitting.judge import Judge
from pipelines.learning.fitting.level_figures import levels_on_test
from pipelines.learning.fitting.selection import Recipe, Tried, fit_parts, mixed_margins
from pipelines.learning.fitting.splitting import Split, as_date
from pipelines.learning.fitting.training import Training
from pipelines.learning.judging import evaluation
from pipelines.learning.scoring.fitted import FittedPrediction, encode_for, strengths
from pipelines.learning.scoring.wording import describe_value, humanise
from pipelines.learning.specs import TASKS, PredictionSpec

CURRENCY = "currency"
"""Column with the currency of a row's amounts; amounts in two currencies are never added."""
DRIVERS = 12
DRIVER_ROWS = 2_000
EFFECT_BINS = 5
FEWEST_SEGMENT_ROWS = 30
WORSE = 0.05
"""AUC by which a segment must be below the whole, beyond noise, to be warned of."""
SURE = 1.645
"""One-sided 95 %."""


def on_test(training: Training, split: Split, probability: np.ndarray, spec: PredictionSpec) -> dict:
    """Figures of the test rows. `probability`: rows, or rows × classes or levels."""
    target, clusters = training.target[split.test], training.clusters[split.test]
    if training.is_ordered:
        return levels_on_test(training, split, probability) | of_rows(training, split, spec)
    figures: dict = evaluation.evaluate(target, probability)
    if training.classes:
        figures |= evaluation.by_class(target, probability, training.classes)
        figures["deciles"] = []
    else:
        yes, no = (len(np.unique(clusters[target == answer])) for answer in (1, 0))
        error = evaluation.auc_error(figures["auc"], yes, no)
        figures |= {
            "auc_error": error,
            "auc_low": figures["auc"] - SURE * error,
            "n_positive": int(training.target.sum()),
            "n_test_positive": int(target.sum()),
            "n_test_entities_positive": yes,
            "deciles": evaluation.decile_table(target, probability).to_dicts(),
        }
        if spec.value in training.frame.columns:
            value, currency = _in_one_currency(training.frame[split.test], spec.value)
            found = evaluation.money_by_decile(target, probability, value)
            figures |= {"money": {"currency": currency, "deciles": found}} if found else {}
    losses = evaluation.log_losses(target, probability)
    figures["log_loss_error"] = evaluation.clustered_mean(losses, clusters)[1]
    figures["calibration_noise"] = evaluation.calibration_noise(probability, len(np.unique(clusters)))
    figures |= of_rows(training, split, spec)
    figures["segments"] = [
        row
        for name in spec.segments
        if name in training.frame.columns and not training.classes
        for row in by_segment(training.frame[name][split.test], name, target, probability)
    ]
    return figures


def of_rows(training: Training, split: Split, spec: PredictionSpec) -> dict:
    """How many rows and entities were learnt from and judged on, and of when they are."""
    clusters = training.clusters[split.test]
    figures: dict = {
        "n_fit": len(split.train),
        "n_test": len(split.test),
        "n_test_entities": len(np.unique(clusters)),
        "n_rows": len(training.target),
        "n_entities": len(np.unique(training.clusters)),
        "split": split.kind,
    }
    if training.days is not None:
        for name, rows in (("fit", split.train), ("test", split.test)):
            figures[f"{name}_from"] = as_date(training.days[rows].min()).isoformat()
            figures[f"{name}_until"] = as_date(training.days[rows].max()).isoformat()
        figures["gap_days"] = spec.horizon_days or 0
        figures["step_days"] = training.step_days
    return figures


def _in_one_currency(frame: pl.DataFrame, column: str) -> tuple[np.ndarray, str | None]:
    """An amount (nan where unknown, or in another currency than most), and the currency, where a column says it."""
    value = as_numbers(frame[column]).to_numpy().astype(np.float64)
    if CURRENCY not in frame.columns or frame[CURRENCY].dtype != pl.String:
        return value, None
    counted = frame[CURRENCY].drop_nulls().value_counts()
    if counted.is_empty():
        return value, None
    most = counted.sort(["count", CURRENCY], descending=[True, False])[CURRENCY][0]
    return np.where((frame[CURRENCY] == most).fill_null(False).to_numpy(), value, np.nan), most


def judged(
    training: Training, split: Split, tried: Tried, estimated: np.ndarray, judge: Judge, task: str
) -> dict[str, float]:
    """By how much the loss is below that of the same for everyone on rows that no fit had seen, and its error.

    Rows of the test, and of the inner folds with a calibration from the other folds: small tables need all of them.
    `rank_z`, of a table without time: by how many standard errors a yes ranks above a no on these rows.
    """
    margin, answers = tried.margins[tried.best], training.target[tried.rows]
    losses, rows = [judge.losses(training.target[split.test], estimated)], [split.test]
    said = [estimated]
    folds = np.unique(tried.folds)
    for fold in folds if len(folds) > 1 else []:
        selected = tried.folds == fold
        unseen = judge.says(judge.calibrate(margin[~selected], answers[~selected]), margin[selected])
        losses.append(judge.losses(answers[selected], unseen))
        rows.append(tried.rows[selected])
        said.append(unseen)
    everyone = np.concatenate(rows)
    base = judge.base_losses(training.target[split.train], training.target)
    gain = base[everyone] - np.concatenate(losses)
    mean, error = evaluation.clustered_mean(gain, training.clusters[everyone])
    figures = {
        "gain_over_base_rate": mean,
        "gain_error": error,
        f"baseline_{TASKS[task].loss}": float(base[split.test].mean()),
    }
    if split.kind == "stratified" and not training.is_amount and not training.classes:
        figures["rank_z"] = evaluation.rank_z(
            [_one_row_each(training, part, each) for part, each in zip(rows, said, strict=True)]
        )
    return figures


def _one_row_each(training: Training, rows: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Answers and what was said of them, of one row for each entity: its others tell the same again."""
    _, first = np.unique(training.clusters[rows], return_index=True)
    return training.target[rows[first]], said[first]


def without(
    column: str,
    training: Training,
    split: Split,
    tried: Tried,
    spec: PredictionSpec,
    context: Context,
    judge: Judge,
) -> dict[str, float]:
    """What the model is worth without a column, on the test: AUC and loss, or the error. Takes one thread."""
    chosen = tried.recipes[tried.best]
    recipe = Recipe(chosen.name, chosen.parts, tuple(each for each in chosen.columns if each.name != column))
    alone = replace(context, threads=1)
    encoding, learners = fit_parts(training, split.train, recipe, spec, alone)

    def said(rows: np.ndarray) -> np.ndarray:
        return mixed_margins(learners, encode_for(encoding, training.frame[rows]), alone)

    earlier = [(tried.margins[tried.best], tried.rows)]
    calibration = calibrate_model(judge, training, earlier, split.is_by_time_within, said)
    estimated, target = judge.says(calibration, said(split.test)), training.target[split.test]
    if training.is_amount:
        return {"mean_absolute_error_without": float(np.abs(estimated - target).mean())}
    if training.is_ordered:
        found = levels_on_test(training, split, estimated)
        return {f"{name}_without": found[name] for name in ("auc", "rps", "error_in_levels")}
    found = evaluation.evaluate(target, estimated)
    return {"auc_without": found["auc"], "log_loss_without": found["log_loss"]}


def drivers(model: FittedPrediction, frame: pl.DataFrame, target: np.ndarray) -> list[dict]:
    """The columns that move the estimate most, on these rows: size, share of all, and the effect of their values.

    `strength`: mean absolute contribution to the log-odds, or on the scale of an amount's estimate. `effects`: rows of
    label, rows, mean contribution and, for a yes-or-no question, observed rate; for levels or an amount, observed mean.
    """
    step = max(1, len(frame) // DRIVER_ROWS)
    frame, target = frame[::step], target[::step]
    parts = strengths(model, frame)
    size = np.abs(parts).mean(axis=0) if len(parts) else np.zeros(parts.shape[1])
    kinds = {column["name"]: column["kind"] for column in model.encoding.columns}
    happened = None if model.has_margins else "observed_mean" if model.amount or model.is_ordered else "observed_rate"
    if model.is_ordered:
        target = level_values(model.classes)[target.astype(np.int64)]
    found = []
    for i in np.argsort(-size, kind="stable")[:DRIVERS]:
        name = model.encoding.names[i]
        if size[i] > 0:
            found.append(
                {
                    "column": name,
                    "words": model.descriptions.get(name) or humanise(name),
                    "strength": float(size[i]),
                    "share": float(size[i] / size.sum()),
                    "effects": _effects(frame[name], kinds.get(name, "text"), parts[:, i], target, happened),
                }
            )
    return found


def _effects(values: pl.Series, kind: str, part: np.ndarray, target: np.ndarray, happened: str | None) -> list[dict]:
    if kind == "text":
        return []
    if kind in ("number", "date"):
        numbers = as_numbers(values).to_numpy()
        known = numbers[~np.isnan(numbers)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, EFFECT_BINS + 1)[1:-1])) if len(known) else np.zeros(0)
        codes = np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers))
        labels = {
            code: _range(known[np.searchsorted(edges, known) == code], kind) for code in np.unique(codes[codes >= 0])
        }
    else:
        words = values.cast(pl.String)
        levels = words.drop_nulls().value_counts(sort=True)[values.name].head(EFFECT_BINS + 1).sort().to_list()
        codes = words.replace_strict(levels, range(len(levels)), default=len(levels), return_dtype=pl.Int64).to_numpy()
        codes = np.where(words.is_null().to_numpy(), -1, codes)
        labels = {**dict(enumerate(levels)), len(levels): "others"}
    rows = []
    for code in sorted(np.unique(codes), key=lambda code: (code < 0, code)):
        selected = codes == code
        rows.append(
            {
                "label": "missing" if code < 0 else labels[code],
                "rows": int(selected.sum()),
                "contribution": float(part[selected].mean()),
                **({} if happened is None else {happened: float(target[selected].mean())}),
            }
        )
    return rows


def _range(values: np.ndarray, kind: str) -> str:
    low, high = float(values.min()), float(values.max())
    if kind == "date":
        return f"{as_date(low).isoformat()} to {as_date(high).isoformat()}" if low < high else as_date(low).isoformat()
    words = describe_value(low, "number"), describe_value(high, "number")
    return words[0] if words[0] == words[1] else f"{words[0]} to {words[1]}"


def by_segment(values: pl.Series, name: str, target: np.ndarray, probability: np.ndarray) -> list[dict]:
    """Figures for each of the ten most frequent values, with a warning where the model is much worse."""
    values = values.cast(pl.String).fill_null("(none)")
    whole = evaluation.auc(target, probability)
    rows = []
    for value in values.value_counts(sort=True)[values.name].head(10).sort():
        selected = (values == value).to_numpy()
        if selected.sum() < FEWEST_SEGMENT_ROWS:
            continue
        yes = int(target[selected].sum())
        auc = evaluation.auc(target[selected], probability[selected])
        error = evaluation.auc_error(auc, yes, int(selected.sum()) - yes)
        is_worse = auc < whole - WORSE and auc + SURE * error < whole
        rows.append(
            {
                "segment": name,
                "value": value,
                "rows": int(selected.sum()),
                "positives": yes,
                "observed_rate": float(target[selected].mean()),
                "predicted_rate": float(probability[selected].mean()),
                "auc": auc,
                "log_loss": evaluation.log_loss(target[selected], probability[selected]),
                "warning": f"It ranks much worse here than overall ({auc:.2f} against {whole:.2f}; 0.5 is chance)."
                if is_worse
                else "",
            }
        )
    return rows
