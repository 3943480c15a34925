"""Retention by age of all cohorts together."""

from __future__ import annotations

import pytest

from metrics.retention.companies import company, term
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.retention import retention_curves

HISTORY = [
    term("old", "2023-01-01", None, 100),
    *[term(f"x{n}", "2024-01-01", "2024-08-31" if n < 5 else None, 10) for n in range(20)],
    *[term(f"x{n}", "2024-04-01", None, 10) for n in range(20, 30)],
    *[term(f"y{n}", "2024-04-01", None, 10) for n in range(3)],
]
ACCOUNTS = [{"account_id": row["account_id"], "segment": row["account_id"][0]} for row in HISTORY]


def test_everyone_who_had_the_time_counts_and_the_number_at_risk_is_said() -> None:
    snapshot = company(HISTORY, "2024-12-31", tables={"accounts": ACCOUNTS})
    frame = retention_curves(snapshot, ["segment"], ages=range(13)).frame
    assert set(frame["segment"]) == {"x"}  # y has three accounts, the opening base no known age
    logo = frame[frame["measure"] == "logo"].set_index("age_months")
    assert logo["at_risk"].to_dict() == {age: 30 if age <= 8 else 20 for age in range(12)}
    assert logo["value"].loc[[0, 7, 8, 9]].to_list() == [1.0, 1.0, 25 / 30, 15 / 20]
    nrr = frame[frame["measure"] == "nrr"].set_index("age_months")["value"]
    assert nrr.to_list() == logo["value"].to_list()


def test_too_few_accounts_and_attributes_without_a_past_are_said() -> None:
    few = retention_curves(company(HISTORY[:5], "2024-12-31"), [])
    assert few.frame.empty
    assert "20 accounts" in str(few.reason)
    with pytest.raises(ConfigurationError, match="owner_id"):
        retention_curves(company(HISTORY, "2024-12-31"), ["owner_id"])
