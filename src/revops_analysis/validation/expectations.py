"""Great Expectations, and nothing else of the package imports it: rules and frames in, counts out.

Great Expectations is told to phone nobody and to draw nothing. It gets pandas frames a stretch of rows at a time, and
reports counts only: carrying failing rows out of it takes longer than all checks together. Each answer is asked for
by its rule's id, and a rule without an answer is a failure, since Great Expectations drops rules that it cannot read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from revops_analysis.heavy_imports import heavy_imports

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.validation.suites import Rule

_ONCE = Lock()
_COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class Verdict:
    """What Great Expectations found for one rule over all rows.

    `checked` counts rows whose value could be judged, `failed` those that broke the rule. `passed` is its verdict.
    `error` says why there is none; then the counts mean nothing.
    """

    checked: int = 0
    failed: int = 0
    passed: bool = True
    error: str | None = None


def judge(rules: Sequence[Rule], frames: Iterable[pd.DataFrame]) -> dict[str, Verdict]:
    """Check rules, resolved, on frames that together make one table: rule id → verdict, one for each rule.

    Counts add up over the frames; a rule with `mostly` is judged on the sums. A rule that raised, or got no answer in
    one of the frames, has an error. No frame at all: every rule has an error, since nothing was checked.
    """
    totals: dict[str, Verdict] = {}
    for frame in frames:
        answers = _judge_frame(rules, frame)
        for rule in rules:
            found = answers.get(rule.id, Verdict(error="Great Expectations gave no answer."))
            totals[rule.id] = _sum(totals.get(rule.id), found)
    return {rule.id: _settle(rule, totals.get(rule.id)) for rule in rules}


def _sum(total: Verdict | None, found: Verdict) -> Verdict:
    if total is None:
        return found
    return Verdict(
        total.checked + found.checked,
        total.failed + found.failed,
        total.passed and found.passed,
        total.error or found.error,
    )


def _settle(rule: Rule, verdict: Verdict | None) -> Verdict:
    """The verdict over all frames: with `mostly`, a share that one frame exceeds may be kept by the whole."""
    if verdict is None:
        return Verdict(passed=False, error="There was nothing to check the rule on.")
    if verdict.error is not None:
        return Verdict(passed=False, error=verdict.error)
    mostly = rule.kwargs.get("mostly")
    if mostly is None or not verdict.checked:
        return verdict
    return Verdict(verdict.checked, verdict.failed, 1 - verdict.failed / verdict.checked >= mostly)


def _judge_frame(rules: Sequence[Rule], frame: pd.DataFrame) -> dict[str, Verdict]:
    batches = _batches()  # before the import, since it switches analytics off
    import great_expectations as gx

    batch = batches.get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name=rules[0].table, expectations=[_configured(rule) for rule in rules])
    answers = batch.validate(suite, result_format=_COUNTS_ONLY)
    return {str(answer.expectation_config.id): _verdict(answer) for answer in answers.results}


def _configured(rule: Rule) -> dict[str, Any]:
    """The rule as Great Expectations reads it; what only people read stays out, since it is copied many times over."""
    return {"id": rule.id, "type": rule.type, "kwargs": dict(rule.kwargs), "severity": rule.severity}


def _verdict(answer: Any) -> Verdict:
    counts = answer.result or {}
    if "unexpected_count" not in counts or "element_count" not in counts:
        return Verdict(passed=False, error=_reason(answer.exception_info))
    checked = int(counts["element_count"]) - int(counts.get("missing_count") or 0)
    return Verdict(checked, int(counts["unexpected_count"]), bool(answer.success))


def _reason(information: Any) -> str:
    """The exception's own words; Great Expectations nests them by metric."""
    parts = [information, *(part for part in dict(information or {}).values() if isinstance(part, dict))]
    texts = [str(part["exception_message"]) for part in parts if part and part.get("exception_message")]
    return f"Great Expectations could not check it: {texts[0]}" if texts else "Great Expectations returned no counts."


def warm_up() -> None:
    """Import Great Expectations, which takes seconds, before it is needed: from a thread, while the engine loads."""
    _batches()


def _batches() -> Any:
    """What frames are handed to: one context for the process, made once, whichever thread asks first."""
    with _ONCE:
        return _make_batches()


@lru_cache(maxsize=1)
def _make_batches() -> Any:
    """A context in memory that phones nobody and draws nothing."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with heavy_imports():
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("warehouse").add_dataframe_asset("table")
    return asset.add_batch_definition_whole_dataframe("rows")
