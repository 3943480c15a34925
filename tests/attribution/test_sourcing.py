"""Who sourced what: one team a deal officially, each side by its own definition, and the deals on which they differ."""

from __future__ import annotations

from decimal import Decimal

import pytest

from attribution.random_companies import random_company
from attribution.touch_rows import deal, snapshot_of, touch, words_with
from builders import make_definitions
from revops_analysis.attribution.journeys import journeys
from revops_analysis.attribution.sourcing import sourcing
from revops_analysis.errors import ConfigurationError
from revops_analysis.periods import parse_period

DEALS = [
    deal("both", account_id="a1", amount=400, source="Inbound"),
    deal("touch only", account_id="a2", amount=300, source="Outbound"),
    deal("field only", account_id="a3", amount=200, source="Paid"),
    deal("neither", account_id="a4", amount=100, source="Partner"),
    deal("unpriced", account_id="a5", amount=None, source=None, created_at="2026-07-01"),
]
TOUCHES = [
    touch("m1", "2026-04-01", "Webinar", account_id="a1"),
    touch("s1", "2026-04-20", "Outbound", account_id="a1"),
    touch("m2", "2026-04-01", "Email", account_id="a2"),
    touch("s2", "2026-04-20", "Outbound", account_id="a2"),
    touch("m3", "2026-05-20", "Email", account_id="a3"),
    touch("p4", "2026-04-20", "Partner", account_id="a4"),
    touch("m5", "2026-06-01", "Event", account_id="a5"),
    touch("x5", "2026-06-20", None, account_id="a5"),
]
LEAD = {"lead_id": "l", "account_id": "a1", "created_at": "2026-04-02", "converted_at": "2026-05-01"}


def company(rule="lead_creation", **changes):
    return snapshot_of(DEALS, TOUCHES, leads=[LEAD], words=words_with(sourced_rule=rule, **changes))


def teams(made):
    frame = made.deals.set_index("opportunity_id")["team"]
    return frame.astype(object).where(frame.notna(), None).to_dict()


@pytest.mark.parametrize(
    ("rule", "expected", "basis"),
    [
        (
            "lead_creation",
            ["marketing", None, "partners", "sales", None],
            {
                "lead creation": 1,
                "deal creation": 2,
                "no touch before creation": 1,
                "touch of a channel without team": 1,
            },
        ),
        (
            "first_touch",
            ["marketing", None, "partners", "marketing", "marketing"],
            {"first touch": 4, "no touch before creation": 1},
        ),
        ("crm_field", ["marketing", "marketing", "partners", "sales", None], {"CRM field": 4, "CRM field is empty": 1}),
    ],
)
def test_the_official_team_of_each_deal_and_what_it_rests_on(rule, expected, basis):
    made = sourcing(journeys(company(rule)))
    assert teams(made) == dict(
        zip(["oboth", "ofield only", "oneither", "otouch only", "ounpriced"], expected, strict=True)
    )
    assert made.basis.set_index("basis")["deals"].to_dict() == basis
    assert made.official["deals"].sum() == 5
    assert made.official["amount"].sum() == Decimal(1000)
    assert made.official["amount_share"].sum() == pytest.approx(1)
    assert made.official["deals_share"].sum() == pytest.approx(1)


def test_each_side_by_its_own_definition_and_where_they_meet():
    made = sourcing(journeys(company()))
    claims = made.claims.set_index("by")
    assert claims["deals"].to_dict() == {"marketing": 3, "sales": 2}
    assert claims["amount_share"].to_dict() == {"marketing": 0.7, "sales": 0.6}
    both = made.overlap.set_index(["by", "other"])["amount"]
    assert both["marketing", "sales"] == both["sales", "marketing"] == Decimal(400)
    assert made.agreement[["marketing", "sales", "deals", "amount"]].to_numpy().tolist() == [
        [False, False, 1, Decimal(100)],
        [False, True, 1, Decimal(200)],
        [True, False, 2, Decimal(300)],
        [True, True, 1, Decimal(400)],
    ]
    influenced = made.influenced.set_index("team")["deals"]
    assert influenced.to_dict() == {"marketing": 4, "sales": 2, "partners": 1}


def test_disputed_deals_with_what_each_side_cites():
    made = sourcing(journeys(company()))
    assert made.disputed["opportunity_id"].tolist() == ["otouch only", "ofield only", "ounpriced"]
    cited = made.evidence()[["opportunity_id", "by", "says", "cites", "touchpoint_id"]]
    cited = cited.astype(object).where(cited.notna(), None).to_numpy().tolist()
    assert cited == [
        ["otouch only", "marketing", True, "touch", "m2"],
        ["otouch only", "sales", False, "CRM field", None],
        ["otouch only", "sales", False, "touch", "s2"],
        ["ofield only", "marketing", False, "nothing", None],
        ["ofield only", "sales", True, "CRM field", None],
        ["ounpriced", "marketing", True, "touch", "m5"],
        ["ounpriced", "sales", False, "CRM field", None],
    ]
    assert set(made.evidence(["ofield only"])["opportunity_id"]) == {"ofield only"}


def test_claims_by_first_touch_and_lead_creation_and_by_fewer_days():
    claims = [
        {"by": "marketing", "of": "marketing", "rule": "any_touch", "days": 15, "meaning": "Lately."},
        {"by": "sales", "of": "sales", "rule": "first_touch", "meaning": "First."},
        {"by": "partners", "of": "sales", "rule": "lead_creation", "meaning": "Lead."},
    ]
    snapshot = snapshot_of(DEALS, TOUCHES, leads=[LEAD], words=make_definitions(sourcing_claims=claims))
    made = sourcing(journeys(snapshot))
    assert made.claims["deals"].tolist() == [0, 0, 1]
    assert made.disputed["opportunity_id"].tolist() == ["otouch only"]
    assert made.evidence()["cites"].tolist() == ["nothing", "touch", "touch"]


def test_a_period_takes_the_deals_created_in_it_and_no_deals_give_no_shares():
    made = journeys(company())
    calendar = make_definitions().fiscal_calendar
    third = sourcing(made, parse_period("2026-Q3", calendar))
    assert third.deals["opportunity_id"].tolist() == ["ounpriced"]
    assert third.official["amount_share"].isna().all()  # of no money nothing is a share
    never = sourcing(made, parse_period("2020-Q1", calendar))
    assert never.official[["team", "n"]].to_numpy().tolist() == [[None, 0]]
    assert never.claims["deals_share"].isna().all()
    assert never.disputed.empty
    assert never.evidence().empty


def test_no_deal_is_lost_or_counted_twice_in_random_companies():
    for seed in (1, 2):
        tables = random_company(seed)
        snapshot = snapshot_of(tables["opportunities"], tables["touchpoints"], leads=tables["leads"])
        made = sourcing(journeys(snapshot))
        deals = journeys(snapshot).deals.to_pandas()
        assert made.official["deals"].sum() == made.agreement["deals"].sum() == len(deals)
        assert made.official["amount"].sum() == deals["amount"].dropna().sum() == made.agreement["amount"].sum()
        assert made.basis["deals"].sum() == len(deals)
        assert made.deals["team"].isna().sum() == made.official["deals"].iloc[-1]


def test_claims_that_reach_too_far_and_fields_without_teams_are_refused():
    far = [{"by": "marketing", "of": "marketing", "rule": "any_touch", "days": 365, "meaning": "Ever."}]
    snapshot = snapshot_of(DEALS, TOUCHES, words=make_definitions(sourcing_claims=far))
    with pytest.raises(ConfigurationError, match="write 90 or less"):
        sourcing(journeys(snapshot))
    attribution = words_with(sourced_rule="crm_field").attribution.model_dump(mode="json")
    words = make_definitions(attribution=attribution, source_teams={}, sourcing_claims=[])
    with pytest.raises(ConfigurationError, match="add source_teams"):
        sourcing(journeys(snapshot_of(DEALS, TOUCHES, words=words)))
