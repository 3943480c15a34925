"""What is filled in after a lead was passed is refused, with the reason; what was there before is used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from metrics.funnel.companies import company, lead
from models.lead_companies import chance_company, simulated
from revops_analysis.models.lead_records import LeadRecords, lead_records
from revops_analysis.models.leak_guard import EVENTS, check_leaks


@pytest.fixture(scope="module")
def checked():
    return check_leaks(lead_records(chance_company()))


def test_later_entries_are_refused_and_earlier_ones_used(checked) -> None:
    assert checked.usable == ("source", "keen", "plan", "size")
    assert "after a lead was accepted" in checked.refused["calls"]
    assert "after a lead was refused" in checked.refused["late"]
    assert "identifier" in checked.refused["note"]
    assert "same value" in checked.refused["blank"]


def test_the_sample_company_s_calls_are_found_out() -> None:
    found = check_leaks(lead_records(simulated().snapshot))
    assert list(found.refused) == ["calls_logged"]
    row = found.frame.set_index("name").loc["calls_logged"]
    assert (row["share_with"], row["share_without"], row["event"]) == (1.0, 0.0, "accepted")


def test_definitions_can_vouch_for_a_column(checked) -> None:
    found = check_leaks(lead_records(chance_company()), ("calls",))
    assert "calls" in found.usable
    assert found.frame.set_index("name").loc["calls", "verdict"] == "trusted"


def _records(values, accepted):
    frame = pd.DataFrame(dict.fromkeys(EVENTS.values(), pd.NaT), index=range(len(accepted)))
    frame = frame.astype("datetime64[ns]")
    frame.loc[accepted, "accepted_on"] = pd.Timestamp("2026-01-01")
    return LeadRecords(frame.assign(x=values), ("x",), {"x": "number"})


def test_few_leads_are_no_evidence_and_so_no_pass() -> None:
    accepted = np.arange(100) < 10
    found = check_leaks(_records(np.arange(100.0), accepted))
    assert "cannot be tested" in found.refused["x"]


def test_a_strong_sign_that_others_have_too_is_not_refused() -> None:
    rng = np.random.default_rng(0)
    accepted = rng.random(2_000) < 0.3
    filled = rng.random(2_000) < np.where(accepted, 0.9, 0.2)
    assert check_leaks(_records(filled.astype(float), accepted)).usable == ("x",)


def test_a_few_stray_entries_do_not_hide_a_leak() -> None:
    rng = np.random.default_rng(0)
    accepted = rng.random(2_000) < 0.3
    filled = rng.random(2_000) < np.where(accepted, 0.6, 0.01)
    assert "after a lead was accepted" in check_leaks(_records(filled * 3.0, accepted)).refused["x"]


def test_a_number_that_tells_all_is_refused_though_all_have_one() -> None:
    rng = np.random.default_rng(0)
    accepted = rng.random(2_000) < 0.3
    minutes = rng.normal(size=2_000) + 6 * accepted
    assert "almost without error" in check_leaks(_records(minutes, accepted)).refused["x"]


def test_types_follow_from_the_values() -> None:
    leads = [
        lead("a", "2026-01-01", {"n": 1, "t": "x", "b": True, "mixed": 1, "segment": "SMB", "email": "no"}),
        lead("b", "2026-01-02", {"n": "2.5", "t": 7, "b": "false", "mixed": "many"}),
        lead("c", "2026-01-03", "{broken"),
        lead("d", "2026-01-04", None),
    ]
    records = lead_records(company(leads))
    assert {name: records.kinds[name] for name in ("n", "t", "b", "mixed")} == {
        "n": "number",
        "t": "text",
        "b": "flag",
        "mixed": "text",
    }
    assert records.frame["n"].tolist()[:2] == [1.0, 2.5]
    assert records.frame["n"].isna().tolist()[2:] == [True, True]
    assert "email" not in records.names, "a column of leads takes precedence over an attribute of its name"


def test_without_permission_attributes_are_not_read() -> None:
    careful = company([lead("a", "2026-01-01", {"n": 1})], allowed_current_columns=[])
    assert lead_records(careful).names == ("source",)
