"""Replay of a lead rule on history: what it would have passed, and what is known of what became of that.

A rule can pass leads that nobody ever worked, because today's rule held them back or because nobody answered them. What
would have become of those is unknown: they are counted, and rates come with the bounds between none and all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import pandas as pd

from revops_analysis.definitions.rule_text import rule_text
from revops_analysis.definitions.rules import Rule
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.funnel.leads import records_answers
from revops_analysis.metrics.funnel.replayed import replay_counts, replayed, sellers_of
from revops_analysis.metrics.funnel.rules import recorded_attributes, require_usable, rule_attributes
from revops_analysis.metrics.incidence import at_horizon
from revops_analysis.models.lead_records import lead_records
from revops_analysis.models.leak_guard import check_leaks
from revops_analysis.periods import DAYS_A_MONTH, Period, begun_period

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

NEW, AGAINST, IN_FACT, EVERY = "new rule", "current rule", "passed in fact", "all leads"
GROUPS = ("both rules", "only the new rule", "only the current rule", "neither rule")


@dataclass(frozen=True, eq=False)
class LeadReplay:
    """A rule replayed beside another on the leads created in a period.

    rules    a row a rule (new rule, current rule, passed in fact, all leads):
             passed, passed_month; worked (of those) and unknown (never worked, so that nobody knows);
             deals (so far), deal_rate, deal_low, deal_high: share of the worked that becomes a deal within
             `horizon_days` (open leads count for as long as they were watched), with deal_floor and deal_ceiling if
             none, or all, of the unknown would have; won, close_rate, close_low, close_high, close_floor,
             close_ceiling the same for won deals; won_amount (exact, in `currency`, each deal once);
             precision is deal_rate; recall (share of all leads that became a deal), recall_low, recall_high, and with
             the unknown: recall_floor, recall_ceiling; lift (deal_rate ÷ that of all worked leads);
             missed_deals, missed_won, missed_amount: what the rule would not have passed;
             hours_month (at `hours_each`), leads_per_seller (a month; null where no seller is known); reason.
    groups   a row for both rules, only the new, only the current, neither: leads, worked, unknown, deals, deal_rate,
             low, high, won, won_amount, reason.
    months   a row a month and rule: month, rule, passed, worked, deals, won.
    warnings sentences on what is unknown and what rests on today's values.
    """

    rules: pd.DataFrame
    groups: pd.DataFrame
    months: pd.DataFrame
    new: str
    against: str
    period: Period
    horizon_days: int
    currency: str
    warnings: tuple[str, ...]

    def of(self, rule: str) -> dict[str, Any]:
        """The figures of one row of `rules`."""
        return {str(key): value for key, value in self.rules.set_index("rule").loc[rule].items()}


def replay(
    snapshot: Snapshot, rule: Rule, against: Rule | None = None, period: str | Period | None = None
) -> LeadReplay:
    """Replay `rule` beside `against`: by default the lead rule of the definitions.

    Where there is none, or the source does not record what it uses, what the CRM passed stands for it.

    `period`: of the leads' creation; by default the year that ends on the as-of date. Source: METRICS, definition
    back-test. Runs in the engine; only counts come out.

    Raises ConfigurationError for rules that use unknown names, what is known only after passing, or columns that were
    filled in afterwards (see `leak_guard`), and for a period that begins after the as-of date.
    """
    span = _period(snapshot, period)
    current, stands_in = (against, ()) if against is not None else _current(snapshot)
    for each in (rule, *([] if current is None else [current])):
        require_usable(snapshot, each)
        _refuse_leaks(snapshot, each)
    leads = replayed(snapshot, rule, current, span)
    counts, sellers = _counts(leads), sellers_of(leads)
    horizon = snapshot.definitions.conversion_horizon_days
    watched = _Watched(horizon, snapshot.as_of, _months(span, snapshot), snapshot.definitions.leads.hours_each, sellers)
    rules = pd.DataFrame([_rule_row(counts, name, watched) for name in _SETS])
    groups = pd.DataFrame([_group_row(counts, name, watched) for name in GROUPS])
    return LeadReplay(
        rules,
        groups,
        _by_month(counts),
        rule_text(rule),
        rule_text(current) if current is not None else "what the CRM says was passed",
        span,
        horizon,
        snapshot.definitions.reporting_currency,
        (*stands_in, *_warnings(snapshot, rules, (rule, current))),
    )


@dataclass(frozen=True)
class _Watched:
    """How rates are read: horizon, as-of date, months of the period, hours a lead takes, sellers that had leads."""

    horizon: int
    as_of: Any
    months: float
    hours: float
    sellers: int


_SETS: Mapping[str, str | None] = {NEW: "by_new", AGAINST: "by_current", IN_FACT: "is_passed", EVERY: None}


def _current(snapshot: Snapshot) -> tuple[Rule | None, tuple[str, ...]]:
    """The lead rule of the definitions; none, with a sentence, where it uses what this source does not record."""
    rule = snapshot.definitions.lead_rule
    if rule is None:
        return None, ()
    try:
        require_usable(snapshot, rule)
    except ConfigurationError as error:
        why = f"{error.what} {error.found or ''}".strip()
        return None, (
            f"The lead rule of the definitions cannot be replayed ({why}): what the CRM passed stands for it.",
        )
    return rule, ()


def _period(snapshot: Snapshot, period: str | Period | None) -> Period:
    if period is None:
        start = (pd.Timestamp(snapshot.as_of) - pd.DateOffset(years=1) + pd.Timedelta(days=1)).date()
        return Period(f"{start.isoformat()}..{snapshot.as_of.isoformat()}", start, snapshot.as_of)
    return begun_period(period, snapshot.definitions.fiscal_calendar, snapshot.as_of)


def _refuse_leaks(snapshot: Snapshot, rule: Rule) -> None:
    """Refuse attributes that were filled in after passing: a rule on them would be proved right by its own outcome."""
    names = rule_attributes(rule)
    if not names:
        return
    leaks = snapshot.once(
        "leaks of leads", lambda: check_leaks(lead_records(snapshot), snapshot.definitions.leads.known_at_creation)
    )
    late = {name: why for name, why in leaks.refused.items() if name in names and why.startswith(("filled", "tells"))}
    if late:
        name, why = next(iter(late.items()))
        raise ConfigurationError(
            f"A lead rule cannot use {', '.join(late)}: it was not known when the lead was passed.",
            expected="attributes that are recorded when a lead arrives",
            found=f"{name}: {why}",
            where="lead rule",
            fix=f"leave {name} out; if it is recorded at creation all the same, name it in leads.known_at_creation",
        )


def _counts(leads: ir.Table) -> pd.DataFrame:
    """Leads by everything that the answer is cut by, counted in the engine; amounts stay exact."""
    frame = replay_counts(leads).to_pandas()
    for name in ("by_new", "by_current", "is_passed", "worked"):
        frame[name] = frame[name].astype(bool)
    return frame.assign(
        cases=frame["cases"].astype("int64"),
        won_deals=frame["won_deals"].fillna(0).astype("int64"),
        amount=frame["amount"].astype(object).where(frame["amount"].notna(), Decimal(0)),
    )


def _months(span: Period, snapshot: Snapshot) -> float:
    """Months of the period up to the as-of date, as days ÷ the mean length of a month."""
    return ((min(span.end, snapshot.as_of) - span.start).days + 1) / DAYS_A_MONTH


def _rate(rows: pd.DataFrame, kind: str, watched: _Watched) -> dict[str, Any]:
    """Share of the worked rows that meet the cause within the horizon, with interval."""
    from revops_analysis.statistics.survival import aalen_johansen

    curve = aalen_johansen(rows[f"{kind}_days"], rows[f"{kind}_result"], weights=rows["cases"])
    return at_horizon(curve, kind, watched.horizon, watched.as_of, "lead")


def _rule_row(counts: pd.DataFrame, name: str, watched: _Watched) -> dict[str, Any]:
    column = _SETS[name]
    taken = counts[column] if column else pd.Series(True, index=counts.index)
    rows, missed = counts[taken], counts[~taken]
    worked = rows[rows["worked"]]
    everything = counts[counts["worked"]]
    deal, won = _rate(worked, "deal", watched), _rate(worked, "won", watched)
    passed, known = int(rows["cases"].sum()), int(worked["cases"].sum())
    unknown = passed - known
    base = _rate(everything, "deal", watched)["value"]
    per_month = passed / watched.months
    return {
        "rule": name,
        "passed": passed,
        "passed_month": per_month,
        "worked": known,
        "unknown": unknown,
        "deals": _deals(rows),
        **_named("deal", deal, known, unknown),
        "won": int(rows["won_deals"].sum()),
        **_named("close", won, known, unknown),
        "won_amount": _amount(rows),
        **_recall(rows, missed),
        "lift": deal["value"] / base if deal["value"] is not None and base else None,
        "missed_deals": _deals(missed),
        "missed_won": int(missed["won_deals"].sum()),
        "missed_amount": _amount(missed),
        "hours_month": per_month * watched.hours,
        "leads_per_seller": per_month / watched.sellers if watched.sellers else None,
        "reason": _why(passed, known, deal["reason"]),
    }


def _why(passed: int, known: int, reason: str | None) -> str | None:
    if passed == 0:
        return "the rule passes no lead"
    return "no lead that the rule passes was worked" if known == 0 else reason


def _named(kind: str, rate: Mapping[str, Any], known: int, unknown: int) -> dict[str, Any]:
    """A rate with its interval, and what it would be if none, or all, of the unknown had met the cause."""
    value = rate["value"] if known else None
    numbers = {f"{kind}_{end}": rate[end] if known else None for end in ("low", "high")}
    whole = known + unknown
    floor = None if value is None else value * known / whole
    ceiling = None if value is None else (value * known + unknown) / whole
    return {f"{kind}_rate": value, **numbers, f"{kind}_floor": floor, f"{kind}_ceiling": ceiling}


def _deals(rows: pd.DataFrame) -> int:
    return int(rows.loc[rows["deal_result"] == "deal", "cases"].sum())


def _amount(rows: pd.DataFrame) -> Decimal:
    return sum(rows["amount"], Decimal(0))


def _recall(rows: pd.DataFrame, missed: pd.DataFrame) -> dict[str, Any]:
    """Share of the leads that became a deal which the rule passes; the unknown could move it either way."""
    from revops_analysis.statistics.intervals import wilson_interval

    kept, lost = _deals(rows), _deals(missed)
    whole = kept + lost
    low, high = wilson_interval([kept], [whole])
    inside, outside = (int(part.loc[~part["worked"], "cases"].sum()) for part in (rows, missed))
    return {
        "recall": kept / whole if whole else None,
        "recall_low": None if whole == 0 else float(low[0]),
        "recall_high": None if whole == 0 else float(high[0]),
        "recall_floor": kept / (whole + outside) if whole + outside else None,
        "recall_ceiling": (kept + inside) / (whole + inside) if whole + inside else None,
    }


def _group_row(counts: pd.DataFrame, name: str, watched: _Watched) -> dict[str, Any]:
    new, current = counts["by_new"], counts["by_current"]
    member = dict(zip(GROUPS, (new & current, new & ~current, ~new & current, ~new & ~current), strict=True))[name]
    rows = counts[member]
    worked = rows[rows["worked"]]
    leads, known = int(rows["cases"].sum()), int(worked["cases"].sum())
    rate = _rate(worked, "deal", watched)
    return {
        "group": name,
        "leads": leads,
        "worked": known,
        "unknown": leads - known,
        "deals": _deals(rows),
        "deal_rate": rate["value"],
        "low": rate["low"],
        "high": rate["high"],
        "won": int(rows["won_deals"].sum()),
        "won_amount": _amount(rows),
        "reason": "no lead is in it"
        if leads == 0
        else "none of these leads was worked"
        if known == 0
        else rate["reason"],
    }


def _by_month(counts: pd.DataFrame) -> pd.DataFrame:
    parts = []
    for name, column in _SETS.items():
        rows = counts[counts[column]] if column else counts
        deals = rows["cases"].where(rows["deal_result"] == "deal", 0)
        worked = rows["cases"].where(rows["worked"], 0)
        sums = rows.assign(deals=deals, worked_leads=worked).groupby("month", sort=True)
        part = sums[["cases", "worked_leads", "deals", "won_deals"]].sum().reset_index()
        parts.append(part.assign(rule=name))
    named = {"cases": "passed", "worked_leads": "worked", "won_deals": "won"}
    frame = pd.concat(parts, ignore_index=True).rename(columns=named)
    return frame[["month", "rule", "passed", "worked", "deals", "won"]]


def _warnings(snapshot: Snapshot, rules: pd.DataFrame, given: tuple[Rule, Rule | None]) -> tuple[str, ...]:
    row = rules.set_index("rule").loc[NEW]
    said = []
    if row["unknown"]:
        share = row["unknown"] / row["passed"]
        said.append(
            f"{row['unknown']:,} of the {row['passed']:,} leads that the new rule passes ({share:.0%}) were never "
            "worked: what would have become of them is unknown. Rates are of the worked ones; floor and ceiling say "
            "what they would be if none, or all, of the others had become a deal."
        )
    passed = rules.set_index("rule")["passed"].to_dict()
    held_back = int(passed[EVERY] - passed[IN_FACT])
    if held_back:
        said.append(
            f"{held_back:,} leads were never passed, and only a passed lead could become a deal: the recall of the "
            "rule that was in force is near 100% by construction; the bounds of recall say how much that may hide."
        )
    if not records_answers(snapshot):
        said.append("The source records no answers, so every lead that was passed counts as worked.")
    if any(recorded_attributes(snapshot, rule) for rule in given if rule is not None):
        said.append("Of attributes only the latest values are known; they may differ from those on the day of passing.")
    if row["worked"] and pd.isna(row["deal_rate"]):
        said.append(f"No rate: {row['reason']}.")
    return tuple(said)
