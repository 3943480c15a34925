"""Rows of a small company for tests of attribution."""

from __future__ import annotations

from typing import Any

from builders import make_definitions, make_snapshot
from revops_analysis.attribution.credit import KEYS, by_rules
from revops_analysis.attribution.journeys import named

ACCOUNT = {"account_id": "a1", "name": "Acme", "created_at": "2026-01-01"}


def deal(number: int | str = 1, **changes: Any) -> dict[str, Any]:
    """A deal won on 30 June that was created on 1 May, of account a1, worth 1,000.00."""
    row = {
        "opportunity_id": f"o{number}",
        "account_id": "a1",
        "type": "new",
        "segment": "SMB",
        "source": "Outbound",
        "stage": "Closed Won",
        "amount": 1000,
        "created_at": "2026-05-01",
        "close_date": "2026-06-30",
        "closed_at": "2026-06-30",
    }
    return {**row, **changes}


def touch(key: str, day: str | None, channel: str | None = "Email", **changes: Any) -> dict[str, Any]:
    """An answered touch of account a1 by a person of its own, without campaign."""
    row = {"touchpoint_id": key, "account_id": "a1", "contact_id": f"c-{key}", "occurred_at": day, "channel": channel}
    return {**row, "responded_at": day, **changes}


def snapshot_of(deals: list[dict], touches: list[dict], *, as_of: str = "2026-09-30", words: Any = None, **more: Any):
    """A snapshot of deals and touches; other tables by name."""
    tables = {"opportunities": deals, "touchpoints": touches, "accounts": [ACCOUNT], **more}
    return make_snapshot(tables, as_of=as_of, definitions=words)


def words_with(**attribution: Any):
    """The project's definitions with some keys of `attribution` replaced."""
    base = make_definitions().model_dump(mode="json")["attribution"]
    return make_definitions(attribution={**base, **attribution})


def all_rules(made: Any):
    """Shares and cents under all rules, a row a touch and deal in order; missing outside a rule's window."""
    influence = named(by_rules(made, "influence"), made.names).to_pandas()
    sourced = by_rules(made, "sourced").to_pandas()
    merged = influence.merge(sourced, on=list(KEYS), how="left")
    assert len(merged) == len(influence)
    return merged.sort_values(["deal_number", "touchpoint_id"]).reset_index(drop=True)
