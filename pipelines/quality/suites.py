"""Great Expectations in small: named expectations on a frame of just the columns they look at, findings in words."""

import base64
import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipelines.quality.findings import Finding

if TYPE_CHECKING:
    import polars as pl

MAX_EXAMPLES = 3


@dataclass(frozen=True)
class Rule:
    """One expectation: Great Expectations' class and arguments, and what it means to people."""

    kind: str
    """Class in `great_expectations.expectations`, e.g. `ExpectColumnValuesToNotBeNull`."""
    arguments: Mapping[str, Any]
    says: str
    """What must hold, in words."""
    is_blocking: bool = True
    shows: tuple[str, ...] = ()
    """Columns of the suite's frame that say more about an offending row, where the suite has `shown_by`."""


@dataclass(frozen=True)
class Suite:
    """The rules of one table or source, and the frame they look at."""

    name: str
    frame: "pl.DataFrame"
    rules: Sequence[Rule]
    shown_by: tuple[str, ...] = field(default=())
    """Columns that name an offending row in messages: every such row is told, by name and figures."""
    key: tuple[str, ...] = ()
    """Columns that identify a row of a long frame: a few offending rows are told, by value and key."""

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
        """What `as_json` was made of."""
        import polars as pl

        return cls(
            name=values["name"],
            frame=pl.read_ipc(base64.b64decode(values["frame"])),
            rules=[Rule(**{**rule, "shows": tuple(rule["shows"])}) for rule in values["rules"]],
            shown_by=tuple(values["shown_by"]),
            key=tuple(values["key"]),
        )


def validate(gate: str, suites: Sequence[Suite], docs: Path) -> tuple[Any, list[Finding]]:
    """
    Check every suite; returns Great Expectations' context, for `build_docs`, and the findings.

    Great Expectations gets pandas batches: its SQL engine reads DuckDB results after the connection is closed.
    """
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    for site in list(context.get_site_names()):
        context.delete_data_docs_site(site)
    context.add_data_docs_site(site_name=gate, site_config=_site(docs))
    source = context.data_sources.add_pandas("frames")
    findings: list[Finding] = []
    for suite in suites:
        findings += _validate_one(context, source, gate, suite)
    return context, findings


def build_docs(context: Any, docs: Path) -> None:
    """
    Write Great Expectations' Data Docs to the folder that `validate` was given, in place of the last ones.

    Its index fills its table by scripts from the internet; a plain list of the pages serves those who have none.
    """
    context.build_data_docs()
    index = docs / "index.html"
    pages = {
        page.relative_to(docs / "validations").parts[0]: page for page in sorted(docs.glob("validations/**/*.html"))
    }
    links = "".join(
        f'<li><a href="{quote(str(page.relative_to(docs)))}">{escape(suite)}</a></li>' for suite, page in pages.items()
    )
    before, end, after = index.read_text().rpartition("</body>")
    index.write_text(f'{before}<div class="container"><h4>All results</h4><ul>{links}</ul></div>{end}{after}')


def _site(docs: Path) -> dict:
    docs = docs.absolute()
    docs.mkdir(parents=True, exist_ok=True)
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
    }


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
        told = dict.fromkeys([*suite.shown_by, *(column for rule in suite.rules for column in rule.shows)])
        result_format["unexpected_index_column_names"] = list(told)
        result_format["result_format"] = "COMPLETE"
    outcome = validation.run(batch_parameters={"dataframe": suite.frame.to_pandas()}, result_format=result_format)
    findings = []
    for result in outcome.results:
        rule = suite.rules[result.expectation_config.meta["number"]]
        findings.append(
            Finding(
                gate=gate,
                suite=suite.name,
                expectation=rule.says,
                success=bool(result.success),
                is_blocking=rule.is_blocking,
                message=f"{suite.name}: {rule.says}"
                + ("" if result.success else f", but {_seen(result, suite, rule)}"),
            )
        )
    return findings


def _seen(result: Any, suite: Suite, rule: Rule) -> str:
    """What was seen instead: the observed value, or how many rows and which."""
    seen = result.result or {}
    if result.exception_info and result.exception_info.get("exception_message"):
        return f"it could not be checked: {result.exception_info['exception_message']}"
    missing = ((seen.get("details") or {}).get("mismatched") or {}).get("missing")
    if missing:
        return f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    if seen.get("observed_value") is not None:
        return f"there is {seen['observed_value']}"
    count = seen.get("unexpected_count")
    rows = seen.get("unexpected_index_list") or []
    if rows:
        return f"not for {'; '.join(_told(row, suite, rule) for row in rows)}"
    examples = [_example(suite.frame.row(index, named=True), suite, rule) for index in _examples_of(seen)]
    return f"not in {count} of {suite.frame.height} rows, e.g. {'; '.join(examples) or 'none shown'}"


def _examples_of(seen: Mapping[str, Any]) -> list[int]:
    return list(seen.get("partial_unexpected_index_list") or [])[:MAX_EXAMPLES]


def _example(row: Mapping[str, Any], suite: Suite, rule: Rule) -> str:
    """An offending row by what is wrong and its key: `1.2 (account_id a7)`."""
    arguments = rule.arguments
    wrong = [arguments[name] for name in ("column", "column_B", "column_A") if name in arguments]
    wrong = wrong or list(arguments["column_list"])
    told = ", ".join(_written(row[wrong[0]]) if len(wrong) == 1 else f"{name} {_written(row[name])}" for name in wrong)
    key = ", ".join(f"{name} {_written(row[name])}" for name in suite.key if name not in wrong)
    return f"{told} ({key})" if key else told


def _written(value: object) -> str:
    """A value in a message."""
    if value is None:
        return "null"
    return f"{value:g}" if isinstance(value, int | float) else str(value) if str(value).strip() else "(empty)"


def _told(row: Mapping[str, Any], suite: Suite, rule: Rule) -> str:
    """An offending row by its name, and the figures that the rule shows: `account (bad_rows 50, new_rows 200)`."""
    name = ", ".join(str(row[column]) for column in suite.shown_by)
    wanted = rule.shows or (rule.arguments["column"],)
    figures = [f"{column} {_written(row[column])}" for column in wanted if column in row]
    return f"{name} ({', '.join(figures)})" if figures else name
