"""The gate's answer for people: a page of our own, and a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from revops_analysis.reporting.formats import format_value, is_missing
from revops_analysis.reporting.pages import render_page

if TYPE_CHECKING:
    from rich.table import Table

    from revops_analysis.validation.result import GateResult

_STATUS_CLASS = {"passed": "rv-good", "failed": "rv-warn", "error": "rv-bad", "not checked": "rv-reason"}


@dataclass(frozen=True)
class RuleView:
    """One rule as a reader sees it: all texts, nothing to compute in the template."""

    rule: str
    title: str
    table: str
    column: str
    severity: str
    status: str
    status_class: str
    found: str
    checked: str
    failed: str
    share: str
    first_keys: tuple[str, ...]
    why: str
    repair: str
    owner: str
    reason: str


@dataclass(frozen=True)
class TableView:
    """One table's line in the overview: how many of its rules passed, failed and were not checked."""

    name: str
    passed: int
    critical: int
    warnings: int
    not_checked: int
    reason: str


def render_gate(result: GateResult) -> str:
    """The whole page: what refuses the data, what warns, what was not checked, and every rule with its counts.

    What comes from the data (keys, column names) is escaped; the page needs no network and no script but the one that
    sorts its tables.
    """
    rules = rule_views(result)
    refusing = set(result.critical_failures["rule"])
    return render_page(
        "gate.html.j2",
        gate=result,
        counts=result.counts,
        critical=[rule for rule in rules if rule.rule in refusing],
        warnings=[rule for rule in rules if rule.status == "failed" and rule.rule not in refusing],
        unchecked=[rule for rule in rules if rule.status == "not checked"],
        tables=table_views(result),
        rules=rules,
    )


def rule_views(result: GateResult) -> list[RuleView]:
    """Every rule in words, in the order of the result."""
    return [_view({str(name): value for name, value in row.items()}) for row in result.results.to_dict("records")]


def table_views(result: GateResult) -> list[TableView]:
    """Every table's counts, in the order of the result; the reason is that of a table of which nothing was checked."""
    views = []
    for name, own in result.results.groupby("table", sort=False):
        status = own["status"]
        failed = status == "failed"
        reasons = own["reason"].unique()
        views.append(
            TableView(
                name=str(name),
                passed=int((status == "passed").sum()),
                critical=int(((failed & (own["severity"] == "critical")) | (status == "error")).sum()),
                warnings=int((failed & (own["severity"] == "warning")).sum()),
                not_checked=int((status == "not checked").sum()),
                reason=str(reasons[0]) if (status == "not checked").all() and len(reasons) == 1 else "",
            )
        )
    return views


def _view(row: dict[str, Any]) -> RuleView:
    return RuleView(
        rule=row["rule"],
        title=_title(row["rule"]),
        table=row["table"],
        column=row["column"],
        severity=row["severity"],
        status=row["status"],
        status_class="rv-bad" if _refuses(row) else _STATUS_CLASS[row["status"]],
        found=_found(row),
        checked=format_value(row["checked"], "count"),
        failed=format_value(row["failed"], "count"),
        share=_share(row["share"]),
        first_keys=tuple(row["first_keys"]),
        why=row["why"],
        repair=row["repair"],
        owner=row["owner"],
        reason=row["reason"],
    )


def _refuses(row: dict[str, Any]) -> bool:
    return row["status"] == "error" or (row["status"] == "failed" and row["severity"] == "critical")


def _title(rule: str) -> str:
    """A rule's name as words.

    >>> _title("opportunities.won_has_amount")
    'Won has amount'
    """
    words = rule.partition(".")[2].replace("_", " ")
    return words[:1].upper() + words[1:]


def _found(row: dict[str, Any]) -> str:
    if row["status"] == "error":
        return str(row["reason"])
    if row["observed"]:
        return str(row["observed"])
    if is_missing(row["failed"]):
        return ""
    return f"{row['failed']:,} of {row['checked']:,} ({_share(row['share'])})"


def _share(share: Any) -> str:
    """A share of failures, never rounded to none while there are some.

    >>> _share(0.0), _share(0.00001), _share(0.0123), _share(None)
    ('0.0%', '<0.1%', '1.2%', '–')
    """
    if not is_missing(share) and 0 < share < 0.000_5:
        return "<0.1%"
    return format_value(share, "rate")


def gate_table(result: GateResult, statuses: Sequence[str] = ("failed", "error")) -> Table:
    """The rules with one of `statuses` as a table for the terminal: what was found, first keys, owner and repair.

    Keys come from the data and are shown as they are: markup in them has no effect.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Checks of the data", title_justify="left", show_lines=True)
    for heading in ("Severity", "Rule", "Found", "First keys", "Owner", "Repair"):
        table.add_column(heading, overflow="fold")
    for rule in rule_views(result):
        if rule.status in statuses:
            severity = "error" if rule.status == "error" else rule.severity
            keys = ", ".join(rule.first_keys[:5])
            cells = (severity, rule.rule, rule.found, keys, rule.owner, rule.repair)
            table.add_row(*(Text(cell) for cell in cells))
    return table
