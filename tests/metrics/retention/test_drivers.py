"""What changed retention: effects that add up, losses by reason, and what hangs on the largest."""

from __future__ import annotations

import random

import pytest

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention import (
    lost_revenue,
    retention_by_definition,
    retention_concentration,
    retention_drivers,
    retention_rates,
)


def generated(seed: int, count: int = 60):
    """Accounts in three segments (and none), some of which begin, change, leave and come back."""
    rng = random.Random(seed)  # noqa: S311 - test data
    rows, accounts = [], []
    for number in range(count):
        name = f"a{number:03d}"
        accounts.append({"account_id": name, "segment": rng.choice(["SMB", "Mid-Market", "Enterprise", None])})
        begin = rng.randrange(24)
        for year in range(begin // 12, 3):
            if rng.random() < 0.8:
                month = begin % 12 + 1
                rows.append(
                    term(name, f"{2023 + year}-{month:02d}-01", f"{2024 + year}-{month:02d}-01", rng.randrange(1, 900))
                )
    return company(rows, "2025-11-30", tables={"accounts": accounts})


@pytest.mark.parametrize("seed", range(3))
def test_rate_and_mix_add_up_to_the_change_of_nrr(seed: int) -> None:
    snapshot = generated(seed)
    drivers = retention_drivers(snapshot)
    assert drivers.reason is None
    rates = retention_rates(snapshot).frame.query("measure == 'nrr'").set_index("month")["value"]
    assert drivers.after == pytest.approx(rates[drivers.month])
    assert drivers.before == pytest.approx(rates[f"{int(drivers.month[:4]) - 1}{drivers.month[4:]}"])
    assert drivers.frame["effect"].sum() == pytest.approx(drivers.after - drivers.before, abs=1e-12)
    assert (drivers.frame["rate_effect"] + drivers.frame["mix_effect"]).to_list() == drivers.frame["effect"].to_list()
    assert drivers.frame["base_share"].sum() == pytest.approx(1)


def test_equal_rates_leave_mix_alone_and_equal_shares_leave_rate_alone() -> None:
    def year(name: str, start: int, then: float, now: float):
        return [
            term(name, f"{start}-01-01", f"{start}-12-31", then),
            term(name, f"{start + 1}-01-01", f"{start + 1}-12-31", now),
        ]

    accounts = [{"account_id": name, "segment": name[0]} for name in ("x1", "y1", "x2", "y2")]
    history = [*year("x1", 2023, 100, 90), *year("y1", 2023, 100, 110)]
    mixed = company(
        [*history, *year("x2", 2024, 210, 189), *year("y2", 2024, 0.0, 0.0)],
        "2025-01-31",
        tables={"accounts": accounts},
    )
    drivers = retention_drivers(mixed)
    frame = drivers.frame.set_index("segment")
    assert drivers.before == pytest.approx(1.0)
    # In 2025 x1 and y1 are gone: x retains 189 of 300, y nothing of 110.
    assert drivers.after == pytest.approx(189 / 410)
    assert frame.loc["x", "nrr_before"] == pytest.approx(0.9)
    assert frame["effect"].sum() == pytest.approx(189 / 410 - 1)
    assert frame.loc["y", "mix_effect"] == pytest.approx((110 / 410 - 0.5) * ((1.1 + 0) / 2 - (1 + 189 / 410) / 2))


def test_losses_are_ranked_with_the_reason_of_the_latest_notice() -> None:
    notice = {"cancelled_at": "2024-11-01", "churn_reason": "Price"}
    history = [
        term("big", "2024-01-01", "2024-12-31", 500, **notice),
        term("big", "2024-01-01", "2024-06-30", 1, cancelled_at="2024-05-01", churn_reason="Old"),
        term("less", "2024-01-01", "2024-12-31", 100),
        term("less", "2025-01-01", None, 70),
        term("more", "2024-01-01", "2024-12-31", 100),
        term("more", "2025-01-01", None, 130),
    ]
    accounts = [{"account_id": "big", "name": "<b>Big</b>", "segment": "SMB"}]
    lost = lost_revenue(company(history, "2025-01-31", tables={"accounts": accounts}))
    assert lost.accounts[["account_id", "kind", "lost", "recorded_reason"]].to_numpy().tolist() == [
        ["big", "churned", 501.0, "Price"],
        ["less", "contracted", 30.0, None],
    ]
    assert lost.accounts["share_of_loss"].sum() == pytest.approx(1)
    assert lost.reasons[["recorded_reason", "accounts", "lost"]].to_numpy().tolist() == [
        ["Price", 1, 501.0],
        [None, 1, 30.0],
    ]


def test_concentration_leaves_the_largest_out() -> None:
    history = [term(f"a{number}", "2024-01-01", "2024-12-31", 10 * (number + 1)) for number in range(5)]
    history += [term("a4", "2025-01-01", None, 100), term("a0", "2025-01-01", None, 10)]
    frame = retention_concentration(company(history, "2025-01-31"), largest=(1, 3)).frame
    assert frame["nrr"].to_list() == [pytest.approx(110 / 150), pytest.approx(10 / 100), pytest.approx(10 / 30)]
    assert frame["share_of_base"].to_list() == [0, pytest.approx(1 / 3), pytest.approx(120 / 150)]
    assert frame["accounts"].to_list() == [5, 4, 2]


def test_each_definition_gives_its_own_nrr_and_the_difference() -> None:
    history = [
        term("stays", "2024-01-01", None, 100),
        term("returns", "2024-01-01", "2024-03-31", 50),
        term("returns", "2024-06-01", None, 40),
        term("late", "2024-01-01", "2024-09-15", 30),
        term("late", "2024-10-05", None, 30),
        term("won", "2024-03-01", "2024-08-31", 20),  # new within the twelve months, and gone again
    ]
    result = retention_by_definition(company(history, "2025-01-31", late_renewal_grace_days=30))
    nrr = result.frame.set_index(["setting", "value"])["nrr"]
    assert nrr["in force", ""] == pytest.approx(170 / 180)
    assert nrr["nrr_counts_reactivated", "no"] == pytest.approx(130 / 180)
    assert nrr["nrr_basis", "movements"] == pytest.approx((180 - 50 + 40 - 20) / 180)
    assert nrr["late_renewal_grace_days", "0"] == pytest.approx(170 / 180)
    assert nrr["mrr_rates", "monthly"] == nrr["retention_account", "parent"] == nrr["in force", ""]
    assert result.in_force["value"].to_list() == ["cohort", "yes", "constant", "account", "30"]
    assert result.frame["difference"].iloc[0] == 0


def test_a_definition_that_cannot_be_computed_says_why() -> None:
    rates = [{"currency": "EUR", "day": "2024-06-01", "rate_to_reporting": 1.1}]
    history = [term("a", "2024-01-01", None, 100, currency="EUR")]
    frame = retention_by_definition(company(history, "2025-01-31", tables={"exchange_rates": rates})).frame
    row = frame.set_index("setting").loc["mrr_rates"]
    assert row[["nrr"]].isna().all()
    assert "No exchange rate for EUR" in row["reason"]
