"""What duplicates touch: deals and their money, recurring revenue, touches, and counts that come out too high."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import ibis
    import ibis.expr.types as ir

    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.validation.duplicates.find import Found

EFFECT_COLUMNS = ("what", "rows", "amount", "currency")

OPEN_DEALS, REVENUE = "open deals touched", "recurring revenue a month touched"


def effects(snapshot: Snapshot, found: Found) -> pd.DataFrame:
    """What the duplicates of a table touch as of the snapshot's day: a row a thing.

    Columns: what, rows (how many), amount (reporting currency, a month's for recurring revenue; null where it is no
    money) and currency. A deal without amount counts as a row and adds nothing; a table that the source lacks has
    no row here.
    """
    rows = _LOOKED[found.table](snapshot, found)
    currency = snapshot.definitions.reporting_currency
    frame = pd.DataFrame(rows, columns=["what", "rows", "amount"])
    is_money = frame["amount"].notna()
    return frame.assign(currency=pd.Series(currency, index=frame.index, dtype=object).where(is_money, None))


_Row = tuple[str, int, float | None]


def _of_contacts(snapshot: Snapshot, found: Found) -> list[_Row]:
    members, copies = _members(found), _copies(found)
    rows: list[_Row] = []
    if snapshot.has("opportunity_contacts"):
        links = snapshot.table("opportunity_contacts").semi_join(members, "contact_id")
        rows.append(_open_deals(snapshot, links.select("opportunity_id").distinct()))
    return rows + _on_copies(snapshot, copies, "contact_id")


def _of_accounts(snapshot: Snapshot, found: Found) -> list[_Row]:
    members, copies = _members(found), _copies(found)
    deals = snapshot.table("opportunities").semi_join(members, "account_id").select("opportunity_id")
    rows = [_open_deals(snapshot, deals)]
    if snapshot.has("subscriptions"):
        rows.append(_revenue(snapshot, members))
        rows.append(("customers counted twice", _customers_twice(snapshot, found), None))
    return rows + _on_copies(snapshot, copies, "account_id")


def _of_repeated_leads(snapshot: Snapshot, found: Found) -> list[_Row]:
    return [
        ("leads of people who were a lead before", found.copies, None),
        *_on_copies(snapshot, _copies(found), "lead_id"),
    ]


def _of_leads(snapshot: Snapshot, found: Found) -> list[_Row]:
    """Leads who are in the CRM already, and those of them that nobody has linked to their contact."""
    leads = snapshot.table("leads").semi_join(_keys("lead_id", found.linked["left"]), "lead_id")
    unlinked = leads.filter(leads.contact_id.isnull())  # noqa: PD003 - a column of the engine
    links = snapshot.table("opportunity_contacts")
    known = links.semi_join(_keys("contact_id", found.linked["right"]), "contact_id")
    return [
        ("leads who are contacts already", _count(leads), None),
        ("of those, not linked to the contact", _count(unlinked), None),
        _open_deals(snapshot, known.select("opportunity_id").distinct()),
    ]


def _open_deals(snapshot: Snapshot, chosen: ibis.Table) -> _Row:
    deals = snapshot.deals.filter(snapshot.deals.status == "open").semi_join(chosen, "opportunity_id")
    found = _answer(deals.aggregate(rows=deals.count(), amount=deals.amount.sum()))
    return OPEN_DEALS, int(found["rows"]), float(found["amount"] or 0)


def _revenue(snapshot: Snapshot, members: ibis.Table) -> _Row:
    terms = _running(snapshot).semi_join(members, "account_id")
    priced = snapshot.in_reporting_currency(terms, ["mrr"])
    found = _answer(priced.aggregate(rows=priced.count(), amount=priced.mrr.sum()))
    return REVENUE, int(found["rows"]), float(found["amount"] or 0)


def _running(snapshot: Snapshot) -> ibis.Table:
    terms = snapshot.table("subscriptions")
    is_open: ir.Value = terms.ended_on.isnull()  # noqa: PD003 - a column of the engine
    return terms.filter((terms.started_on <= snapshot.as_of) & (is_open | (terms.ended_on >= snapshot.as_of)))


def _customers_twice(snapshot: Snapshot, found: Found) -> int:
    """How many accounts with a running subscription are the same company as another such account."""
    import ibis

    members = found.clusters[["record", "cluster"]]
    named = ibis.memtable(
        members.rename(columns={"record": "account_id"}), schema={"account_id": "string", "cluster": "string"}
    )
    paying = _running(snapshot).inner_join(named, "account_id").select("account_id", "cluster").distinct()
    counts = _answer(paying.aggregate(accounts=paying.account_id.nunique(), companies=paying.cluster.nunique()))
    return int(counts["accounts"] - counts["companies"])


def _on_copies(snapshot: Snapshot, copies: ibis.Table, column: str) -> list[_Row]:
    """Touches and activities that stand on records which a merge would retire."""
    words = {"touchpoints": "touches on copies", "activities": "activities on copies"}
    there = [name for name in words if snapshot.has(name) and column in snapshot.table(name).columns]
    return [(words[name], _count(snapshot.table(name).semi_join(copies, column)), None) for name in there]


def _members(found: Found) -> ibis.Table:
    return _keys(_key(found), found.clusters["record"])


def _copies(found: Found) -> ibis.Table:
    return _keys(_key(found), found.clusters.loc[~found.clusters["is_survivor"].astype(bool), "record"])


def _key(found: Found) -> str:
    return f"{found.table.rstrip('s')}_id"


def _keys(column: str, values: pd.Series) -> ibis.Table:
    import ibis

    return ibis.memtable({column: list(values.unique())}, schema={column: "string"})


def _count(table: ibis.Table) -> int:
    return int(_answer(table.aggregate(rows=table.count()))["rows"])


def _answer(table: ibis.Table) -> dict[str, Any]:
    row: dict[str, Any] = table.to_pyarrow().to_pylist()[0]
    return row


_LOOKED = {
    "contacts": _of_contacts,
    "accounts": _of_accounts,
    "leads": _of_repeated_leads,
    "leads-contacts": _of_leads,
}
