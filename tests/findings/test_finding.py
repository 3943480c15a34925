"""Findings keep their shape, rank by expected money and never pass for want of evidence."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.findings.finding import Evidence, Finding, Place, distinct, finding_from_json, rank, to_frame

ONE = Finding(
    id="overdue_pipeline",
    what="12 deals worth 1,200 USD are past their close date.",
    evidence=Evidence(n=12, effect=0.3, unit="rate"),
    money=Decimal("1200"),
    currency="USD",
    confidence=0.9,
    severity="warning",
    owner="Sales managers",
    proposed_fix="Move or close them.",
    place=Place("pipeline_health", "overdue"),
)

made = st.builds(
    lambda name, money, confidence, severity: replace(
        ONE, id=name, money=money, currency="USD", confidence=confidence, severity=severity
    ),
    st.sampled_from("abcdef"),
    st.none() | st.decimals(0, 10**9, places=2),
    st.floats(0, 1),
    st.sampled_from(["critical", "warning", "info", "watch"]),
)


def test_money_is_rounded_half_up_to_cents_and_written_as_text():
    finding = replace(ONE, money=Decimal("10.005"))
    assert finding.money == Decimal("10.01")
    plain = json.loads(json.dumps(finding.to_json()))
    assert plain["money"] == "10.01"
    assert plain["evidence"]["n"] == 12
    assert plain["place"] == {"chapter": "pipeline_health", "section": "overdue"}
    assert replace(ONE, money=None).to_json()["money"] is None


@given(st.lists(made, max_size=12), st.randoms())
def test_rank_is_by_expected_money_unique_and_blind_to_order(findings, random):
    ranked = rank(findings)
    assert len({finding.id for finding in ranked}) == len(ranked) == len({finding.id for finding in findings})
    proven = [finding for finding in ranked if finding.is_proven]
    assert ranked[: len(proven)] == proven, "what is only watched comes last"
    for tier in (proven, ranked[len(proven) :]):
        expected = [finding.expected_money for finding in tier]
        known = [value for value in expected if value is not None]
        assert known == sorted(known, reverse=True)
        assert expected[len(known) :] == [None] * (len(expected) - len(known))
    random.shuffle(findings)
    assert rank(findings) == ranked


def test_of_two_with_one_id_the_larger_is_kept():
    small = replace(ONE, money=Decimal("1"))
    assert rank([small, ONE]) == [ONE]


def test_an_amount_concerned_is_no_money_at_stake():
    concerned = replace(ONE, id="b", money=None, concerned=Decimal("9000.005"))
    assert concerned.concerned == Decimal("9000.01")
    assert concerned.expected_money is None
    assert rank([concerned, replace(ONE, money=Decimal(1))])[1] is concerned
    less = replace(concerned, id="a", concerned=Decimal(5))
    assert rank([less, concerned]) == [concerned, less]
    assert finding_from_json(json.loads(json.dumps(concerned.to_json()))) == concerned
    assert to_frame([concerned])["concerned"].tolist() == [9000.01]


def test_frame_has_a_row_each_and_missing_money_stays_missing():
    frame = to_frame([ONE, replace(ONE, id="b", money=None, currency=None)])
    assert frame["money"].tolist()[0] == 1200.0
    assert frame["expected_money"].tolist()[0] == 1080.0
    assert np.isnan(frame["money"].iloc[1])
    assert frame["n"].tolist() == [12, 12]
    assert frame["place"].iloc[0] == "pipeline_health, overdue"
    assert list(to_frame([]).columns) == list(frame.columns)


@pytest.mark.parametrize(
    "wrong",
    [
        {"confidence": 1.2},
        {"money": Decimal("-1")},
        {"money": 12.0},
        {"currency": None},
        {"money": None, "concerned": Decimal(5), "currency": None},
        {"owner": ""},
        {"what": ""},
        {"severity": "bad"},
    ],
)
def test_an_incomplete_finding_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="incomplete"):
        replace(ONE, **wrong)


def test_what_two_chapters_say_of_one_problem_is_said_once():
    small = replace(ONE, id="a", money=Decimal(10), about="overdue deals")
    large = replace(ONE, id="b", money=Decimal(20), about="overdue deals")
    alone = [replace(ONE, id=name, money=Decimal(5)) for name in ("c", "d")]
    assert [finding.id for finding in distinct([small, *alone, large])] == ["b", "c", "d"]
    old = {name: value for name, value in large.to_json().items() if name != "about"}
    old["evidence"].pop("among")
    assert finding_from_json(old).about == ""  # a run folder written before findings had it
