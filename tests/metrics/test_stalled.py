"""Stalled deals: the threshold is the quantile of won deals' stays, by stage and segment where there are enough."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from builders import make_definitions, make_snapshot
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.stalled import stalled_thresholds, with_stall

START = dt.date(2026, 1, 1)


def company(stays, open_days, segment="SMB"):
    """Deals won after each of `stays` days in Discovery, and open ones in it for `open_days` at 2026-09-30."""
    deals, history = [], []

    def add(key, path):
        last = path[-1][0].isoformat()
        common = {"opportunity_id": key, "amount": 100, "close_date": "2026-12-31"}
        deals.append(
            {**common, "type": "new", "segment": segment, "stage": path[-1][1], "created_at": path[0][0].isoformat()}
            | ({"close_date": last} if path[-1][1] == "Closed Won" else {})
        )
        history.extend(
            {**common, "changed_at": day.isoformat(), "change_number": 1, "stage": stage} for day, stage in path
        )

    for number, days in enumerate(stays):
        add(f"{segment} won {number}", [(START, "Discovery"), (START + dt.timedelta(days=int(days)), "Closed Won")])
    for number, days in enumerate(open_days):
        add(f"{segment} open {number}", [(dt.date(2026, 9, 30) - dt.timedelta(days=int(days)), "Discovery")])
    return deals, history


def snapshot(*companies, **changes):
    deals = [row for deals, _ in companies for row in deals]
    history = [row for _, history in companies for row in history]
    tables = {"opportunities": deals, "opportunity_history": history}
    return make_snapshot(tables, definitions=make_definitions(**changes))


def test_threshold_is_the_quantile_of_won_stays():
    stays = np.arange(1, 41)
    result = stalled_thresholds(snapshot(company(stays, [])))
    row = result.frame.query("stage == 'Discovery' and segment == 'SMB'").iloc[0]
    assert row["threshold_days"] == pytest.approx(np.quantile(stays, 0.9))
    assert (row["stays"], row["basis"], result.quantile) == (40, "stage and segment", 0.9)
    # Stages won deals were never in have no threshold, rather than 0.
    later = result.frame.query("stage == 'Proposal'")
    assert later["threshold_days"].isna().all()
    assert later["basis"].isna().all()


def test_a_segment_with_few_stays_takes_the_stages_threshold():
    data = snapshot(company([10] * 30, []), company([50] * 5, [], segment="Enterprise"))
    frame = stalled_thresholds(data).frame.set_index(["stage", "segment"])
    assert frame.loc[("Discovery", "Enterprise"), "basis"] == "stage"
    assert frame.loc[("Discovery", "Enterprise"), "stays"] == 35
    assert frame.loc[("Discovery", "SMB"), "threshold_days"] == 10
    few = stalled_thresholds(snapshot(company([10] * 19, []))).frame
    assert few["threshold_days"].isna().all()


def test_segments_whose_past_is_not_known_are_not_told_apart():
    data = snapshot(company([10] * 30, []), allowed_current_columns=[])
    frame = stalled_thresholds(data).frame
    assert frame["segment"].isna().all()
    assert frame["threshold_days"].dropna().tolist() == [10]


def test_metrics_count_only_deals_beyond_the_threshold():
    data = snapshot(company([10] * 30, [3, 10, 11, 40]))
    frame = with_stall(data).select("days_in_stage", "threshold_days", "is_stalled").to_pandas()
    assert sorted(frame.loc[frame["is_stalled"].astype(bool), "days_in_stage"]) == [11, 40]
    assert compute_metric(data, "stalled_pipeline").frame["value"].tolist() == [200.0]
    assert compute_metric(data, "stalled_deals", by="segment").frame["value"].tolist() == [2.0]


def test_without_enough_won_deals_nothing_is_called_stalled_or_fine():
    data = snapshot(company([10] * 3, [400]))
    frame = with_stall(data).select("is_stalled").to_pandas()
    assert frame["is_stalled"].isna().all()
