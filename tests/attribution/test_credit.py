"""Credit of the rule models: hand-computed journeys, an independent computation, and what holds for every company."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import ibis
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from attribution.random_companies import random_company, shuffled
from attribution.touch_rows import all_rules, deal, snapshot_of, touch, words_with
from builders import make_definitions
from revops_analysis.attribution.credit import by_rules, compare, credit, models, shared_by_weights
from revops_analysis.attribution.journeys import JourneyOptions, journeys
from revops_analysis.attribution.rules import RULES, anchored, anchors_in
from revops_analysis.attribution.totals import Cut
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.where import parse_where
from revops_analysis.periods import parse_period

WORDS = make_definitions()
PHASES = (Phase.explicit, Phase.generate)  # a smaller company would say no more than its seed


def table(snapshot, model, options=None):
    made = credit(journeys(snapshot, options), model).table.to_pandas()
    return made.sort_values(["opportunity_id", "touchpoint_id"]).reset_index(drop=True)


def shares(snapshot, model, options=None):
    made = table(snapshot, model, options)
    return dict(zip(made["touchpoint_id"], made["share"], strict=True))


def wide(made):
    """Shares and cents under all rules, a row a touch and deal, with the deal's key."""
    frame = all_rules(made)
    deals = made.base.select("deal_number", "opportunity_id").to_pandas()
    merged = frame.merge(deals, on="deal_number").drop(columns=["deal_number", "channel_number", "campaign_number"])
    return merged.sort_values(["opportunity_id", "touchpoint_id"]).reset_index(drop=True)


def company(seed, deals=30, **changes):
    tables = {**random_company(seed, deals), **changes}
    return snapshot_of(tables["opportunities"], tables["touchpoints"], leads=tables["leads"])


HAND = {
    "first_touch": {"t1": 1},
    "last_touch": {"t6": 1},
    "linear": dict.fromkeys(["t1", "t2", "t3", "t4", "t5", "t6"], 1 / 6),
    "u_shaped": {"t1": 0.4, "t2": 0.4, "t3": 0.1, "t4": 0.1},
    "w_shaped": {"t1": 0.3, "t2": 0.3, "t3": 0.1, "t4": 0.3},
    "full_path": {"t1": 0.225, "t2": 0.225, "t3": 0.05, "t4": 0.225, "t5": 0.05, "t6": 0.225},
    "position": {"t1": 0.4, "t2": 0.05, "t3": 0.05, "t4": 0.05, "t5": 0.05, "t6": 0.4},
}


@pytest.mark.parametrize("model", HAND)
def test_a_journey_with_all_anchors(lead_company, model):
    found = {key: share for key, share in shares(lead_company, model).items() if share}
    assert found == pytest.approx(HAND[model], abs=1e-12)


def test_time_decay_halves_with_every_half_life():
    days = ["2026-06-30", "2026-06-23", "2026-06-16", "2026-03-01"]
    snapshot = snapshot_of([deal()], [touch(f"t{n}", day) for n, day in enumerate(days)])
    weights = [1, 1 / 2, 1 / 4, 2 ** (-121 / 7)]
    found = shares(snapshot, "time_decay")
    assert [found[f"t{n}"] for n in range(4)] == pytest.approx([w / sum(weights) for w in weights], abs=1e-10)
    early = [touch("t1", "2026-02-01"), touch("t2", "2026-02-01 13:00:00")]
    short = snapshot_of([deal()], early, words=words_with(half_life_days=0.01))
    # Long before closing, and still conserved; an hour is more than four of these half-lives.
    weight = 2 ** (-1 / 24 / 0.01)
    assert shares(short, "time_decay") == pytest.approx({"t1": weight / (1 + weight), "t2": 1 / (1 + weight)})


@pytest.mark.parametrize(
    ("weights", "lead", "expected"),
    [
        # Two touches: nothing lies between, so .3 + .3 against .3 of .9.
        ([0.3, 0.3, 0.3, 0.1], 1, [2 / 3, 1 / 3]),
        # No lead: .3, .1, .3 of .7.
        ([0.3, 0.3, 0.3, 0.1], 0, [3 / 7, 1 / 7, 3 / 7]),
        # One touch is first, lead's and deal's.
        ([0.3, 0.3, 0.3, 0.1], 1, [1]),
        # Weights that are all of a missing anchor: all share evenly.
        ([0.0, 1.0, 0.0, 0.0], 0, [0.5, 0.5]),
        # All weight between, and nothing there.
        ([0.0, 0.0, 0.0, 1.0], 0, [1]),
    ],
)
def test_anchors_that_coincide_or_lack(weights, lead, expected):
    names = ("first", "lead_creation", "deal_creation", "others")
    n = len(expected)
    deals = ibis.memtable({"touches": [n], "early": [0], "by_lead": [lead], "by_deal": [n], "is_closed": [True]})
    anchors = anchors_in(deals, "sourced")
    line = anchored(anchors, dict(zip(names, weights, strict=True)))
    each = ibis.literal(line.each) if isinstance(line.each, float) else line.each
    made = deals.select(each=each, whole=line.whole, **line.steps)
    row = made.to_pandas().iloc[0]
    places = {"first": 1, "lead_creation": lead, "deal_creation": n}
    so_far = [k * row["each"] + sum(row[name] for name, at in places.items() if at <= k) for k in range(1, n + 1)]
    found = [(now - before) / row["whole"] for before, now in zip([0, *so_far], so_far, strict=False)]
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_shorter_sourced_window_has_its_own_first_touch_and_may_lack_the_lead(lead_company):
    found = shares(lead_company, "w_shaped", JourneyOptions(sourced_days=45))
    assert found == pytest.approx({"t3": 0.5, "t4": 0.5}, abs=1e-12)


def by_hand(model, touches, lead, is_closed):
    """Shares in exact fractions, written as METRICS.md says it: (moment, key) pairs in, key → share out."""
    window = RULES[model].window
    inside = [pair for pair in touches if window == "influence" or pair[0] <= "2026-05-01 12:00:00"]
    keys = [key for _, key in inside]
    if not keys:
        return {}
    before_lead = [key for moment, key in inside if lead is not None and moment <= lead]
    before_deal = [key for moment, key in inside if moment <= "2026-05-01 12:00:00"]
    anchors = {
        "first": keys[0],
        "last": keys[-1],
        "lead_creation": before_lead[-1] if before_lead else None,
        "deal_creation": before_deal[-1] if before_deal else None,
        "closing": keys[-1] if is_closed else None,
    }
    plain = {"first_touch": {"first": 1}, "last_touch": {"last": 1}, "linear": {"others": 1}}
    rule = plain.get(model) or getattr(WORDS.attribution, model).model_dump()
    weights = {name: Fraction(str(weight)) for name, weight in rule.items()}
    held = defaultdict(Fraction)
    for name, weight in weights.items():
        if name != "others" and anchors[name]:
            held[anchors[name]] += weight
    between = [key for key in keys if key not in held]
    for key in between:
        held[key] += weights.get("others", Fraction(0)) / len(between)
    total = sum(held.values())
    return {key: held[key] / total for key in keys}


# An expression takes longer to write down than to run on a few deals: so few larger companies, not many small ones.
@settings(max_examples=2, phases=PHASES)
@given(st.integers(0, 10_000))
def test_shares_are_those_of_an_independent_computation_and_money_is_within_a_cent(seed):
    tables = random_company(seed, deals=120)
    snapshot = snapshot_of(tables["opportunities"], tables["touchpoints"], leads=tables["leads"])
    found_rows = wide(journeys(snapshot))
    leads = {row["account_id"]: str(row["created_at"]) for row in tables["leads"]}
    touched = defaultdict(list)
    for row in tables["touchpoints"]:
        if "2026-01-31 12:00:00" <= row["occurred_at"] <= "2026-09-30":
            touched[row["account_id"]].append((row["occurred_at"], row["touchpoint_id"]))
    for row in tables["opportunities"]:
        is_closed = row["stage"] == "Closed Won"
        mine = sorted(pair for pair in touched[row["account_id"]] if not is_closed or pair[0] < "2026-07-01")
        lead = leads.get(row["account_id"])
        lead = lead if lead is not None and lead <= "2026-05-01 12:00:00" else None
        rows = found_rows[found_rows["opportunity_id"] == row["opportunity_id"]].set_index("touchpoint_id")
        for model in [name for name in RULES if name != "time_decay"]:
            expected = by_hand(model, mine, lead, is_closed)
            found = rows[f"{model}_share"].dropna()
            assert set(found.index) == set(expected)
            assert found.to_dict() == pytest.approx({k: float(v) for k, v in expected.items()}, abs=1e-12)
            if row["amount"] is not None:
                exact = pd.Series({k: float(v) * row["amount"] * 100 for k, v in expected.items()}, dtype=float)
                assert ((rows[f"{model}_cents"].dropna() - exact).abs() < 1 + 1e-9).all()


@settings(max_examples=2, phases=PHASES)
@given(st.integers(0, 10_000))
def test_every_deal_is_given_away_to_the_cent_and_never_below_nothing(seed):
    made = journeys(company(seed, deals=120))
    deals = made.deals.to_pandas().set_index("opportunity_id")
    frame = wide(made)
    for model, rule in RULES.items():
        rows = frame[frame[f"{model}_share"].notna()]
        touched = deals["touches" if rule.window == "influence" else "sourced_touches"] > 0
        assert set(rows["opportunity_id"]) == set(deals.index[touched])
        assert (rows[f"{model}_share"] >= 0).all()
        assert rows.groupby("opportunity_id")[f"{model}_share"].sum().to_numpy() == pytest.approx(1)
        amounts = deals.loc[rows["opportunity_id"], "amount"].to_numpy()
        assert (rows[f"{model}_cents"].isna().to_numpy() == pd.isna(amounts)).all()
        summed = rows.groupby("opportunity_id")[f"{model}_cents"].sum(min_count=1).dropna()
        assert {key: Decimal(int(cents)).scaleb(-2) for key, cents in summed.items()} == {
            key: deals.loc[key, "amount"] for key in summed.index
        }
        signs = [0 if a is None or pd.isna(a) else (a > 0) - (a < 0) for a in amounts]
        assert (rows[f"{model}_cents"].fillna(0).to_numpy() * signs >= 0).all()


@settings(max_examples=2, phases=PHASES)
@given(st.integers(0, 10_000))
def test_neither_the_order_of_rows_nor_the_names_of_channels_matter(seed):
    tables = random_company(seed, deals=60)
    other = shuffled(tables, seed + 1)
    names = {None: None, **{name: f"x {name}" for name in ("Email", "Event", "Outbound", "Partner", "Webinar")}}
    other["touchpoints"] = [{**row, "channel": names[row["channel"]]} for row in other["touchpoints"]]
    first, second = (
        wide(journeys(snapshot_of(t["opportunities"], t["touchpoints"], leads=t["leads"]))) for t in (tables, other)
    )
    assert first["channel"].map(names).fillna("-").tolist() == second["channel"].fillna("-").tolist()
    dropped = ["channel", "team"]
    pd.testing.assert_frame_equal(first.drop(columns=dropped), second.drop(columns=dropped))


@settings(max_examples=2, phases=PHASES)
@given(st.integers(0, 10_000))
def test_splitting_a_channel_splits_its_credit_and_one_in_no_path_gets_nothing(seed):
    tables = random_company(seed, deals=60)
    split = [
        {**row, "channel": "Fax" if row["channel"] == "Email" and row["touchpoint_id"][-1] in "02" else row["channel"]}
        for row in tables["touchpoints"]
    ]
    whole = compare(journeys(company(seed, deals=60)))
    parts = compare(journeys(company(seed, deals=60, touchpoints=split)))
    assert not (whole["channel"] == "Fax").any()
    for frame in (whole, parts):
        frame["joined"] = frame["channel"].replace("Fax", "Email").fillna("-")
    columns = ["deals", "won_deals", "pipeline", "bookings", "touches"]
    grouped = [frame.groupby(["model", "attributed", "joined"])[columns].sum() for frame in (whole, parts)]
    pd.testing.assert_frame_equal(grouped[0].astype(float), grouped[1].astype(float), atol=3e-6)


def test_totals_add_up_to_all_deals_over_every_cut_under_every_rule():
    made = journeys(company(7))
    deals = made.deals.to_pandas()
    booked = deals.loc[deals["booked_on"].notna(), "amount"].dropna()
    for by in ([], ["team", "segment"], ["campaign", "source"], ["quarter", "owner_team"]):
        for model, frame in compare(made, by=by).groupby("model"):
            assert frame["pipeline"].sum() == deals["amount"].dropna().sum()
            assert frame["bookings"].sum() == booked.sum()
            assert frame["deals"].sum() == pytest.approx(len(deals), abs=1e-4)
            window = "touches" if RULES[model].window == "influence" else "sourced_touches"
            assert frame.loc[~frame["attributed"], "deals"].sum() == (deals[window] == 0).sum()


def test_one_pass_over_all_rules_gives_what_each_rule_gives_alone():
    made = journeys(company(11))
    together = compare(made, by=["channel"])
    for model in RULES:
        alone = credit(made, model).totals(by=["channel"])
        rows = together[together["model"] == model].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, alone)


def test_views_periods_and_filters():
    deals = [
        deal("won"),
        deal("lost", stage="Closed Lost", account_id="a2", closed_at="2026-08-01", segment="Enterprise"),
        deal("open", stage="Proposal", account_id="a3", closed_at=None, created_at="2026-07-10"),
    ]
    touches = [touch("t1", "2026-04-01", "Event"), touch("t2", "2026-04-01", account_id="a2")]
    made = credit(journeys(snapshot_of(deals, touches)), "linear")
    second = parse_period("2026-Q2", WORDS.fiscal_calendar)
    third = parse_period("2026-Q3", WORDS.fiscal_calendar)
    cohort = made.totals(cut=Cut(by=("channel",), period=second))
    assert cohort[["channel", "pipeline", "bookings", "won_deals"]].to_numpy().tolist() == [
        ["Email", 1000, 0, 0],
        ["Event", 1000, 1000, 1],
    ]
    closed = made.totals(cut=Cut(by=("channel", "quarter"), view="period"))
    assert closed[["channel", "quarter", "deals", "bookings"]].to_numpy().tolist() == [
        ["Email", "2026-Q3", 1, 0],
        ["Event", "2026-Q2", 1, 1000],
    ]
    assert closed["pipeline"].isna().all()
    later = made.totals(cut=Cut(by=("channel",), period=third))
    assert later[["attributed", "deals"]].to_numpy().tolist() == [[False, 1]]
    only = made.totals(cut=Cut(by=("segment",), where=parse_where("channel = Email and segment = Enterprise")))
    assert only[["segment", "pipeline"]].to_numpy().tolist() == [["Enterprise", 1000]]
    assert len(made.totals(cut=Cut(where=parse_where("channel = Fax")))) == 0


def test_a_deal_of_ten_thousand_touches_is_given_away_to_the_cent():
    moments = pd.date_range("2026-04-01", periods=10_000, freq="7min").strftime("%Y-%m-%d %H:%M:%S")
    touches = [touch(f"t{n:05d}", moment, contact_id=None) for n, moment in enumerate(moments)]
    made = journeys(snapshot_of([deal(amount="1234567.89")], touches))
    frame = compare(made)
    assert (frame["pipeline"] == Decimal("1234567.89")).all()
    assert frame.loc[frame["model"] == "linear", "touches"].tolist() == [10_000]
    cents = by_rules(made, "influence", ["linear"]).to_pandas()["linear_cents"]
    assert cents.between(12345, 12346).all()


def test_amounts_in_other_currencies_are_shared_in_the_reporting_currency():
    deals = [deal(1, amount=100, currency="EUR"), deal(2, amount=100, account_id="a2")]
    rates = [{"currency": "EUR", "day": "2026-01-01", "rate_to_reporting": 1.11}]
    touches = [touch("t1", "2026-04-01"), touch("t2", "2026-04-02"), touch("t3", "2026-04-01", account_id="a2")]
    made = table(snapshot_of(deals, touches, exchange_rates=rates), "linear")
    assert made["amount"].tolist() == [Decimal("55.50"), Decimal("55.50"), Decimal("100.00")]


def test_without_touches_every_deal_is_unattributed():
    made = journeys(snapshot_of([deal()], []))
    frame = compare(made)
    assert frame["attributed"].tolist() == [False] * len(RULES)
    assert frame["pipeline"].tolist() == [Decimal("1000.00")] * len(RULES)


def test_very_large_amounts_are_still_exact():
    touches = [touch(f"t{n}", f"2026-04-0{n}") for n in range(1, 8)]
    amount = "44999999999999.99"
    frame = compare(journeys(snapshot_of([deal(amount=amount)], touches)))
    assert (frame["pipeline"] == Decimal(amount)).all()


def test_weights_from_outside_are_shared_to_the_cent():
    touches = [touch(f"t{n}", f"2026-04-0{n}") for n in range(1, 4)] + [touch("t9", "2026-04-01", account_id="a2")]
    snapshot = snapshot_of([deal(amount=100), deal(2, account_id="a2")], touches)
    made = journeys(snapshot)
    weights = made.touches.filter(made.touches.touchpoint_id != "t2").mutate(
        weight=(made.touches.touchpoint_id == "t1").cast("float64") * 0.5 + 0.25
    )
    weights = weights.filter(weights.opportunity_id == "o1")
    frame = shared_by_weights(made, weights).to_pandas().set_index("touchpoint_id")
    assert frame["share"].to_dict() == pytest.approx({"t1": 0.75, "t2": 0, "t3": 0.25, "t9": 1})
    assert frame["cents"].to_dict() == {"t1": 7500, "t2": 0, "t3": 2500, "t9": 100_000}


def test_an_unknown_model_dimension_or_filter_names_the_near_ones():
    made = journeys(snapshot_of([deal()], [touch("t1", "2026-04-01")]))
    with pytest.raises(ConfigurationError, match="w_shaped"):
        credit(made, "wshaped")
    with pytest.raises(ConfigurationError, match="channel"):
        credit(made).totals(by=["chanel"])
    with pytest.raises(ConfigurationError, match="segment"):
        credit(made).totals(cut=Cut(where=parse_where("segmnt = SMB")))
    assert credit(made).model.name == "w_shaped"
    assert list(models())[: len(RULES)] == list(RULES)
