"""The model card: what a model predicts, from what, how good it is, and where not to trust it. Markdown."""

from collections.abc import Sequence

from pipelines.learning.leaks import Finding
from pipelines.learning.markup import without_links
from pipelines.learning.scoring import FittedPrediction

SPLITS = {
    "time": "learnt from older dates, tested on newer ones",
    "entities": "tested on others than those learnt from, of the same time",
    "stratified": "tested on a part set aside at random: the table has no time",
}
FIGURES = (
    ("auc", "AUC", "0.5 is chance, 1 is perfect ranking"),
    ("average_precision", "Average precision", "compare with the base rate"),
    ("log_loss", "Log loss", "lower is better"),
    ("brier", "Brier score", "lower is better"),
    ("calibration_error", "Calibration error", "mean distance between predicted and observed rate"),
    ("lift_top_decile", "Lift of the top tenth", "times the base rate"),
    ("base_rate", "Base rate", "share of yes on the test"),
)


def write_card(
    model: FittedPrediction,
    figures: dict,
    candidates: Sequence[dict],
    dropped: Sequence[tuple[str, str]],
    findings: Sequence[Finding],
    notes: Sequence[str],
    kept: bool,
    reason: str,
    calibrated_on: str,
) -> str:
    """The whole card; `notes` are statements about the data and the split that a reader must see first."""
    spec = model.spec
    horizon = f" within {spec.horizon_days} days" if spec.horizon_days else ""
    parts = [
        f"# {spec.name}",
        f"Predicts `{spec.target}` for each `{spec.entity_key}`{horizon}. Method: {model.method}.",
        f"**{reason}**",
        *[f"> {note}" for note in notes],
        "## Data",
        _data(model, figures),
        f"## How good, on {figures['n_test']:,} test rows ({SPLITS[figures['split']]})",
        _table(["figure", "value", "how to read it"], [[t, f"{figures[k]:.4f}", w] for k, t, w in FIGURES]),
    ]
    for title, rows in (("### By tenth of the score", figures["deciles"]), ("### By class", figures.get("classes"))):
        if rows:
            parts += [title, _table(list(rows[0]), [list(row.values()) for row in rows])]
    if figures["segments"]:
        segments = figures["segments"]
        parts += ["### By segment", _table(list(segments[0]), [list(row.values()) for row in segments])]
    parts += [
        "## What moves the estimate most",
        _table(
            ["column", "mean contribution to the log-odds, either way"],
            [[row["column"], row["strength"]] for row in figures["drivers"]],
        ),
        "## Candidates",
        "Chosen by log loss on validation rows that no candidate had seen; the chosen one then met the test.",
        _table(
            ["candidate", "log loss, validation", "log loss, test", "AUC, test", "chosen"],
            [
                [row["name"], row["log_loss_validation"], row["log_loss"], row["auc"], "yes" if row["chosen"] else ""]
                for row in candidates
            ],
        ),
        f"## Columns used: {len(model.encoding.names)}, dropped: {len(dropped)}",
        _table(["dropped", "why"], [list(pair) for pair in dropped]) if dropped else "None was dropped.",
        *_suspects(figures["suspects"], figures, findings),
        "## Limits",
        "\n".join(f"- {limit}" for limit in [*limits(model, figures, kept), how_calibrated(calibrated_on)]),
        f"Data fingerprint `{model.fingerprint[:16]}`, code `{model.code_version}`.",
    ]
    return without_links("\n\n".join(parts)) + "\n"


def _suspects(suspects: Sequence[dict], figures: dict, findings: Sequence[Finding]) -> list[str]:
    """Columns that may have been written after the outcome, and what the model is worth without them."""
    parts = [f"- {finding.reason}" for finding in findings if not finding.column and finding.grade == "suspect"]
    parts += [
        f"- `{row['column']}`: {row['reason']} Without it: AUC {row['auc_without']:.3f}, not {figures['auc']:.3f}."
        for row in suspects
    ]
    return ["## To be asked", "\n".join(parts)] if parts else []


def _data(model: FittedPrediction, figures: dict) -> str:
    lines = [
        f"- {figures['n_rows']:,} rows with a known answer, "
        + (f"{figures['n_positive']:,} yes, " if "n_positive" in figures else f"{len(model.classes)} classes, ")
        + f"of {figures['n_entities']:,} entities"
    ]
    if "fit_from" in figures:
        if figures["step_days"]:
            lines.append(f"- one snapshot about every {figures['step_days']} days (closer ones overlap)")
        lines.append(
            f"- learnt from {figures['n_fit']:,} rows, {figures['fit_from']} to {figures['fit_until']}; judged on "
            f"{figures['n_test']:,} rows, {figures['test_from']} to {figures['test_until']}"
        )
        if figures["split"] == "time":
            lines.append(
                f"- a gap of {figures['gap_days']} days between: every answer learnt from was known when the test began"
            )
    else:
        lines.append(f"- learnt from {figures['n_fit']:,} rows, judged on {figures['n_test']:,}")
    if figures["n_fitted"] < figures["n_rows"]:
        lines.append(
            f"- fitted on {figures['n_fitted']:,} rows: all of the rarer answer, and a random part of the other whose "
            "weights stand for the whole; judged and calibrated on all"
        )
    return "\n".join(lines)


def limits(model: FittedPrediction, figures: dict, kept: bool) -> list[str]:
    """What the figures do not show, in sentences for those who act on the scores."""
    found = [
        "The model in use has learnt from the rows of the test, too, after the test: it knows more recent cases than "
        "the figures show.",
        "A reason says what moved the estimate. Changing it need not change what happens.",
        "What has been recorded only lately is not used yet: the model must have seen how it turned out.",
    ]
    if "n_test_entities_positive" in figures:
        found.append(f"The highest percentages rest on few cases: {figures['n_test_entities_positive']:,} in the test.")
    if figures["split"] != "time":
        found.insert(
            0, "It was not tested on a later time than it learnt from: how well it holds as things change is open."
        )
    if not kept:
        found.insert(0, "This model is not used: it scores nobody.")
    return found


def how_calibrated(calibrated_on: str) -> str:
    """On which rows the probabilities were set right, for the analyst."""
    where = "newer rows than it learnt from" if calibrated_on == "time" else "entities that it had not learnt from"
    return (
        f"For the figures of the test, calibration was fitted on {where}, before the test. The model that scores was "
        "fitted again on all rows, and calibrated on rows that its parts had not seen; it has no figures of its own."
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        if value is None:
            return ""
        if isinstance(value, float):
            return f"{value:.4f}"
        return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|").replace("\n", " ")

    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows])
