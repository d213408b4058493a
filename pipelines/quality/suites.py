"""A small interface to Great Expectations: rules on a frame with only the columns they need, findings in words."""

import base64
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.quality.findings import Finding

if TYPE_CHECKING:
    import polars as pl

MAX_EXAMPLES = 3


@dataclass(frozen=True)
class Rule:
    """One expectation: Great Expectations' class and arguments, and its meaning in words."""

    kind: str
    """Class in `great_expectations.expectations`, e.g. `ExpectColumnValuesToNotBeNull`."""
    arguments: Mapping[str, Any]
    says: str
    """What must hold, in words."""
    is_blocking: bool = True
    shows: tuple[str, ...] = ()
    """Columns of the suite's frame to quote for a failing row, if the suite has `shown_by`."""


@dataclass(frozen=True)
class Suite:
    """The rules of one table or source, and the frame that they check."""

    name: str
    frame: "pl.DataFrame"
    rules: Sequence[Rule]
    shown_by: tuple[str, ...] = field(default=())
    """Columns that name a row in messages: every failing row is quoted, by name and figures."""
    key: tuple[str, ...] = ()
    """Columns that identify a row of a long frame: a few failing rows are quoted, by value and key."""

    def as_json(self) -> dict[str, Any]:
        """The suite as plain values, for another process; the frame in Arrow's format."""
        frame = io.BytesIO()
        self.frame.write_ipc(frame)
        return {
            "name": self.name,
            "frame": base64.b64encode(frame.getvalue()).decode(),
            "rules": [asdict(rule) for rule in self.rules],
            "shown_by": self.shown_by,
            "key": self.key,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Suite":
        """The suite from the values of `as_json`."""
        import polars as pl

        return cls(
            name=values["name"],
            frame=pl.read_ipc(base64.b64decode(values["frame"])),
            rules=[Rule(**{**rule, "shows": tuple(rule["shows"])}) for rule in values["rules"]],
            shown_by=tuple(values["shown_by"]),
            key=tuple(values["key"]),
        )


def validate(gate: str, suites: Sequence[Suite]) -> list[Finding]:
    """
    Check every suite.

    Great Expectations gets pandas batches, because its SQL engine reads DuckDB results after the connection is closed.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("frames")
    return [finding for suite in suites for finding in _validate_one(context, source, gate, suite)]


def _validate_one(context: Any, source: Any, gate: str, suite: Suite) -> list[Finding]:
    import great_expectations as gx
    from great_expectations import expectations

    built = [
        getattr(expectations, rule.kind)(**rule.arguments, meta={"number": number}, notes=rule.says)
        for number, rule in enumerate(suite.rules)
    ]
    batch = source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("all rows")
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(
            name=suite.name,
            data=batch,
            suite=context.suites.add(gx.ExpectationSuite(name=suite.name, expectations=built)),
        )
    )
    result_format: dict[str, Any] = {"result_format": "SUMMARY", "partial_unexpected_count": MAX_EXAMPLES}
    if suite.shown_by:
        columns = dict.fromkeys([*suite.shown_by, *(column for rule in suite.rules for column in rule.shows)])
        result_format["unexpected_index_column_names"] = list(columns)
        result_format["result_format"] = "COMPLETE"
    outcome = validation.run(batch_parameters={"dataframe": suite.frame.to_pandas()}, result_format=result_format)
    findings = []
    for result in outcome.results:
        rule = suite.rules[result.expectation_config.meta["number"]]
        seen, detail = ("", "") if result.success else _seen(result, suite, rule)
        findings.append(
            Finding(
                gate=gate,
                suite=suite.name,
                expectation=rule.says,
                success=bool(result.success),
                is_blocking=rule.is_blocking,
                message=f"{suite.name}: {rule.says}" + (f", but {seen}{detail}" if seen else ""),
                seen=seen,
            )
        )
    return findings


def _seen(result: Any, suite: Suite, rule: Rule) -> tuple[str, str]:
    """What was found instead (a figure, or how many rows), and separately the part that quotes the data."""
    seen = result.result or {}
    # One exception, or one for each metric that was computed.
    exceptions = result.exception_info or {}
    for raised in (exceptions, *(each for each in exceptions.values() if isinstance(each, dict))):
        if raised.get("exception_message"):
            return "it could not be checked", f": {raised['exception_message']}"
    missing = ((seen.get("details") or {}).get("mismatched") or {}).get("missing")
    if missing:
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing", ""
    if seen.get("observed_value") is not None:
        return f"there is {seen['observed_value']}", ""
    rows = seen.get("unexpected_index_list") or []
    if rows:
        return f"not for {'; '.join(_told(row, suite, rule) for row in rows)}", ""
    examples = [_example(suite.frame.row(index, named=True), suite, rule) for index in _examples_of(seen)]
    how_many = f"not in {seen.get('unexpected_count')} of {suite.frame.height} rows"
    return how_many, f", e.g. {'; '.join(examples) or 'none shown'}"


def _examples_of(seen: Mapping[str, Any]) -> list[int]:
    return list(seen.get("partial_unexpected_index_list") or [])[:MAX_EXAMPLES]


def _example(row: Mapping[str, Any], suite: Suite, rule: Rule) -> str:
    """A failing row by its wrong value and its key: `1.2 (account_id a7)`."""
    arguments = rule.arguments
    wrong = [arguments[name] for name in ("column", "column_B", "column_A") if name in arguments]
    wrong = wrong or list(arguments["column_list"])
    values = ", ".join(
        _written(row[wrong[0]]) if len(wrong) == 1 else f"{name} {_written(row[name])}" for name in wrong
    )
    key = ", ".join(f"{name} {_written(row[name])}" for name in suite.key if name not in wrong)
    return f"{values} ({key})" if key else values


def _written(value: object) -> str:
    """A value in a message."""
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, int | float) else str(value) if str(value).strip() else "(empty)"


def _told(row: Mapping[str, Any], suite: Suite, rule: Rule) -> str:
    """A failing row by its name, and the figures that the rule shows: `account (bad_rows 50, new_rows 200)`."""
    name = ", ".join(str(row[column]) for column in suite.shown_by)
    wanted = rule.shows or (rule.arguments["column"],)
    figures = [f"{column} {_written(row[column])}" for column in wanted if column in row]
    return f"{name} ({', '.join(figures)})" if figures else name
