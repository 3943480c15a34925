"""What is odd about the recurring revenue, what was done about it, and whether the retention can be true at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from revops_analysis.metrics.deals import missing as is_missing
from revops_analysis.metrics.retention.ledger import missing_reason, month_end, require_revenue
from revops_analysis.metrics.retention.rates import YEAR, retention_rates
from revops_analysis.metrics.retention.terms import ended_terms, origin_of, revenue_rows

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
    odd |= _odd_rows(snapshot)
    found = [{"check": check, **odd[check], "what_was_done": done} for check, done in _DONE.items() if check in odd]
    judged = nrr_plausibility(snapshot)
    if not judged.is_plausible:
        row = {"check": "Implausible NRR", "rows": judged.accounts, "accounts": judged.accounts}
        found.insert(0, {**row, "what_was_done": f"{judged.why} It is shown as computed."})
    frame = pd.DataFrame(found, columns=columns)
    return RevenueQuality(frame[frame["rows"] > 0].reset_index(drop=True))


_Counts = dict[str, dict[str, int]]
"""Rows and accounts by check."""


def _counted(table: ir.Table, checks: Mapping[str, ir.BooleanValue]) -> _Counts:
    """Rows that answer to each check, and their accounts, with one query."""
    names = list(checks)
    holds = [checks[name].fill_null(False) for name in names]
    rows = {f"rows_{place}": is_so.sum() for place, is_so in enumerate(holds)}
    accounts = {f"accounts_{place}": table.account_id.nunique(where=is_so) for place, is_so in enumerate(holds)}
    found = table.aggregate(**rows, **accounts).to_pyarrow().to_pylist()[0]
    return {
        name: {kind: int(found[f"{kind}_{place}"] or 0) for kind in ("rows", "accounts")}
        for place, name in enumerate(names)
    }


def _odd_rows(snapshot: Snapshot) -> _Counts:
    rows = revenue_rows(snapshot)
    accounts = snapshot.table("accounts").select(known_id="account_id").distinct()
    joined = rows.left_join(accounts, rows.account_id == accounts.known_id)
    checks = {
        "Below zero": joined.mrr < 0,
        "Free of charge": joined.mrr == 0,
        "Account not in the table of accounts": is_missing(joined.known_id),
    }
    return _counted(joined, checks)


def _odd_terms(snapshot: Snapshot) -> _Counts:
    terms, ended = snapshot.table("subscriptions"), ended_terms(snapshot)
    once = ended.select(
        once_id="subscription_id",
        is_early=(ended.last_day < ended.ended_on) | (is_missing(ended.ended_on) & ~is_missing(ended.last_day)),
    )
    joined = terms.left_join(once, terms.subscription_id == once.once_id)
    checks = {
        "Recorded twice": is_missing(joined.once_id),
        "Ended before it began": joined.ended_on < joined.started_on,
        "Renewed while still running": joined.is_early,
    }
    piled_up = _piled_up(snapshot, require_last_day(snapshot))
    name = "Several active terms of one product"
    return {**_counted(joined, checks), **_counted(piled_up, {name: piled_up.beside > 1})}


def require_last_day(snapshot: Snapshot) -> object:
    """Last day of the last complete month; the as-of date where there is no recurring revenue."""
    return snapshot.as_of if missing_reason(snapshot) else month_end(require_revenue(snapshot).last)


def _active(snapshot: Snapshot, day: object) -> ir.Table:
    """Terms with revenue on a day: account_id, product, currency, mrr, started_on, subscription_id."""
    ended = ended_terms(snapshot)
    on = ibis.literal(day, "date")
    running = ended.last_day.isnull() | (ended.last_day >= on)  # noqa: PD003 - an Ibis column
    return ended.filter((ended.started_on <= on) & running & (ended.mrr > 0))


def _piled_up(snapshot: Snapshot, day: object) -> ir.Table:
    """Active terms with `beside`, how many active ones of the same product the account has."""
    active = _active(snapshot, day)
    return active.group_by(["account_id", "product"]).mutate(beside=_.count())


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
