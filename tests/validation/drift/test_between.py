"""What drifted between two loads: what went wrong is found, and a month of ordinary business is no drift."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import pytest

from revops_analysis.definitions import Definitions
from revops_analysis.project import Project
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.warehouse import WarehouseInfo, previous_warehouse
from revops_analysis.validation.drift import Drift, drift_between, drift_since_last_load
from validation.drift.loads import BEFORE, load_as_of, nth

LATER = ibis.literal("2026-09-01").cast("timestamp")
MakeDrift = Callable[..., Drift]


def alarms(drift: Drift) -> set[tuple[str, str]]:
    return set(zip(drift.alarms["table"], drift.alarms["kind"], strict=True))


def test_a_month_more_of_the_same_is_no_drift(against_august: MakeDrift) -> None:
    drift = against_august()
    assert alarms(drift) == set(), drift.alarms.to_string()
    assert drift.days == 30
    compared = drift.changes[drift.changes["verdict"] == "steady"]
    assert set(compared["kind"]) == {"rows", "past rows", "new rows", "missing", "words", "amounts"}
    deals = drift.of("opportunities", "new rows").iloc[0]
    assert deals["now"] > 0
    assert deals["rows_now"] > deals["rows_before"]


def test_a_broken_feed_is_found_in_its_latest_rows(against_august: MakeDrift) -> None:
    """A column that is empty only since the last load is hidden by four good years before it."""

    def lost(table: ibis.Table) -> ibis.Table:
        return table.mutate(channel=ibis.ifelse(table.occurred_at >= LATER, ibis.null("string"), table.channel))

    drift = against_august(touchpoints=lost)
    found = drift.alarms[drift.alarms["kind"] == "missing"]
    assert list(zip(found["table"], found["column"], found["scope"], strict=True)) == [
        ("touchpoints", "channel", "latest rows")
    ]
    assert found["what"].iloc[0].startswith("channel missing in ")


def test_another_list_of_words_is_found(against_august: MakeDrift) -> None:
    def renamed(table: ibis.Table) -> ibis.Table:
        return table.mutate(industry=ibis.ifelse(table.industry == "Retail", "Commerce", table.industry))

    drift = against_august(accounts=renamed)
    found = drift.alarms.iloc[0]
    assert (found["table"], found["kind"], found["column"]) == ("accounts", "words", "industry")
    assert "Retail is 1" in found["what"] or "Commerce is 0.0% of the words before" in found["what"]


def test_another_unit_is_found(against_august: MakeDrift) -> None:
    drift = against_august(subscriptions=lambda table: table.mutate(mrr=(table.mrr * 12).cast("decimal(18, 6)")))
    found = drift.alarms[drift.alarms["kind"] == "amounts"]
    assert set(found["column"]) == {"mrr"}
    whole = found[found["scope"] == "all rows"].iloc[0]
    assert whole["now"] == pytest.approx(12 * whole["before"], rel=0.05)


def test_vanished_history_is_found(against_august: MakeDrift) -> None:
    drift = against_august(touchpoints=lambda table: table.filter(~nth(table, "touchpoint_id", 10, 1)))
    assert ("touchpoints", "past rows") in alarms(drift)
    assert ("touchpoints", "rows") not in alarms(drift)


def test_a_feed_that_stopped_is_found(against_august: MakeDrift) -> None:
    drift = against_august(activities=lambda table: table.filter(table.occurred_at < LATER))
    assert alarms(drift) == {("activities", "new rows")}


def test_a_table_that_lost_most_rows_is_found(against_august: MakeDrift) -> None:
    drift = against_august(contacts=lambda table: table.filter(nth(table, "contact_id", 10, 4)))
    assert {("contacts", "rows"), ("contacts", "past rows")} <= alarms(drift)


def test_many_rows_alone_raise_no_alarm(against_august: MakeDrift) -> None:
    """Half a point of 30,000 rows is significant, and far below any limit."""

    def slightly(table: ibis.Table) -> ibis.Table:
        return table.mutate(channel=ibis.ifelse(nth(table, "touchpoint_id", 20, 1), "Other", table.channel))

    drift = against_august(touchpoints=slightly)
    own = drift.of("touchpoints", "words")
    whole = own[(own["column"] == "channel") & (own["scope"] == "all rows")].iloc[0]
    assert whole["change"] > whole["chance"]
    assert whole["verdict"] == "steady"


def test_few_rows_are_not_compared(against_august: MakeDrift) -> None:
    drift = against_august(subscriptions=lambda table: table.limit(50))
    own = drift.changes[(drift.changes["table"] == "subscriptions") & drift.changes["kind"].isin(["missing", "words"])]
    assert set(own["verdict"]) == {"not compared"}


def test_the_first_load_has_nothing_to_compare_with(
    company: Snapshot, project: Project, august: WarehouseInfo, definitions: Definitions, tmp_path
) -> None:
    alone = load_as_of(company.at(BEFORE), Project(tmp_path))
    assert drift_since_last_load(Project(tmp_path), alone, definitions) is None
    assert previous_warehouse(project, august) is None, "later loads are not the ones before it"


def test_a_load_against_itself_is_steady(august: WarehouseInfo, definitions: Definitions) -> None:
    drift = drift_between(august, august, definitions)
    assert (drift.changes["change"].drop(drift.changes[drift.changes["kind"] == "new rows"].index) == 0).all()
    assert drift.alarms.empty
