"""Lead rules as expressions of the engine: what each operator makes of numbers, text, flags and what is not there."""

from __future__ import annotations

import pytest

from metrics.funnel.companies import company, lead
from revops_analysis.definitions.rule_text import parse_rule
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.funnel import passes, require_usable

LEADS = [
    lead("a", "2026-01-01", {"employees": 100, "keen": True, "title": "VP Sales", "note": "it's"}, source="Paid"),
    lead("b", "2026-02-01", {"employees": "80", "keen": "true", "title": "Analyst"}, source="Inbound"),
    lead("c", "2026-03-01", {"employees": None, "keen": 0, "title": 7}),
    lead("d", "2026-04-01", "{broken", source="Paid"),
    lead("e", "2026-05-01", None),
    lead("f", "2026-06-01", {"employees": [200], "keen": {"is": True}, "title": "12a"}),
]
CASES = {
    "employees >= 80": "ab",
    "employees = 80": "b",
    "employees != 80": "acdef"[:1],
    "employees < 90.5": "b",
    "employees present": "ab",
    "employees missing": "cdef",
    "keen = true": "ab",
    "keen = false": "c",
    "keen != true": "c",
    "title in [VP Sales, '7']": "ac",
    "title not in [VP Sales]": "bcf",
    "title = 7": "c",
    "note = 'it''s'": "a",
    "source = Paid and employees >= 80": "a",
    "source = Paid or employees >= 80": "abd",
    "source missing": "cef",
    "created_at >= 2026-05-01": "ef",
    "employees >= 80 and (title = Analyst or note present)": "ab",
    'title = "x\' OR 1=1 --"': "",
}


@pytest.fixture(scope="module")
def snapshot():
    return company(LEADS)


def passed(snapshot, text):
    leads = snapshot.table("leads")
    kept = leads.filter(passes(parse_rule(text), leads, snapshot.con.name)).order_by("lead_id")
    return "".join(kept.lead_id.to_pyarrow().to_pylist())


@pytest.mark.parametrize("text", CASES)
def test_a_rule_passes_what_it_says(snapshot, text) -> None:
    assert passed(snapshot, text) == CASES[text]


@pytest.mark.postgres
def test_postgres_passes_the_same_leads(postgres_url) -> None:
    import ibis

    con = ibis.connect(postgres_url)
    con.create_database("rules")
    snapshot = company(LEADS, con=con, database="rules")
    assert {text: passed(snapshot, text) for text in CASES} == CASES
    con.disconnect()


def test_an_unknown_attribute_is_named_with_near_ones(snapshot) -> None:
    with pytest.raises(ConfigurationError, match="employees"):
        require_usable(snapshot, parse_rule("employes >= 80"))


@pytest.mark.parametrize("name", ["converted_at", "accepted_at", "opportunity_id", "disqualified_reason", "owner_id"])
def test_what_is_known_only_afterwards_is_refused(snapshot, name) -> None:
    with pytest.raises(ConfigurationError, match="not known when the rule decides"):
        require_usable(snapshot, parse_rule(f"{name} present"))


def test_latest_values_need_permission() -> None:
    careful = company(LEADS, allowed_current_columns=[])
    with pytest.raises(ConfigurationError, match=r"leads\.attributes"):
        require_usable(careful, parse_rule("employees >= 80"))
    require_usable(careful, parse_rule("source = Paid"))


def test_a_moment_is_compared_with_a_day_only(snapshot) -> None:
    with pytest.raises(ConfigurationError, match="2026-01-31"):
        passed(snapshot, "created_at >= soon")
