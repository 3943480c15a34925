"""The back-test: what each method saw, in which order rows come, and when a kept one is believed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from builders import make_definitions, make_snapshot
from models.evidence_cases import Learner, Share, make_evidence, quarters, random_deals
from revops_analysis.errors import ConfigurationError
from revops_analysis.models import kept_files
from revops_analysis.models.backtest import FRAME, SKIPPED, BacktestOptions, backtest
from revops_analysis.models.backtest_cache import BacktestRequest, cached_backtest
from revops_analysis.models.cutoffs import week_ends
from revops_analysis.models.forecaster import QUANTILE_NAMES
from revops_analysis.models.kept_files import model_folder, settings_of
from revops_analysis.models.rivals import rivals
from revops_analysis.project import Project

NINE = quarters(9)
ALONE = BacktestOptions(workers=1)


@pytest.fixture(scope="module")
def evidence():
    return make_evidence(random_deals(3, NINE), NINE, NINE[8].end)


def test_a_row_a_cutoff_and_method_with_what_was_booked_and_came_of_it(evidence):
    result = backtest(evidence, NINE[6:], [Share(), Share(3.0, "thrice")], ALONE)
    frame = result.frame
    facts = ["booked", "outcome", "wins", "new_stages"]
    assert list(frame) == ["cutoff", "period", "week", "method", "mean", *QUANTILE_NAMES, *facts]
    order = [(p.label, w, m) for p in NINE[6:] for w in (1, 4, 7, 10) for m in ("share", "thrice")]
    made = list(frame[["period", "week", "method"]].itertuples(index=False, name=None))
    assert made == [row for row in order if row in made]
    assert len(frame) + len(result.skipped) == len(order)
    facts = evidence.cutoffs.set_index(["cutoff", "period"])
    for row in frame.itertuples():
        fact = facts.loc[(row.cutoff, row.period)]
        assert (row.booked, row.outcome, row.new_stages) == (fact["booked"], fact["bookings"], 0.0)
        assert row.wins == (evidence.wins["last_day"] <= row.cutoff).sum() > 0
        assert row.mean == row.booked * (2 if row.method == "share" else 3)


def test_what_could_not_be_made_is_listed_with_its_reason(evidence):
    empty = make_evidence([], NINE, NINE[8].end)
    result = backtest(empty, NINE[7:], [Share(), Learner(fewest=99)], ALONE)
    assert result.frame.empty
    assert result.frame.dtypes.astype(str).to_dict() == FRAME
    assert result.skipped.dtypes.astype(str).to_dict() == SKIPPED
    assert result.skipped["reason"].iloc[0] == "It needs a booking, there is none."
    assert result.skipped["method"].tolist() == ["share", "learner"] * 8
    assert "99 past periods, there are 7" in result.skipped["reason"].iloc[1]


def test_cutoffs_that_the_evidence_lacks_are_skipped(evidence):
    early = evidence.known_at(week_ends(NINE[8], [4])[0].day)
    result = backtest(early, NINE[8:], [Share()], BacktestOptions((1, 4, 7), workers=1))
    assert result.frame["week"].max() <= 4
    assert result.frame["outcome"].isna().all()
    assert result.skipped["cutoff"].tolist() == [pd.Timestamp(week_ends(NINE[8], [7])[0].day)]
    assert "no such cutoff" in result.skipped["reason"].iloc[0]


def test_a_learner_is_fitted_once_a_period_on_what_was_known_at_its_first_cutoff(evidence):
    frame = backtest(evidence, NINE[4:6], [Learner()], ALONE).frame
    first = [week_ends(period, [1])[0].day.toordinal() for period in NINE[4:6]]
    assert frame["p2_5"].tolist() == [first[0]] * 4 + [first[1]] * 4
    outcomes = evidence.past.drop_duplicates("period")["bookings"].to_numpy()
    assert frame["mean"].iloc[0] == pytest.approx((outcomes[:4] / np.arange(1, 5)).sum())


def test_later_facts_do_not_reach_earlier_forecasts(evidence):
    cut = make_evidence(random_deals(3, NINE), NINE, NINE[5].end)
    methods = [*rivals(make_definitions()), Learner()]
    whole, part = (backtest(which, NINE[3:6], methods, ALONE) for which in (evidence, cut))
    pd.testing.assert_frame_equal(whole.frame, part.frame)
    pd.testing.assert_frame_equal(whole.skipped, part.skipped)


def test_any_number_of_workers_gives_the_same_digits_and_order(evidence):
    methods = [*rivals(make_definitions()), Learner()]
    seen = []
    alone = backtest(evidence, NINE[4:], methods, ALONE)
    two = backtest(evidence, NINE[4:], methods, BacktestOptions(workers=2), lambda *done: seen.append(done))
    pd.testing.assert_frame_equal(alone.frame, two.frame, check_exact=True)
    pd.testing.assert_frame_equal(alone.skipped, two.skipped)
    assert seen == [(n, 5) for n in range(1, 6)]


def test_no_periods_give_empty_frames(evidence):
    result = backtest(evidence, [], [Share()])
    assert result.frame.empty
    assert result.skipped.empty


def test_two_methods_of_one_name_are_refused(evidence):
    with pytest.raises(ConfigurationError, match="one name"):
        backtest(evidence, NINE[8:], [Share(), Share(3.0)], ALONE)


@pytest.fixture
def asked(tmp_path, evidence):
    """Ask for the back-test, and count how often it is made."""
    made = []

    def ask(snapshot=None, **changes):
        request = BacktestRequest(NINE[6:], (Share(), Learner()), ALONE)
        return cached_backtest(
            snapshot or make_snapshot({"opportunities": []}),
            Project(tmp_path),
            replace(request, **changes),
            evidence=lambda: made.append(1) or evidence,
        )

    ask.made, ask.folder = made, model_folder(Project(tmp_path), "test")
    return ask


def test_the_second_time_it_comes_from_a_file(asked):
    first, second = asked(), asked(options=BacktestOptions(workers=2))
    assert len(asked.made) == 1
    pd.testing.assert_frame_equal(first.frame, second.frame, check_exact=True)
    pd.testing.assert_frame_equal(first.skipped, second.skipped)
    assert not list(asked.folder.glob(".*"))


@pytest.mark.parametrize(
    "changes",
    [
        {"periods": NINE[5:]},
        {"forecasters": (Share(2.5), Learner())},
        {"forecasters": (Learner(), Share())},
        {"options": BacktestOptions((1, 4), workers=1)},
        {"options": BacktestOptions(workers=1, lead_days=30)},
        {"snapshot": make_snapshot({"opportunities": []}, as_of=date(2026, 9, 29))},
        {"snapshot": make_snapshot({"opportunities": []}, definitions=make_definitions(version="other"))},
    ],
)
def test_another_question_is_another_file(asked, changes):
    asked()
    asked(**changes)
    assert len(asked.made) == 2


def test_other_source_text_is_another_file(asked, monkeypatch):
    asked()
    monkeypatch.setattr(kept_files, "code_hash", lambda: "0")
    asked()
    assert len(asked.made) == 2


@pytest.mark.parametrize("damage", ["cut", "swap", "delete", "record", "nonsense"])
def test_a_damaged_file_is_made_again(asked, damage):
    first = asked()
    frame = next(asked.folder.glob("*-frame.parquet"))
    record = next(asked.folder.glob("*.json"))
    content = frame.read_bytes()
    if damage == "cut":
        frame.write_bytes(content[: len(content) // 2])
    elif damage == "swap":
        frame.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif damage == "delete":
        frame.unlink()
    elif damage == "record":
        known = json.loads(record.read_text())
        known["key"]["data_hash"] = "another"
        record.write_text(json.dumps(known))
    else:
        record.write_text("[]")
    again = asked()
    assert len(asked.made) == 2
    pd.testing.assert_frame_equal(first.frame, again.frame, check_exact=True)
    asked()
    assert len(asked.made) == 2


@dataclass(frozen=True)
class Odd(Share):
    """A forecaster that holds something of which nothing can be told."""

    thing: object = field(default_factory=object)


def test_a_forecaster_whose_settings_cannot_be_told_is_refused(asked):
    with pytest.raises(ConfigurationError, match="settings of a forecaster"):
        asked(forecasters=(Odd(),))
    assert settings_of(Share(2.5))["fields"] == {"factor": 2.5, "name": "share", "title": "Share"}


def test_without_evidence_it_is_gathered_and_nothing_to_do_is_refused(tmp_path):
    deal = {"opportunity_id": "o1", "stage": "Closed Won", "amount": 500, "created_at": "2025-01-05", "type": "new"}
    deal |= {"close_date": "2025-02-20", "closed_at": "2025-02-20", "currency": "USD", "owner_id": "u1"}
    snapshot = make_snapshot({"opportunities": [deal]}, as_of="2025-09-30")
    request = BacktestRequest(NINE[8:], (Share(),), BacktestOptions((7, 10), workers=1))
    result = cached_backtest(snapshot, Project(tmp_path), request)
    assert result.skipped["cutoff"].tolist() == [pd.Timestamp("2025-02-18")]  # nothing was booked yet
    assert result.frame[["week", "mean", "outcome"]].to_numpy().tolist() == [[10, 1000.0, 500.0]]
    later = replace(request, periods=quarters(1, 2026))
    with pytest.raises(ConfigurationError, match="nothing to back-test"):
        cached_backtest(snapshot, Project(tmp_path), later)
