"""Times and outcomes of deals: what counts as won, lost and open on a day, and which attributes may be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from builders import make_definitions, make_snapshot
from revops_analysis.errors import ConfigurationError
from revops_analysis.models.deal_times import DealTimes, deal_times


def deal(key: str, created: str, closed: str | None = None, stage: str = "Proposal", **more: Any) -> dict[str, Any]:
    row = {"opportunity_id": key, "type": "new", "segment": "SMB", "source": "Inbound", "stage": stage, "amount": 100}
    dates = {"created_at": created, "close_date": closed or "2026-12-31", "closed_at": closed}
    return {**row, **dates, **more}


def times(deals: list[dict[str, Any]], as_of: str = "2026-09-30", **asked: Any) -> DealTimes:
    return deal_times(make_snapshot({"opportunities": deals}, as_of=as_of), asked.pop("period", "2026-Q1"), **asked)


DEALS = [
    deal("won", "2026-01-01", "2026-01-31", "Closed Won"),
    deal("lost", "2026-01-01", "2026-03-02", "Closed Lost"),
    deal("open", "2026-01-01", source=None),
    deal("another period", "2025-11-01", "2026-01-31", "Closed Won"),
    deal("renewal", "2026-01-01", "2026-01-31", "Closed Won", type="renewal"),
]


def test_a_row_a_headline_deal_created_in_the_period() -> None:
    found = times(DEALS)
    assert list(found.frame.columns) == [
        *("opportunity_id", "type", "segment", "source", "created_on", "days", "event", "is_mature")
    ]
    rows = found.frame.set_index("opportunity_id")
    assert rows["event"].to_dict() == {"lost": "lost", "open": "open", "won": "won"}
    assert rows["days"].to_dict() == {"lost": 60, "open": 272, "won": 30}
    assert rows["days"].dtype == "int64"
    assert found.levels("source") == ["Inbound", None]
    assert (found.n, found.notes, found.horizon_days) == (3, (), 180)


def test_as_of_an_earlier_day_later_ends_are_not_seen() -> None:
    rows = times(DEALS, as_of="2026-02-15").frame.set_index("opportunity_id")
    assert rows["event"].to_dict() == {"lost": "open", "open": "open", "won": "won"}
    assert rows.loc["lost", "days"] == 45


def test_a_deal_won_before_it_was_created_took_no_time_and_that_is_said() -> None:
    backward = deal("backward", "2026-02-01", "2026-01-15", "Closed Won")
    found = times([*DEALS, backward])
    assert found.frame.set_index("opportunity_id").loc["backward", ["days", "event"]].tolist() == [0, "won"]
    assert found.notes == ("1 deal closed before it was created and counts as closed on the day of creation.",)
    twice = times([backward, {**backward, "opportunity_id": "again"}])
    assert twice.notes[0].startswith("2 deals closed before they were created and count as closed")


def test_deals_without_a_day_of_creation_are_counted() -> None:
    found = times([*DEALS, {**DEALS[0], "opportunity_id": "undated", "created_at": None}])
    assert (found.n, found.notes) == (3, ("1 deal has no day of creation and is left out.",))


def test_levels_come_in_the_order_of_the_definitions() -> None:
    deals = [deal(name, "2026-01-01", segment=name) for name in ("Enterprise", "Aardvark", "SMB")]
    assert times(deals).levels("segment") == ["SMB", "Enterprise", "Aardvark"]
    with pytest.raises(ConfigurationError, match="attribute"):
        times(deals).levels("product")


def test_no_deals_give_no_rows() -> None:
    found = times(DEALS, period="2024-Q1")
    assert (found.n, found.levels("segment")) == (0, [])


def test_a_filter_on_attributes() -> None:
    assert set(times(DEALS, where="source = Inbound").frame["opportunity_id"]) == {"won", "lost"}


@pytest.mark.parametrize("name", ["stage", "owner_id", "amount", "loss_reason", "team", "is_overdue"])
def test_what_changes_after_the_creation_is_no_attribute(name: str) -> None:
    """Today's stage or owner would tell how the deal ended."""
    with pytest.raises(ConfigurationError, match="attribute known when a deal is created"):
        times(DEALS, attributes=(name,))
    with pytest.raises(ConfigurationError, match="attribute known when a deal is created"):
        times(DEALS, where=f"{name} = x")


def test_a_column_of_which_only_today_is_known_needs_permission() -> None:
    strict = make_definitions(allowed_current_columns=[])
    snapshot = make_snapshot({"opportunities": DEALS}, definitions=strict)
    with pytest.raises(ConfigurationError, match=r"Only today's value of opportunities\.segment is known"):
        deal_times(snapshot, "2026-Q1", ("segment",))
    assert deal_times(snapshot, "2026-Q1", ("type",)).n == 3
    allowed = make_snapshot({"opportunities": DEALS})
    deal_times(allowed, "2026-Q1", ("segment",))
    assert allowed.used_current_columns == ("opportunities.segment",)
