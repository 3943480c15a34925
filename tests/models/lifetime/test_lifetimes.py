"""Who entered when, how long it was watched, and whether it left."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.lifetime.subscribers import company, term
from revops_analysis.errors import ConfigurationError
from revops_analysis.models.lifetime.curves import ALL_ACCOUNTS, CurveOptions, lifetime_curves
from revops_analysis.models.lifetime.lifetimes import LifetimeOptions, account_lifetimes

OLD = term("old", "2023-01-01", None, 100)


def test_ages_count_from_the_first_month_with_revenue() -> None:
    rows = [OLD, term("left", "2023-03-10", "2023-08-31", 50), term("stays", "2023-05-20", None, 10)]
    lifetimes = account_lifetimes(company(rows, "2023-12-31"))
    found = lifetimes.frame.set_index("account_id")
    assert found.loc["left", ["entered", "months", "churned", "left"]].tolist() == ["2023-03", 6, True, "2023-09"]
    assert found.loc["stays", ["entered", "months", "churned", "left"]].tolist() == ["2023-05", 7, False, None]
    assert (lifetimes.unknown_start, list(found.index)) == (1, ["left", "stays"])
    assert "1 account paid in 2023-01, the first month of the data" in lifetimes.notes[-1]


def test_a_return_is_no_part_of_the_lifetime_unless_gaps_are_allowed() -> None:
    rows = [OLD, term("a", "2023-02-01", "2023-04-30", 5), term("a", "2023-07-01", None, 5)]
    snapshot = company(rows, "2023-12-31")
    first = account_lifetimes(snapshot).frame.iloc[0]
    assert (first["months"], first["churned"], first["returned"]) == (3, True, True)
    bridged = account_lifetimes(snapshot, LifetimeOptions(gap_months=2)).frame.iloc[0]
    assert (bridged["months"], bridged["churned"], bridged["returned"]) == (10, False, False)


def test_who_is_away_for_less_than_the_gap_is_not_yet_known_to_have_left() -> None:
    rows = [OLD, term("a", "2023-02-01", "2023-11-30", 5)]
    away = account_lifetimes(company(rows, "2023-12-31"), LifetimeOptions(gap_months=2)).frame.iloc[0]
    assert (away["months"], away["churned"]) == (9, False)
    gone = account_lifetimes(company(rows, "2024-02-29"), LifetimeOptions(gap_months=2)).frame.iloc[0]
    assert (gone["months"], gone["churned"]) == (10, True)


def test_customers_from_before_complete_revenue_enter_late() -> None:
    """Known since 2022, watched from 2023 on: they count in the risk set from their age then, and not before."""
    rows = [term("oldest", "2021-12-01", None, 1)]
    rows += [term(f"late{n}", "2022-04-01", "2023-06-30" if n < 2 else None, 1) for n in range(4)]
    rows += [term(f"new{n}", "2023-02-01", "2023-04-30" if n < 1 else None, 1) for n in range(4)]
    rows.append(term("gone", "2022-02-01", "2022-10-31", 1))
    snapshot = company(rows, "2023-12-31", recurring_revenue_from="2023-01-01")
    lifetimes = account_lifetimes(snapshot)
    assert (lifetimes.unknown_start, lifetimes.unseen, len(lifetimes.frame)) == (1, 1, 8)
    late = lifetimes.frame[lifetimes.frame["account_id"].str.startswith("late")]
    assert late["entry_age"].tolist() == [9] * 4
    curves = lifetime_curves(lifetimes, None, CurveOptions(minimum_at_risk=1))
    rows = curves.curves.set_index("months")
    assert rows.loc[3, ["at_risk", "churned"]].tolist() == [4, 1]  # the new ones only
    assert rows.loc[15, ["at_risk", "churned", "share"]].tolist() == [4, 2, pytest.approx(0.75 * 0.5)]


def test_delayed_entry_agrees_with_lifelines() -> None:
    from lifelines import KaplanMeierFitter

    rng = np.random.default_rng(4)
    n = 400
    entry = np.where(rng.random(n) < 0.5, 0, rng.integers(1, 20, n))
    months = entry + rng.integers(1, 30, n)
    frame = pd.DataFrame({"months": months, "churned": rng.random(n) < 0.6, "entry_age": entry})
    lifetimes = account_lifetimes(company([OLD], "2023-12-31"))
    filled = type(lifetimes)(frame, ("segment",), "", "", 0, 0, {}, ())
    curves = lifetime_curves(filled, None)
    theirs = KaplanMeierFitter().fit(months, frame["churned"], entry=entry).survival_function_at_times([5, 12, 30])
    mine = curves.curves.set_index("months")["share"].reindex([5, 12, 30], method="ffill")
    assert mine.to_numpy() == pytest.approx(theirs.to_numpy(), abs=1e-10)


def test_the_horizon_is_as_far_as_enough_are_watched() -> None:
    rows = [OLD, *(term(f"a{n:02d}", "2023-02-01", None, 1) for n in range(15))]
    rows += [term(f"b{n:02d}", "2024-02-01", None, 1) for n in range(10)]
    lifetimes = account_lifetimes(company(rows, "2025-12-31"))
    assert lifetime_curves(lifetimes, None, CurveOptions(minimum_at_risk=20)).horizon_months == 12
    assert lifetime_curves(lifetimes, None, CurveOptions(minimum_at_risk=15)).horizon_months == 24
    none = lifetime_curves(lifetimes, None, CurveOptions(minimum_at_risk=30))
    assert (none.horizon_months, none.summary["reason"].iloc[0]) == (
        0,
        "fewer than 30 accounts were watched for a month",
    )
    with pytest.raises(ConfigurationError, match="horizon"):
        lifetime_curves(lifetimes, None, CurveOptions(horizon_months=0))
    with pytest.raises(ConfigurationError, match="attribute"):
        lifetime_curves(lifetimes, "colour")


def test_a_level_of_two_accounts_gets_no_mean_lifetime() -> None:
    names = [f"a{n:02d}" for n in range(30)]
    rows = [OLD, *(term(name, "2023-02-01", None, 1) for name in names)]
    accounts = [{"account_id": n, "segment": "SMB" if n > "a01" else "Enterprise"} for n in ["old", *names]]
    lifetimes = account_lifetimes(company(rows, "2024-12-31", tables={"accounts": accounts}))
    summary = lifetime_curves(lifetimes).summary.set_index("scope")
    assert summary.loc["Enterprise", "reason"] == "2 accounts were watched at 12 months; 5 are needed"
    assert summary.loc["SMB", ["n", "mean_months", "staying"]].tolist() == [28, 12.0, 1.0]
    assert summary.loc[ALL_ACCOUNTS, "n"] == 30


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "no subscriptions"),
        ([OLD], "every account was there in the first month"),
        ([{**OLD, "mrr": 0}, term("b", "2023-03-01", None, 0)], "no recurring revenue"),
    ],
    ids=["nothing", "single customer", "free plans"],
)
def test_without_lifetimes_the_reason_is_said(rows, reason) -> None:
    lifetimes = account_lifetimes(company(rows, "2023-12-31"))
    curves = lifetime_curves(lifetimes)
    assert reason in str(lifetimes.reason)
    assert (len(lifetimes.frame), curves.horizon_months, curves.summary["reason"].iloc[0]) == (0, 0, "no accounts")


def test_attributes_without_history_are_left_out_where_not_allowed() -> None:
    rows = [OLD, term("a", "2023-03-01", None, 1)]
    accounts = [{"account_id": name, "segment": "SMB"} for name in ("old", "a")]
    refused = account_lifetimes(
        company(rows, "2023-12-31", tables={"accounts": accounts}, allowed_current_columns=["accounts.region"])
    )
    assert refused.frame["segment"].tolist() == [None]
    assert any(note.startswith("segment is left out") for note in refused.notes)
