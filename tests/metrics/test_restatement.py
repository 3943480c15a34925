"""The same data in old words and in new ones."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from builders import make_definitions, make_snapshot
from metrics.test_bookings import DEALS
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.restatement import RESTATED, RestatementRequest, restate
from revops_analysis.tables.snapshot import Snapshot

OLD = make_definitions()
NEW = make_definitions(version="next", headline_types=["new"])


@pytest.fixture(scope="module")
def small() -> Snapshot:
    return make_snapshot({"opportunities": DEALS})


def _asked(*metrics: str, **more: Any) -> RestatementRequest:
    return RestatementRequest(metrics, **{"period": "2026-Q2...2026-Q3", **more})


def test_both_words_stand_side_by_side_for_every_period(small: Snapshot) -> None:
    frame = restate(small, OLD, NEW, _asked("bookings", "win_rate"))
    assert list(frame.columns) == [
        "metric", "period", "unit", "old", "new", "difference", "n_old", "n_new", "reason_old", "reason_new",
    ]  # fmt: skip
    bookings = frame[frame.metric == "bookings"].set_index("period")
    assert bookings[["old", "new", "difference"]].to_dict("index") == {
        "2026-Q2": {"old": 70, "new": 70, "difference": 0},
        "2026-Q3": {"old": 400, "new": 100, "difference": -300},
    }
    for words, column in ((OLD, "old"), (NEW, "new")):
        alone = compute_metric(small.under(words), "win_rate", "2026-Q2...2026-Q3").frame
        found = frame[frame.metric == "win_rate"]
        pd.testing.assert_series_equal(found[column], alone["value"], check_names=False, check_index=False)
        assert list(found[f"n_{column}"]) == list(alone["n"])


def test_a_cut_keeps_missing_values_and_says_which_words_lack_a_row(small: Snapshot) -> None:
    frame = restate(small, OLD, NEW, _asked("bookings", period="2026-Q3", by=("type", "segment")))
    expansion = frame[frame.type == "expansion"].iloc[0]
    assert (expansion.old, expansion.reason_new) == (300, "no such row")
    assert pd.isna(expansion.new)
    assert pd.isna(expansion.difference)
    lost = restate(small, OLD, NEW, _asked("deals_lost", period="2026-Q3", by=("segment",)))
    assert sorted(lost.segment.isna()) == [False, True]
    assert list(lost.difference) == [0, 0]


def test_the_same_words_change_nothing(small: Snapshot) -> None:
    frame = restate(small, OLD, OLD, _asked(*RESTATED))
    assert set(frame.metric) == set(RESTATED)
    assert (frame.difference.isna() | (frame.difference == 0)).all()
    assert (frame.old.isna() == frame.reason_old.notna()).all()


def test_an_unknown_metric_is_refused_with_near_names(small: Snapshot) -> None:
    with pytest.raises(ConfigurationError, match="win_rate"):
        restate(small, OLD, NEW, _asked("win_rat"))
