"""The achievable floor: its beliefs are those of enumerating every hidden life, and its chances keep their word."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import pandas as pd
import pytest
from benchmarks.floor.belief import EVIDENCE, category_likelihood, filter_beliefs
from benchmarks.floor.chance import lost_deals, open_deals, win_chance
from benchmarks.floor.created import expect
from benchmarks.floor.errors import accuracy, brier, errors_of, reliability
from benchmarks.floor.forecast import Floor, make_floor
from benchmarks.floor.money import unpriced
from benchmarks.floor.process import look_ahead, win_values
from benchmarks.floor.seen import MOST_PEOPLE, Marks, Seen, contact_likelihood
from scipy.stats import poisson

from revops_analysis.errors import ConfigurationError
from revops_analysis.simulation import SimulationOptions
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.activities import ALIVE_WEEK, DEAD_WEEK
from revops_analysis.simulation.columns import identifiers
from revops_analysis.simulation.company import block_tables
from revops_analysis.simulation.copies import FIRST_COPY
from revops_analysis.simulation.dynamics import Deals, hazards
from revops_analysis.simulation.truth import bookings_truth, outcomes
from revops_analysis.simulation.words import EXPANSION, NEW

SUNDAY, WEDNESDAY = date(2025, 8, 17), date(2025, 8, 20)
Q3 = date(2025, 7, 1), date(2025, 9, 30)
NONE = Marks(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


@cache
def floor_of(seed: int = 0, scenario: str = "null", evidence: tuple[str, ...] = EVIDENCE) -> Floor:
    return make_floor(SimulationOptions(seed=seed, scale=0.2, scenario=scenario), evidence)


def lone_deal(stages: list[int], activities: list[int], last_monday: date) -> Seen:
    """A new Mid-Market deal created on the Monday of its first week; the last stage is that of the week given."""
    whole = floor_of().seen
    row = np.flatnonzero((whole.kind == NEW) & (whole.segment == 1))[:1]
    born = tl.week_of(np.array([tl.number(last_monday)])) - len(stages) + 1
    wide = {name: getattr(whole, name)[row, : len(stages)] for name in ("close", "category", "optimism")}
    weekly = np.zeros((3, 1, len(stages)))
    weekly[0, 0] = activities
    monday = tl.monday(born)
    path = np.array([stages], dtype=np.int8)
    changed = np.diff(path, axis=1, prepend=-1) != 0
    days = (monday[:, None] + 7 * np.arange(len(stages))).astype(np.int32)
    return replace(
        whole, **{name: getattr(whole, name)[row] for name in ("deal", "kind", "segment", "seat", "people")}, **wide,
        born=born, created=monday, created_at=monday * tl.DAY_US, stage=path, event_day=days, changed=changed,
        signs=(NONE, NONE, NONE), weekly=weekly, prior=np.array([[0.2, 0.5, 0.3]]), contacts=NONE,
    )  # fmt: skip


def chances_of(seen: Seen, floor: Floor, quality: int, week: int, stage: int) -> tuple[float, float]:
    """Chances to advance and to die by the simulation's own function."""
    deals = Deals(seen.kind, seen.segment, seen.seat, seen.created, seen.kind, np.array([quality]), np.array([tl.FAR]))
    advance, die = hazards(deals, floor.block.rates, (np.array([0]), np.array([week]), np.array([stage])))
    return float(advance[0]), float(die[0])


def enumerated(seen: Seen, floor: Floor) -> np.ndarray:
    """[life × quality]: the belief at the end of the path, adding up every week in which the deal may have died."""
    path, calls, born = seen.stage[0].astype(int), seen.weekly[0, 0], int(seen.born[0])
    result = np.zeros((2, 3))
    for quality in range(3):
        for died in range(1, len(path) + 1):
            weight = seen.prior[0, quality]
            for age in range(len(path)):
                week, alive = born + age, age < died
                mean = ALIVE_WEEK[path[age]] if alive else DEAD_WEEK
                weight *= poisson.pmf(calls[age], mean)
                if age == 0:
                    continue
                advance, die = chances_of(seen, floor, quality, week, path[age - 1])
                step = path[age] - path[age - 1]
                skip = floor.block.parameters.skip_share
                if alive:
                    weight *= 1 - advance - die if step == 0 else advance * (skip if step == 2 else 1 - skip)
                elif age == died:
                    weight *= die * (1 - floor.block.parameters.told_share) * (step == 0)
                else:
                    weight *= (1 - floor.block.rates.log[seen.seat[0], week]) * (step == 0)
            result[int(died < len(path)), quality] += weight
    return result / result.sum()


@pytest.mark.parametrize(
    ("stages", "activities"),
    [([0, 0, 1, 1, 1, 1], [1, 0, 2, 0, 1, 0]), ([0, 2, 2, 2], [3, 1, 0, 0]), ([1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 2])],
)
def test_belief_is_that_of_enumerating_every_hidden_life(stages: list[int], activities: list[int]) -> None:
    floor = floor_of()
    seen = lone_deal(stages, activities, SUNDAY - timedelta(6))
    found = filter_beliefs(seen, floor.known, ("activities", "channels"))
    assert found.after[0, -1] == pytest.approx(enumerated(seen, floor), abs=1e-6)
    assert 0.01 < found.after[0, -1, 1].sum() < 0.99


def test_chance_of_a_lone_deal_is_that_of_enumerating_its_next_weeks() -> None:
    floor = floor_of()
    seen = lone_deal([0, 1, 3, 3], [1, 1, 0, 0], SUNDAY - timedelta(6))
    beliefs = filter_beliefs(seen, floor.known, ("activities", "channels"))
    first = int(tl.week_of(np.array(tl.number(SUNDAY))))
    last = SUNDAY + timedelta(21)
    span = tl.number(SUNDAY), tl.number(last)
    values = win_values(floor.known, look_ahead(floor.known, first, first + 3), 0, span)
    now = open_deals(seen, beliefs, span[0], ("activities", "channels"))
    expected = 0.0
    for quality in range(3):
        steps = {(w, s): chances_of(seen, floor, quality, first + w, s) for w in (1, 2, 3) for s in (3, 4)}
        for moves in (1, 2):
            for wins in range(moves + 1, 4):
                way = enumerated(seen, floor)[0, quality]
                for w in range(1, wins + 1):
                    advance, die = steps[w, 3 if w <= moves else 4]
                    way *= advance if w in (moves, wins) else 1 - advance - die
                expected += way
    assert win_chance(now, seen, floor.known, values[0], span)[0] == pytest.approx(expected, abs=1e-6)


def test_sundays_chance_is_the_mean_of_what_wednesday_may_show() -> None:
    """No change by Wednesday, an advance, or a loss: weighed by how likely each is, the chances are Sunday's."""
    floor, kinds = floor_of(), ("channels",)
    seen = lone_deal([1, 3, 3, 3], [0, 0, 0, 0], WEDNESDAY - timedelta(2))
    seen = replace(seen, close=np.full(seen.close.shape, tl.FAR))
    beliefs = filter_beliefs(seen, floor.known, kinds)
    span = tl.number(Q3[0]), tl.number(Q3[1])
    found, values = [], []
    for day in (SUNDAY, WEDNESDAY):
        first, end = tl.week_of(np.array([tl.number(day), span[1]]))
        values.append(win_values(floor.known, look_ahead(floor.known, first, end), 0, span)[0])
        now = open_deals(seen, beliefs, tl.number(day), kinds)
        found.append(float(win_chance(now, seen, floor.known, values[-1], span)[0]))
    belief, week, by_wednesday = beliefs.after[0, -2], int(seen.born[0]) + 3, 3 / 5
    advance, die = np.array([chances_of(seen, floor, quality, week, 3) for quality in range(3)]).T
    parameters, log = floor.block.parameters, floor.block.rates.log[seen.seat[0], week]
    advances = belief[0] * advance * by_wednesday
    lost = (belief[1] * log + belief[0] * die * parameters.told_share) * by_wednesday
    advanced = (advances * values[1][NEW, 1, seen.seat[0], 4]).sum()
    assert found[0] == pytest.approx((1 - advances.sum() - lost.sum()) * found[1] + advanced, abs=1e-7)


def test_a_quiet_middle_of_the_week_lies_between_its_monday_and_its_end() -> None:
    """Without a change by Wednesday the chance has fallen a little; by Friday the week is over."""
    floor = floor_of()
    seen = lone_deal([3, 3, 4, 4, 4], [2, 1, 1, 1, 0], WEDNESDAY - timedelta(2))
    seen = replace(seen, close=np.full(seen.close.shape, tl.FAR))
    kinds = ("channels",)
    beliefs = filter_beliefs(seen, floor.known, kinds)
    chances = []
    for day in (WEDNESDAY - timedelta(3), WEDNESDAY - timedelta(2), WEDNESDAY, WEDNESDAY + timedelta(2)):
        span = tl.number(day), tl.number(Q3[1])
        first, end = tl.week_of(np.array(span))
        values = win_values(floor.known, look_ahead(floor.known, first, end), 0, span)
        now = open_deals(seen, beliefs, span[0], kinds)
        chances.append(float(win_chance(now, seen, floor.known, values[0], span)[0]))
    assert chances == sorted(chances, reverse=True)
    assert chances[0] - chances[-1] > 0.01


def test_every_category_and_every_number_of_contacts_is_accounted_for() -> None:
    seen = floor_of(scenario="default").seen
    rows = np.flatnonzero((seen.stage[:, 3] >= 0) & (seen.stage[:, 3] < 5))[:200]
    points = np.linspace(-3, 3, 7)
    likely = [
        category_likelihood(replace(seen, category=_replaced(seen.category, rows, code)), rows, 3, points)
        for code in range(5)
    ]
    assert sum(likely) == pytest.approx(1.0, abs=1e-5)
    day = int(seen.created.max())
    total = np.zeros((len(rows), 3))
    for number in range(MOST_PEOPLE + 1):
        entered = np.repeat(rows, number)
        crowd = replace(seen, contacts=Marks(entered, seen.created_at[entered]))
        total += contact_likelihood(crowd, rows, day)
    assert total == pytest.approx(1.0)


def _replaced(values: np.ndarray, rows: np.ndarray, code: int) -> np.ndarray:
    result = values.copy()
    result[rows, 3] = code
    return result


def test_what_is_seen_is_what_the_tables_show() -> None:
    options = SimulationOptions(seed=2, scale=0.2, dirt=0.0)
    floor = make_floor(options)
    tables, _ = block_tables(floor.block, options)
    keys = pd.Series(identifiers("OPP", floor.block.ledger.number[floor.seen.deal]).to_pandas())
    frame = tables["activities"].to_pandas()["opportunity_id"].value_counts()
    assert (np.bincount(floor.seen.signs[0].row, minlength=len(keys)) == keys.map(frame).fillna(0)).all()
    touches = tables["touchpoints"].to_pandas().dropna(subset=["opportunity_id"])
    touches["day"] = (touches["occurred_at"].dt.tz_localize(None) - pd.Timedelta(hours=5)).dt.floor("D")
    mine = {
        pair
        for marks in floor.seen.signs[1:]
        for pair in zip(keys[marks.row], pd.to_datetime(marks.at, unit="D"), strict=True)
    }
    assert len(touches) > 200
    assert set(zip(touches["opportunity_id"], touches["day"], strict=True)) <= mine


def test_amounts_are_missing_where_the_tables_have_none() -> None:
    floor = floor_of(scenario="default")
    tables, _ = block_tables(floor.block, floor.options)
    shown = tables["opportunities"].to_pandas().set_index("opportunity_id")
    early = shown[shown["stage"].isin(["Discovery", "Qualification"]) & (shown["type"] != "renewal")]
    early = early[early.index.str[4:].astype(int) < FIRST_COPY]
    keys = identifiers("OPP", floor.block.ledger.number).to_pandas()
    missing = pd.Series(unpriced(floor.block, 1.0), keys).loc[early.index]
    assert missing.sum() > 2
    assert (early["amount"].isna() == missing).all()


def scored(evidence: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    made = [errors_of(floor_of(seed, "default", evidence), 6) for seed in range(4)]
    return tuple(pd.concat(parts, ignore_index=True) for parts in zip(*made, strict=True))


def test_chances_keep_their_word_and_more_evidence_is_better() -> None:
    errors, chances = scored(EVIDENCE)
    for name in ("win_probability", "informed_probability"):
        p = chances[name]
        gap = p.sum() - chances["won"].sum()
        repeated = 4  # the same deal is seen at up to four cutoffs
        assert abs(gap) < 3.5 * np.sqrt(repeated * (p * (1 - p)).sum())
        assert reliability(chances, name)["z"].abs().max() < 4.5
    _, bare = scored(())
    assert brier(chances, "informed_probability") < brier(chances) - 0.003 < brier(bare) - 0.006
    assert abs(accuracy(errors).loc["all", "floor_bias"]) < 0.09
    assert 0.68 < accuracy(errors).loc["all", "cover_80"] < 0.90


def test_as_many_deals_are_created_as_expected() -> None:
    day, last = tl.number(date(2026, 4, 7)), tl.number(date(2026, 6, 28))
    first = int(tl.week_of(np.array(day)))
    expected, came = np.zeros(2), np.zeros(2)
    for seed in range(6):
        floor = floor_of(seed, "default")
        ahead = look_ahead(floor.known, first, int(tl.week_of(np.array(last))))
        expected += expect(floor.block, ahead, day, 1.08).quality.sum(axis=(1, 2, 3, 4))
        deals = floor.block.book.deals
        inside = (deals.created > day) & (deals.created <= last)
        came += [np.count_nonzero(inside & (deals.kind == kind)) for kind in (NEW, EXPANSION)]
    assert (np.abs(came - expected) < 3.5 * np.sqrt(expected)).all()


def test_a_deal_just_lost_returns_with_the_known_share() -> None:
    seen = lone_deal([1, 1, 6], [0, 0, 0], SUNDAY - timedelta(6))
    beliefs = filter_beliefs(seen, floor_of().known, ())
    lost = lost_deals(seen, beliefs, tl.number(SUNDAY), 0.15, 30)
    assert lost.returns.sum() == pytest.approx(0.15)
    assert not lost.returns[0, :4].any()
    assert lost.quality.sum() == pytest.approx(1.0)


def test_actual_bookings_are_those_of_the_truth() -> None:
    floor = floor_of(scenario="default")
    block = floor.block
    truth = pd.DataFrame(bookings_truth(block.book, outcomes(block.book, block.prices, block.market), 0))
    right = truth[(truth["quarter"] == "2025-Q3") & (truth["type"] != "renewal")]["bookings_usd"].sum()
    assert floor.actual(*Q3) == pytest.approx(right)


def test_the_parts_add_up_and_the_same_seed_gives_the_same_digits() -> None:
    floor = floor_of(scenario="default")
    said = floor.forecast(WEDNESDAY, *Q3)
    whole = said.booked_to_date + said.open_mean + said.created_mean + said.reopened_mean
    assert said.mean == pytest.approx(whole)
    assert said.open_mean == pytest.approx((said.deals["win_probability"] * said.deals["expected_price"]).sum())
    levels = list(said.quantiles.values())
    assert levels == sorted(levels)
    assert floor.forecast(WEDNESDAY, *Q3).quantiles == said.quantiles
    assert floor.forecast(WEDNESDAY, *Q3, seed=1).quantiles != said.quantiles


def test_nothing_is_left_to_forecast_when_the_period_is_over() -> None:
    floor = floor_of(scenario="default")
    for cutoff in (Q3[1], date(2025, 11, 5)):
        said = floor.forecast(cutoff, *Q3)
        assert said.mean == pytest.approx(floor.actual(*Q3))
        assert said.quantiles[0.025] == pytest.approx(said.quantiles[0.975])


def test_a_period_not_yet_begun_leaves_out_what_is_won_before_it() -> None:
    floor = floor_of(scenario="default")
    both = floor.forecast(SUNDAY, Q3[0], date(2025, 12, 31))
    parts = [floor.forecast(SUNDAY, *span) for span in (Q3, (date(2025, 10, 1), date(2025, 12, 31)))]
    assert both.mean == pytest.approx(sum(part.mean for part in parts), rel=1e-3)  # each expects another euro
    assert parts[1].booked_to_date == 0


def test_wrong_days_and_sizes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="history of the sample company"):
        floor_of().forecast(date(2026, 10, 1), date(2026, 10, 1), date(2026, 12, 31))
    with pytest.raises(ConfigurationError, match="2 blocks"):
        make_floor(SimulationOptions(scale=1.5))


def test_accuracy_of_a_hand_made_table() -> None:
    levels = {"floor_q2.5": 0, "floor_q10": 50, "floor_q25": 80, "floor_q50": 90, "floor_q75": 105, "floor_q90": 130}
    rows = [{"week": 2, "actual": 100.0, "floor_mean": 90.0, "informed_mean": 100.0, **levels, "floor_q97.5": 200}] * 2
    rows[1] = rows[1] | {"actual": 140.0, "week": 5}
    table = accuracy(pd.DataFrame(rows))
    assert table.loc["all", "floor_wape"] == pytest.approx(60 / 240)
    assert table.loc["all", "floor_bias"] == pytest.approx(-60 / 240)
    assert table.loc[5, "informed_bias"] == pytest.approx(-40 / 140)
    assert table.loc["all", ["cover_50", "cover_80", "cover_95"]].tolist() == [0.5, 0.5, 1.0]
    assert table.loc[2, "width_80"] == pytest.approx(0.8)
