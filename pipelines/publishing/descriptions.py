"""
Descriptions of published tables and columns that Python makes; those of dbt's tables are in dbt's YAML.

All of them become comments in the DuckDB files, where `duckdb_columns()` and SQL clients show them, and are shown in
the Dagster UI.
"""

import re

GRADES = (
    "Grade A is the fifth of those scored that day who are most likely, E the fifth who are least; it is an order, not "
    "a probability."
)
ONLY_ORDER = (
    "Weak: the order is better than chance, the percentages are no better than the average of all. Go by the order."
)
TABLES = {
    "score_outcomes": f"Did the scores come true? By model, past release or backfilled day, and grade. {GRADES}",
    "uplift": f"What acting on the scores changed, one row per model and grade, and all together. {GRADES}",
    "score_history": f"Every score that was ever published, and those that a backfill made later. {GRADES}",
    "model_health": "How far each model's scores and columns have moved since its fit; whether it keeps its promise.",
    "topic_trends": "What people write about, by week: every topic, and the words that rise beyond noise or are new.",
    "reconciliation": "Are the figures of the exports those of core and of what is published? One row per figure, "
    "source, currency, month and step: what it starts with, each reason for a difference, what it ends with, the rest.",
    "model_runs": "Every fit of a model with its figures: kept, refused or skipped, and why.",
    "forecast_accuracy": "The backtest by which each series' method was chosen: one row per series and method.",
    "data_quality": "What the gates on raw input and before publishing found: one row per expectation and run.",
    "releases": "Every release: when it was made, from what, and which tables it has.",
}
RATE = "share from 0 to 1"
EVERYWHERE = {
    "release_id": "The release that this row is published in.",
    "model_version": "Version of the model that made this row; model_runs has its figures.",
    "model": "The model's name.",
    "as_of_date": "The day whose knowledge this row rests on.",
    "currency": "Currency of the row's amounts (ISO 4217).",
    "horizon_days": "Days after as_of_date within which the answer comes.",
    "known_from": "The systems that have a record of it, with commas between.",
    "source_system": "The system that the record is from.",
}
SCORES = {
    "probability": "How likely a yes is within horizon_days, from 0 to 1.",
    "predicted": "The class that is most likely.",
    "score": "Where the row stands among all that were scored that day: 99 is the most likely, 1 the least.",
    "grade": f"A to E. {GRADES}",
    "decided_by": "Who scored the row: 'model', or 'rule' while no model is in use; then there is no probability.",
    "is_holdback": "Whether it is held back: nobody acts on it, so that acting can be measured (see uplift).",
    "reason_1": "The strongest reason for the probability, in words.",
    "reason_2": "The second strongest reason, in words.",
    "reason_3": "The third strongest reason, in words.",
    "reasons": "All reasons as JSON: feature, value, contribution (they add up to the log-odds), words, text.",
    "probability_change_7d": "Change of the probability against about a week before; null without a score from then.",
    "change_reason": "What moved most in the direction of the change, in words.",
}
BY_RULE = {
    "probability": "Null by the rule: points are no probabilities.",
    "score": "By the rule: 99 has the most points, 1 the fewest.",
    "reasons": "By the rule: feature (the condition), points, words, text.",
}
"""What columns of a prediction's scores mean where its rule decided."""
LEVELS = {
    "predicted": "The level to expect: half come at or below it, half at or above.",
    "probability": "How likely exactly the predicted level is, from 0 to 1.",
    "expected": "The mean of what may come: of levels that are words, the lowest counts as 1.",
    "score": "Where the row stands among all that were scored that day: 99 is the highest to expect, 1 the lowest.",
    "grade": "A to E: A is the fifth of those scored that day with the highest levels to expect, E the lowest.",
    "reason_1": "The strongest reason for the level, in words.",
    "reasons": "All reasons as JSON: feature, value, contribution (they add up to the log-odds of reaching the level "
    "that the first one's likelihood names, and are the same for every other level), words, text.",
}
"""What the scores of a model of levels in an order say otherwise than those of a probability."""
AMOUNTS = {
    "expected": "The amount to expect: the mean of what may come, in the target's unit. These add up.",
    "p10": "One in ten comes to less than this.",
    "p50": "Half come to less than this: the best guess for a single row.",
    "p90": "Nine in ten come to less than this.",
    "score": "Where the row stands among all that were scored that day: 99 is the largest amount, 1 the least.",
    "reason_1": "The strongest reason for the amount, in words.",
    "reasons": "All reasons as JSON: feature, value, contribution (they add up to p50, or to expected where the loss "
    "is squared) or factor (they multiply to it), words, text.",
}
"""Columns of the scores of a model of amounts."""
TEXTS = {
    "occurred_at": "When the text was written, UTC.",
    "predicted": "The label that is most likely; null where nothing can be said, and reason_1 says why.",
    "probability": "How likely the label is, from 0 to 1; null where a list of words chose it.",
    "is_given": "Whether an editor gave the tag; otherwise it is predicted, or a key phrase of the text.",
    "is_about_competitor": "Whether the text, or its export, names a competitor.",
    "competitor": "The competitor that it names.",
    "reason_1": "The word or pair of words that speaks most for the label, or why there is none.",
    "reason_2": "The word that speaks second most for it.",
    "reason_3": "The word that speaks third most for it.",
    "reasons": "All words as JSON: words and contribution; with base they add up to the label's log-odds.",
    "language": "The text's language (ISO 639-1); null where it is too short to tell.",
    "method": "What chose the label: a model that learnt from labelled texts, or word_list until one is better.",
}
"""Columns of what is said of texts."""
FORECASTS = {
    "metric": "What is forecast; amounts are in the row's currency.",
    "currency": "Currency of an amount (ISO 4217); null for a count.",
    "segment": "The part of the metric, or 'total'.",
    "period_start_date": "First day of the period, a Monday for weeks.",
    "frequency": "How long a period is: W is a week.",
    "forecast": "The forecast of the period; of a past one, what the method said of it in the backtest.",
    "p10": "One in ten outcomes is expected below this.",
    "p50": "Half of the outcomes are expected below this.",
    "p90": "Nine in ten outcomes are expected below this.",
    "actual": "What came of the period; null in the future.",
    "method": "The method that forecasts the series, chosen by backtest.",
    "note": "Why the metric is forecast from an earlier day than the run's: which source is behind. Null if none is.",
}
COLUMNS: dict[str, dict[str, str]] = {
    "topic_trends": {
        "source": "Which texts: tickets, posts or complaints.",
        "kind": "topic: a label of the model; word: a word or a pair of words.",
        "name": "The topic, or the word.",
        "week_start_date": "The Monday that the week begins with.",
        "texts": "Texts of the week that are about it, or have the word.",
        "share": "Of the week's texts (of those with a topic, for topics), from 0 to 1.",
        "expected": "Texts to expect by the twelve weeks before; null where these are too few.",
        "ratio": "texts by expected.",
        "is_rising": "Whether there are more than chance explains, with many topics and words looked at; one in twenty "
        "of those that are said to rise is noise.",
        "is_new": "Whether no text of the year before has the word.",
        "is_partial": "Whether the week has not ended on the run's date; it is not judged.",
        "example_1": "A text about it, masked and shortened.",
        "example_2": "Another one, of another author or company.",
        "example_3": "A third one.",
    },
    "score_outcomes": {
        "scores_release_id": "The release, or the backfill, that had the scores.",
        "is_backfill": "Whether the scores were made later, as they would have been made then.",
        "grade": f"A to E. {GRADES}",
        "rows": "Scores with this grade.",
        "matured_rows": "Of these, the ones whose outcome is known; the rates are of them.",
        "predicted_rate": f"Mean probability ({RATE}).",
        "actual_rate": f"How many it happened to ({RATE}).",
        "money_expected": "Expected value of the scores, in the currency that most of them are in.",
        "money_come": "Value of those that it happened to, in the same currency.",
        "money_by_currency": "Expected and come by currency, as JSON.",
        "told": "The row as a sentence.",
    },
    "uplift": {
        "grade": f"A to E, or 'all'. {GRADES}",
        "first_as_of_date": "The first of the releases that are compared.",
        "last_as_of_date": "The last of the releases that are compared.",
        "acted_on_rows": "Scores that could be acted on.",
        "acted_on_rate": f"How many of them it happened to ({RATE}).",
        "held_back_rows": "Scores that were held back.",
        "held_back_rate": f"How many of them it happened to ({RATE}).",
        "difference": "acted_on_rate minus held_back_rate.",
        "difference_low": "Lower end of the difference's 95 % interval.",
        "difference_high": "Upper end of the difference's 95 % interval.",
        "is_beyond_noise": "Whether the interval leaves zero out.",
        "told": "The row as a sentence.",
    },
    "score_history": {
        "table_name": "The published table that had the score.",
        "entity_id": "Its key, as text.",
        "probability": SCORES["probability"],
        "score": SCORES["score"],
        "reasons": f"{SCORES['reasons']} Kept for two weeks, then null.",
        "release_id": "The release, or the backfill, that the score is from.",
        "grade": SCORES["grade"],
        "expected_value": "Probability times the money at stake.",
        "is_holdback": SCORES["is_holdback"],
        "is_backfill": "Whether the score was made later, as it would have been made then.",
    },
    "model_health": {
        "scores_table": "The published table that has the model's scores.",
        "rows_scored": "Rows that are scored today.",
        "score_psi": "How far the scores have moved since the fit (population stability index; above 0.25 is much).",
        "score_psi_noise": "What score_psi stays below by chance.",
        "max_psi": "The same of the column that has moved most.",
        "max_psi_column": "The column that has moved most.",
        "worst_columns": "The columns that have moved most, as JSON.",
        "matured_rows": "Scores of this version whose outcome is known.",
        "matured_entities": "How many different entities they are of.",
        "auc": "How well these scores ranked: 0.5 is chance, 1 is perfect.",
        "auc_noise": "Standard error of auc.",
        "log_loss": "Log loss of these scores; lower is better.",
        "log_loss_noise": "Standard error of log_loss.",
        "calibration_error": "Mean distance between predicted and actual rate.",
        "calibration_noise": "The calibration_error that right probabilities would show.",
        "promised_auc": "The auc of the test at the fit.",
        "promised_log_loss": "The log_loss of the test at the fit.",
        "promised_calibration_error": "The calibration_error of the test at the fit.",
        "is_refit_requested": "Whether auc or calibration is worse than promised beyond noise.",
        "reason": "Why, or why not, in words.",
    },
    "reconciliation": {
        "line_id": "The row's key: what is compared, and the step.",
        "figure": "rows, or: won_deals, open_deals, invoices, paid_invoices, payments, recurring_revenue (of a year).",
        "comparison": "'files to core', or 'core to published' (by the currency that is published, of all systems).",
        "source_system": "The system that the files are from; null for all.",
        "entity": "The kind of record in that system, or the table.",
        "currency": "Currency of the amount (ISO 4217); null for rows, and where no export says it.",
        "month_start_date": "First day of the month: of a deal's close, an invoice, a payment, a subscription's start.",
        "step_number": "Order of the steps.",
        "role": "start, explained, end or unexplained: start + explained = end + unexplained.",
        "step": "What the step is, in words.",
        "rows": "Rows or records; negative where they explain a difference.",
        "amount": "Their amount, in the currency; negative where it explains a difference.",
    },
    "model_runs": {
        "run_id": "The Dagster run.",
        "started_at": "When the fit began (UTC).",
        "finished_at": "When it was written down (UTC).",
        "status": "kept, refused, skipped, rolled_back or withdrawn.",
        "reason": "Why, in words.",
        "model_version": "The version that scores from then on; null for none.",
        "method": "How it was fitted.",
        "rows": "Rows with a known answer.",
        "auc": "How well it ranks on the test: 0.5 is chance, 1 is perfect. Of levels, pairs of different ones.",
        "log_loss": "Log loss on the test; lower is better.",
        "calibration_error": "Mean distance between predicted and observed rate on the test.",
        "error": "Of a forecast: mean error of its totals in the backtest (sMAPE, per cent). Of an amount: absolute "
        "errors on the test over the amounts (per cent).",
        "metrics": "All figures, as JSON.",
        "candidates": "What else was tried, with its loss, as JSON.",
        "model_sha256": "Checksum of the model's file.",
    },
    "forecast_accuracy": {
        "metric": FORECASTS["metric"],
        "currency": FORECASTS["currency"],
        "segment": FORECASTS["segment"],
        "method": "The method that was tried.",
        "folds": "Past origins that it forecast from.",
        "mae": "Mean absolute error, in the metric's unit.",
        "smape": "Symmetric mean absolute error, per cent.",
        "mase": "Error as a multiple of the seasonal naive forecast's; below 1 is better than it.",
        "coverage_80": "How many actuals lay between p10 and p90 (share; 0.8 is right).",
        "chosen": "Whether this method forecasts the series.",
    },
    "data_quality": {
        "run_id": "The Dagster run.",
        "gate": "raw or publish.",
        "suite": "The table or source that was checked.",
        "expectation": "What was expected.",
        "success": "Whether it held.",
        "is_blocking": "Whether a failure stops the run.",
        "message": "What was seen, in words.",
        "checked_at": "When it was checked (UTC).",
    },
    "releases": {
        "created_at": "When it was published (UTC).",
        "run_id": "The Dagster run, or 'rollback'.",
        "status": "published or rollback.",
        "note": "What is not fresh in it, in words.",
        "tables_of": "The release that its tables were made for.",
        "tables": "Its tables with rows, columns and types, as JSON.",
        "newest_data": "Source to the day of its newest data: newest_data['stripe'].",
    },
}
PATTERNS = (
    (r"custom_(.+)", "Field of the company's own, as its export has it."),
    (r"probability_(.+)", "How likely the class {0} is, from 0 to 1."),
    (r"points_(.+)", "What the columns of the group '{0}' add to the log-odds."),
    (r"expected_(.+)", "Probability times the money at stake."),
)


def description_of(table: str, column: str) -> str | None:
    """The description of a column, by its table, then by its name; None where there is none."""
    for known in (COLUMNS.get(table, {}), EVERYWHERE, SCORES):
        if column in known:
            return known[column]
    for pattern, words in PATTERNS:
        if found := re.fullmatch(pattern, column):
            return words.format(*found.groups())
    return None
