"""Net retention ahead: the published rate as it was, ranges that hold on a known process, and nothing of the future."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from models.lifetime.subscribers import annual_terms, company, subscribers, term
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.retention.ledger import month_end
from revops_analysis.models.lifetime.nrr_forecast import CHOSEN, LAST, MEAN, MODEL, nrr_forecast
from revops_analysis.models.lifetime.nrr_model import LINES, NrrKnown, NrrModelOptions, NrrOutlook, forecast_nrr
from revops_analysis.models.lifetime.nrr_states import BACK, NrrState, nrr_states


@pytest.fixture(scope="module")
def snapshot():
    return subscribers(annual_terms(400, 7, growth=1.1))


@pytest.fixture(scope="module")
def forecast(snapshot):
    return nrr_forecast(snapshot)


@pytest.mark.parametrize("counts", [True, False])
def test_each_state_is_the_rate_that_was_published(counts) -> None:
    rows = annual_terms(60, 4)
    rows += [term("gap", "2021-03-01", "2023-05-31", 900, subscription_id="g1")]
    rows += [term("gap", "2023-09-01", None, 900, subscription_id="g2")]
    snapshot = subscribers(rows)
    changed = type(snapshot)(
        snapshot._store, snapshot.definitions.model_copy(update={"nrr_counts_reactivated": counts}), snapshot.as_of
    )
    for state in nrr_states(changed)[-9:]:
        published = compute_metric(changed.at(state.day), "nrr", f"{state.day:%Y-%m}").frame["value"].iloc[0]
        assert state.nrr == pytest.approx(published, rel=1e-9)


def test_parts_lead_from_all_to_the_mean(forecast) -> None:
    sums = forecast.parts.groupby("horizon")["value"].sum()
    assert (1 + sums).to_numpy() == pytest.approx(forecast.frame["mean"].to_numpy())
    assert forecast.frame["month"].tolist() == ["2026-03", "2026-06", "2026-09", "2026-12"]
    quantiles = forecast.frame[["p2_5", "p10", "p25", "p50", "p75", "p90", "p97_5"]].to_numpy()
    assert (np.diff(quantiles, axis=1) > 0).all()


def test_the_known_process_is_recovered(forecast) -> None:
    """Half of the accounts lose 25% and half 8% a year, and who stays pays 10% more after the renewal."""
    later = nrr_states(subscribers(annual_terms(400, 7, growth=1.1), "2026-12-31"))
    outcomes = {state.label: state.nrr for state in later}
    for row in forecast.frame.to_dict("records"):
        assert row["p2_5"] < outcomes[row["month"]] < row["p97_5"]
    lost = forecast.parts.set_index(["horizon", "part"])["value"]
    assert lost[(12, "lost_at_renewal")] < lost[(3, "lost_at_renewal")] < 0
    assert lost[(12, "change_of_stayers")] == pytest.approx(0.08, abs=0.04)


def test_every_past_forecast_stands_beside_its_outcome(forecast) -> None:
    table = forecast.backtest
    assert set(table["method"]) == {MODEL, LAST, MEAN, CHOSEN}
    one = table[(table["horizon"] == 6) & (table["method"] == CHOSEN)]
    over = pd.to_datetime(one["period"]) + pd.offsets.MonthEnd(0)
    assert (over > one["cutoff"]).all()
    assert over.max() <= pd.Timestamp("2025-12-31")
    known = forecast.history.set_index("month")["nrr"]
    assert one["outcome"].to_numpy() == pytest.approx(known[one["period"]].to_numpy())
    assert (forecast.errors["n"] > 0).all()
    assert forecast.frame["label"].str.startswith("model-based range").all()


def test_a_past_forecast_is_what_would_have_been_said_then(snapshot, forecast) -> None:
    day = month_end(12 * 2025 + 2)
    then = nrr_forecast(snapshot.at(day))
    for horizon in (3, 9):
        table = forecast.backtest
        rows = table[(table["cutoff"] == pd.Timestamp(day)) & (table["horizon"] == horizon)].set_index("method")
        said = then.frame.set_index("horizon").loc[horizon]
        assert rows.loc[CHOSEN, ["mean", "p10", "p90"]].astype(float).to_numpy() == pytest.approx(
            said[["mean", "p10", "p90"]].astype(float).to_numpy(), abs=1e-9
        )


# Coverage on generated states, with a process that is known.


def generated(seed: int, accounts: int = 300, quarters: int = 13, shared: float = 0.0) -> list[NrrState]:
    """Accounts whose term ends once a year: 15% leave then; the others change by 0 to 10% in any quarter."""
    rng = np.random.default_rng(seed)
    paid = np.zeros((quarters, accounts))
    paid[0] = np.exp(rng.normal(5, 0.6, accounts))
    due = rng.integers(0, 4, accounts)
    for quarter in range(1, quarters):
        rate = np.clip(0.15 * np.exp(shared * rng.normal()), 0, 0.9)
        stays = ~((due == quarter % 4) & (rng.random(accounts) < rate))
        paid[quarter] = paid[quarter - 1] * stays * rng.uniform(0.98, 1.06, accounts)
    states = []
    for quarter in range(quarters):
        back = {f"m{b}": paid[quarter - b // 3] if quarter >= b // 3 else np.zeros(accounts) for b in BACK}
        frame = pd.DataFrame({"account_id": [f"a{n:04d}" for n in range(accounts)], "segment": None, **back})
        for b in BACK[1:]:
            frame[f"n{b}"] = b + 1
        states.append(NrrState(24_000 + 3 * quarter, dt.date(2000, 1, 1), 24_000, frame, True))
    return states


@pytest.mark.parametrize("horizon", [3, 12])
def test_ranges_cover_what_they_say_on_a_known_process(horizon) -> None:
    inside = {50: [], 80: [], 95: []}
    errors = []
    for seed in range(60):
        states = generated(seed, accounts=120)
        known = NrrKnown(states[: -(horizon // 3)], {})
        found = forecast_nrr(known, horizon, NrrModelOptions(shock=0.0))
        assert isinstance(found, NrrOutlook)
        outcome = states[-1].nrr
        errors.append(found.mean - outcome)
        for level, (low, high) in {50: ("p25", "p75"), 80: ("p10", "p90"), 95: ("p2_5", "p97_5")}.items():
            inside[level].append(found.quantiles[low] <= outcome <= found.quantiles[high])
    share = {level: float(np.mean(hits)) for level, hits in inside.items()}
    # 60 trials: two standard errors are 13, 10 and 6 points.
    assert share[50] == pytest.approx(0.5, abs=0.15)
    assert share[80] == pytest.approx(0.8, abs=0.12)
    assert share[95] > 0.88
    assert abs(np.mean(errors)) < 0.01


def test_chances_of_the_renewal_model_take_the_place_of_past_losses() -> None:
    states = generated(1)
    last = states[-1]
    sure = pd.DataFrame({"account_id": last.frame["account_id"], "mrr": last.frame["m0"], "months": 2})
    lots = {state.month: sure.assign(probability=0.15 / 4) for state in states[:-1]}
    safe = forecast_nrr(NrrKnown(states, {**lots, last.month: sure.assign(probability=1e-6)}), 3)
    lost = forecast_nrr(NrrKnown(states, {**lots, last.month: sure.assign(probability=1 - 1e-6)}), 3)
    assert isinstance(safe, NrrOutlook)
    assert isinstance(lost, NrrOutlook)
    assert safe.parts["lost_at_renewal"] > -0.02
    assert lost.parts["lost_at_renewal"] < -0.8 * (1 + lost.parts["change_so_far"])
    assert set(safe.parts) == set(LINES)


def test_a_common_shock_widens_the_range() -> None:
    narrow, wide = (forecast_nrr(NrrKnown(generated(2), {}), 12, NrrModelOptions(shock=s)) for s in (0.0, 0.05))
    assert isinstance(narrow, NrrOutlook)
    assert isinstance(wide, NrrOutlook)
    assert wide.mean == narrow.mean
    assert wide.quantiles["p90"] - wide.quantiles["p10"] > narrow.quantiles["p90"] - narrow.quantiles["p10"] + 0.05


def test_a_ledger_without_terms_is_forecast_from_its_changes() -> None:
    months = [f"{2020 + n // 12}-{n % 12 + 1:02d}-01" for n in range(48)]
    rows = [
        {"account_id": f"a{k:03d}", "product": "Core", "month": day, "mrr": 100}
        for k in range(60)
        for n, day in enumerate(months)
        if n < 12 + k or k > 40
    ]
    found = nrr_forecast(company([], "2023-12-31", tables={"revenue_ledger": rows}))
    assert found.reason is None
    assert (found.frame["mean"] < 1).all()
    assert (found.frame["mean"] > 0.5).all()


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ([], "no subscriptions"),
        ([term("a", "2023-01-01", None, 0)], "no recurring revenue"),
        ([term("a", "2023-11-01", None, 10)], "are needed"),
        ([term("a", "2022-12-01", None, 10)], "needs 2 past changes"),
    ],
    ids=["nothing", "free plan", "two months", "single customer"],
)
def test_without_enough_history_the_reason_is_said(terms, reason) -> None:
    found = nrr_forecast(company(terms, "2023-12-31"))
    said = [str(found.reason), *([] if found.frame.empty else found.frame["reason"].dropna())]
    assert any(reason in text for text in said)


def test_one_customer_with_enough_history_is_forecast_to_stay() -> None:
    found = nrr_forecast(company([term("a", "2018-06-01", None, 10)], "2023-12-31"))
    assert found.frame["mean"].to_numpy() == pytest.approx(1.0)
