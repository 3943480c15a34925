"""`revops attribute` on a small simulated company, as its users run it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest

from end_to_end.commands import revops

AS_OF = ("--source", "sample", "--as-of", "2026-09-30")


def test_what_is_credited_and_what_is_not_add_up_to_the_bookings(home: Path) -> None:
    asked = (
        "attribute",
        *AS_OF,
        "--view",
        "period",
        "--by",
        "team",
        "--by",
        "segment",
        "--period",
        "2026-Q1...2026-Q2",
    )
    answer = revops(home, *asked, "--format", "json")
    assert answer.code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert document["command"] == "attribute"
    assert any("not causal lift" in warning for warning in document["warnings"])
    dims = {tuple(row["dims"]) for row in document["rows"]}
    assert dims == {("period", "model", "view", "attributed", "team", "segment")}
    assert {row["dims"]["model"] for row in document["rows"]} == {"w_shaped"}
    assert {row["metric"] for row in document["rows"]} == {
        "credited_deals",
        "credited_won_deals",
        "credited_bookings",
    }
    booked = revops(home, "metric", "bookings", *AS_OF, "--period", "2026-Q1...2026-Q2", "--format", "json")
    for row in json.loads(booked.stdout)["rows"]:
        credited = [
            Decimal(each["value"])
            for each in document["rows"]
            if each["metric"] == "credited_bookings" and each["dims"]["period"] == row["dims"]["period"]
        ]
        assert sum(credited) == Decimal(row["value"])
        assert len(credited) > 3


def test_all_models_have_the_same_bookings_and_one_is_a_table(home: Path) -> None:
    answer = revops(home, "attribute", *AS_OF, "--model", "all", "--view", "period", "--format", "csv")
    bookings: dict[str, Decimal] = {}
    for row in csv.DictReader(io.StringIO(answer.stdout)):
        if row["metric"] == "credited_bookings":
            bookings[row["model"]] = bookings.get(row["model"], Decimal(0)) + Decimal(row["value"])
    assert len(bookings) == 14
    assert {"linear", "shapley", "markov_1", "markov_3"} < {*bookings}
    assert len(set(bookings.values())) == 1
    table = revops(home, "attribute", *AS_OF, "--model", "linear", "--by", "campaign", "--where", "segment = SMB")
    assert "cohort view" in table.stdout
    assert "not causal lift" in table.stdout


def test_a_chain_looks_at_what_closed_unless_told_otherwise(home: Path) -> None:
    assert "period view" in revops(home, "attribute", *AS_OF, "--model", "markov").stdout
    refused = revops(home, "attribute", *AS_OF, "--model", "markov", "--view", "cohort")
    assert (refused.code, "markov_by_deal" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "wshaped", *AS_OF], ["Unknown attribution model", "w_shaped"]),
        (["--by", "chanel", *AS_OF], ["Unknown dimension", "channel"]),
        (["--where", "segmnt = SMB", *AS_OF], ["Unknown column in a filter", "segment"]),
        (["--source", "sample"], ["--as-of is missing"]),
    ],
)
def test_wrong_use_names_what_was_meant(home: Path, arguments: list[str], words: list[str]) -> None:
    answer = revops(home, "attribute", *arguments)
    assert answer.code == 2
    assert all(word in answer.stderr for word in words)


def test_the_models_are_listed_with_their_windows(home: Path) -> None:
    listed = list(csv.DictReader(io.StringIO(revops(home, "attribute", "--list", "--format", "csv").stdout)))
    windows = {row["model"]: row["window"] for row in listed}
    assert windows["w_shaped"] == "sourced"
    assert windows["time_decay"] == "influence"
