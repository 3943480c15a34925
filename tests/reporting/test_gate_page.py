"""The gate's page says everything the result says, trusts nothing that comes from the data, and needs no network."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from revops_analysis.reporting.gate_page import gate_table, render_gate, rule_views, table_views
from revops_analysis.validation.result import COLUMNS, GateResult, frame_of

EVIL = "<script>alert(1)</script>{{7*7}}[red]"


def row(rule: str, status: str, severity: str = "warning", **more: Any) -> dict[str, Any]:
    plain = dict.fromkeys(COLUMNS, "")
    counted = {"checked": None, "failed": None, "share": None} if status == "not checked" else {}
    return {
        **plain,
        "table": rule.split(".", maxsplit=1)[0],
        "rule": rule,
        "status": status,
        "severity": severity,
        "checked": 1_200_000,
        "failed": 0,
        "share": 0.0,
        "first_keys": [],
        "why": f"Why of {rule}.",
        "repair": f"Repair of {rule}.",
        "owner": "RevOps",
        **counted,
        **more,
    }


@pytest.fixture
def result() -> GateResult:
    rows = [
        row("accounts.key_unique", "passed", "critical"),
        row("opportunities.stage_known", "failed", "critical", failed=2, share=2 / 1_200_000, first_keys=[EVIL, "d2"]),
        row("opportunities.fresh", "failed", observed="9 days before 2026-09-30"),
        row("opportunities.broken", "error", reason=f"Great Expectations could not check it: {EVIL}"),
        row("spend.key_unique", "not checked", reason="The source does not supply spend."),
        row("spend.amount_present", "not checked", reason="The source does not supply spend."),
    ]
    return GateResult(frame_of(rows), EVIL, "0123456789abcdef", date(2026, 9, 30), "2026.1", "feedbeef", None)


class _Page(HTMLParser):
    """Collects ids, tags that load something, visible text and headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def loads(self) -> Iterator[str]:
        for tag, attributes in self.tags:
            for name in ("src", "href", "srcset", "data"):
                if attributes.get(name):
                    yield f"{tag} {attributes[name]}"


def test_the_page_says_what_refuses_what_warns_and_what_was_not_checked(result: GateResult) -> None:
    page = render_gate(result)
    text = " ".join("".join(_Page(page).text).split())
    assert "The data may not be used" in text
    assert text.index("What refuses the data") < text.index("Stage known") < text.index("Broken")
    assert text.index("Broken") < text.index("Warnings") < text.index("9 days before 2026-09-30")
    assert "2 of 1,200,000 (<0.1%)" in text
    assert "Repair of opportunities.stage_known." in text
    assert "spend The source does not supply spend." in text
    for rule in result.results["rule"]:
        assert rule in text
    assert "6: 1 passed, 2 critical failed, 1 warning, 2 not checked" in text


def test_data_that_passed_say_so(result: GateResult) -> None:
    fine = replace(result, results=result.results[result.results["status"].isin(["passed", "not checked"])])
    text = " ".join("".join(_Page(render_gate(fine)).text).split())
    assert "The data may be used." in text
    assert "No rule warns." in text
    assert "What refuses the data" not in text


def test_what_comes_from_the_data_is_shown_as_itself(result: GateResult) -> None:
    page = render_gate(result)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page
    assert EVIL in "".join(_Page(page).text)


def test_the_page_loads_nothing(result: GateResult) -> None:
    page = render_gate(result)
    assert list(_Page(page).loads()) == []
    assert not re.search(r"url\(|@import|https?://", page)


def test_the_same_result_gives_the_same_page(result: GateResult) -> None:
    assert render_gate(result) == render_gate(result)


def test_missing_counts_are_dashes_and_never_zero(result: GateResult) -> None:
    views = {view.rule: view for view in rule_views(result)}
    assert (views["spend.key_unique"].checked, views["spend.key_unique"].share) == ("–", "–")
    assert views["accounts.key_unique"].found == "0 of 1,200,000 (0.0%)"


def test_tables_are_summed_up(result: GateResult) -> None:
    views = {view.name: view for view in table_views(result)}
    deals = views["opportunities"]
    assert (deals.passed, deals.critical, deals.warnings, deals.not_checked, deals.reason) == (0, 2, 1, 0, "")
    assert views["spend"].reason == "The source does not supply spend."


def test_the_terminal_shows_keys_without_obeying_them(result: GateResult) -> None:
    console = Console(file=io.StringIO(), width=400)
    console.print(gate_table(result))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert EVIL in shown
    assert "Repair of opportunities.fresh." in shown
    assert "accounts.key_unique" not in shown
