"""What is odd about the recurring revenue, what was done about it, and whether the retention can be true at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from revops_analysis.metrics.retention.ledger import missing_reason, month_end, require_revenue
from revops_analysis.metrics.retention.rates import YEAR, retention_rates
from revops_analysis.metrics.retention.terms import origin_of, revenue_rows, with_last_day, without_twins

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

MOST_PLAUSIBLE = 2.0
"""NRR above it is called implausible: the best public companies have reported about 170%."""
PILED_UP = 0.2
"""Share of accounts with several active terms of one product above which these may explain it."""


@dataclass(frozen=True, eq=False)
class RevenueQuality:
    """Oddities of the recurring revenue, a row each that occurs.

    `frame`: check, rows, accounts, what_was_done (a sentence). `notes`: the same as sentences, for the page and the
    command; empty where nothing is odd.
    """

    frame: pd.DataFrame

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence an oddity."""
        rows = self.frame.itertuples(index=False)
        return tuple(f"{row.check}: {row.rows} rows of {row.accounts} accounts. {row.what_was_done}" for row in rows)


_DONE = {
    "Below zero": "They count in the sums; who is left at 0 or below is no paying customer. Credits belong elsewhere.",
    "Ended before it began": "They count nowhere.",
    "Recorded twice": "Same deal, product, days, amount and currency: counted once.",
    "Renewed while still running": "The old term ends on the day before its renewal begins.",
    "Free of charge": "They are no recurring revenue; the customer is new when it first pays.",
    "Account not in the table of accounts": "Their revenue counts; what they are cut by is missing.",
    "Several active terms of one product": "They add up. Where a renewal does not say what it renews, and the old "
    "term is not ended, revenue is counted twice.",
}


def revenue_quality(snapshot: Snapshot) -> RevenueQuality:
    """Count what is odd about terms or ledger rows, as they are known on the as-of date."""
    columns = ["check", "rows", "accounts", "what_was_done"]
    if origin_of(snapshot) is None:
        return RevenueQuality(pd.DataFrame(columns=columns))
    odd = _odd_terms(snapshot) if origin_of(snapshot) == "subscriptions" else {}
    rows = revenue_rows(snapshot)
    accounts = snapshot.table("accounts").select("account_id")
    odd |= {
        "Below zero": rows.filter(rows.mrr < 0),
        "Free of charge": rows.filter(rows.mrr == 0),
        "Account not in the table of accounts": rows.anti_join(accounts, "account_id"),
    }
    found = []
    for check, done in _DONE.items():
        if check in odd:
            count = odd[check].aggregate(rows=_.count(), accounts=_.account_id.nunique()).to_pyarrow().to_pylist()[0]
            found.append({"check": check, **count, "what_was_done": done})
    judged = nrr_plausibility(snapshot)
    if not judged.is_plausible:
        row = {"check": "Implausible NRR", "rows": judged.accounts, "accounts": judged.accounts}
        found.insert(0, {**row, "what_was_done": f"{judged.why} It is shown as computed."})
    frame = pd.DataFrame(found, columns=columns)
    return RevenueQuality(frame[frame["rows"] > 0].reset_index(drop=True))


def _odd_terms(snapshot: Snapshot) -> dict[str, ir.Table]:
    terms = snapshot.table("subscriptions")
    once = without_twins(terms)
    ended = with_last_day(once, snapshot.definitions.late_renewal_grace_days)
    early = ended.filter((ended.last_day < ended.ended_on) | (ended.ended_on.isnull() & ~ended.last_day.isnull()))  # noqa: PD003
    return {
        "Recorded twice": terms.anti_join(once, "subscription_id"),
        "Ended before it began": terms.filter(terms.ended_on < terms.started_on),
        "Renewed while still running": early,
        "Several active terms of one product": _piled_up(snapshot, require_last_day(snapshot)),
    }


def require_last_day(snapshot: Snapshot) -> object:
    """Last day of the last complete month; the as-of date where there is no recurring revenue."""
    return snapshot.as_of if missing_reason(snapshot) else month_end(require_revenue(snapshot).last)


def _active(snapshot: Snapshot, day: object) -> ir.Table:
    """Terms with revenue on a day: account_id, product, currency, mrr, started_on, subscription_id."""
    once = without_twins(snapshot.table("subscriptions"))
    ended = with_last_day(once, snapshot.definitions.late_renewal_grace_days)
    on = ibis.literal(day, "date")
    running = ended.last_day.isnull() | (ended.last_day >= on)  # noqa: PD003 - an Ibis column
    return ended.filter((ended.started_on <= on) & running & (ended.mrr > 0))


def _piled_up(snapshot: Snapshot, day: object) -> ir.Table:
    """Active terms beside which the same account has another active one of the same product."""
    active = _active(snapshot, day)
    many = active.group_by(["account_id", "product"]).mutate(beside=_.count())
    return many.filter(many.beside > 1)


@dataclass(frozen=True)
class Plausibility:
    """Whether net retention can be true: NRR, `is_plausible`, and in `why` what makes it not plausible.

    `piled_up`: share of the accounts with revenue a year before that have several active terms of one product today;
    `nrr_of_latest`: NRR if of these only the one that began last counted. None where it cannot be known.
    """

    nrr: float | None
    is_plausible: bool
    piled_up: float | None = None
    nrr_of_latest: float | None = None
    accounts: int = 0
    why: str = ""


def nrr_plausibility(snapshot: Snapshot, month: int | None = None) -> Plausibility:
    """Judge the NRR of a month (the last complete one): above 200% it is called implausible, with what explains it."""
    if missing_reason(snapshot):
        return Plausibility(None, True)
    number = require_revenue(snapshot).last if month is None else month
    frame = retention_rates(snapshot, [number]).frame
    row = frame[frame["measure"] == "nrr"].to_dict("records")[0]
    nrr, n = float("nan") if row["value"] is None else float(row["value"]), int(row["n"])
    if not nrr > MOST_PLAUSIBLE:
        return Plausibility(None if pd.isna(nrr) else nrr, True, accounts=n)
    text = f"NRR of {nrr:.0%} over twelve months is not plausible"
    if origin_of(snapshot) != "subscriptions":
        return Plausibility(nrr, False, accounts=n, why=f"{text}: compare the ledger's months with billing.")
    share, latest = _explained(snapshot, number)
    if share < PILED_UP:
        cause = "few accounts have several active terms of one product, so renewals left running do not explain it"
        return Plausibility(nrr, False, share, latest, n, f"{text}: {cause}. Look at the largest expansions.")
    cause = (
        f"{share:.0%} of the accounts with revenue a year before have several active terms of the same product. "
        f"Counting only the one that began last gives {latest:.0%}. Terms seem not to be ended when they are renewed."
    )
    return Plausibility(nrr, False, share, latest, n, f"{text}: {cause}")


def _explained(snapshot: Snapshot, number: int) -> tuple[float, float]:
    """Share of base accounts with piled-up terms, and NRR if only the latest term of each product counted."""
    order = ibis.window(group_by=["account_id", "product"], order_by=[_.started_on.desc(), _.subscription_id])
    sums = []
    for place in (number - YEAR, number):
        active = snapshot.in_reporting_currency(_active(snapshot, month_end(place)), ["mrr"])
        ranked = active.mutate(place=ibis.row_number().over(order))
        totals = ranked.group_by("account_id").aggregate(
            mrr=_.mrr.sum(), latest=ibis.ifelse(_.place == 0, _.mrr, 0).sum(), piles=(_.place > 0).any()
        )
        sums.append(totals.to_pandas().set_index("account_id"))
    then, now = sums
    now = now.reindex(then.index)
    latest = [side["latest"].fillna(0).astype(float).sum() for side in (now, then)]
    return float(now["piles"].eq(True).mean()), float(latest[0] / latest[1])
