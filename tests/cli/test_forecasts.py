"""`revops forecast` and `revops backtest` on a small simulated company, as their users run them."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from end_to_end.commands import Answer, revops
from reporting.projects import make_project

AS_OF = ("--source", "sample", "--as-of", "2026-08-20")
CUTS = ("segment", "type", "region", "team", "owner")
QUANTILES = ("p2_5", "p10", "p25", "p50", "p75", "p90", "p97_5")


@pytest.fixture(scope="module")
def document(home: Path) -> dict[str, Any]:
    return _document(revops(home, "forecast", *AS_OF, "--format", "json"))


@pytest.fixture(scope="module")
def judged(home: Path) -> dict[str, Any]:
    asked = ("--period", "2026-Q1...2026-Q2", "--weeks", "7,4,7")
    return _document(revops(home, "backtest", *AS_OF, *asked, "--format", "json"))


def _document(answer: Answer) -> dict[str, Any]:
    assert answer.code == 0, answer.stderr
    assert "==>" in answer.stderr
    return json.loads(answer.stdout)


def _of(document: dict[str, Any], metric: str, dims: Iterable[str]) -> list[dict[str, Any]]:
    return [row for row in document["rows"] if row["metric"] == metric and set(row["dims"]) == set(dims)]


def test_the_document_says_what_it_is_and_every_missing_value_why(document: dict[str, Any]) -> None:
    facts = ("command", "source", "as_of", "period", "currency", "seed")
    assert [document[name] for name in facts] == ["forecast", "sample", "2026-08-20", "2026-Q3", "USD", 0]
    assert any("no amount" in warning for warning in document["warnings"])
    assert all((row["value"] is None) == (row["reason"] is not None) for row in document["rows"])


def test_the_forecast_has_its_mean_and_ordered_quantiles_and_rivals_beside_it(document: dict[str, Any]) -> None:
    rows = {row["dims"]["method"]: row for row in _of(document, "bookings_forecast", ["method"])}
    assert {"chosen", "deal_model", "last_period", "crm_weighted", "stage_week_conversion"} <= set(rows)
    chosen = rows["chosen"]
    assert chosen["mean"] == chosen["value"]
    assert (chosen["low"], chosen["high"]) == (chosen["p2_5"], chosen["p97_5"])
    assert isinstance(chosen["mean"], str)
    quantiles = [Decimal(chosen[name]) for name in QUANTILES]
    assert quantiles == sorted(quantiles)
    assert chosen["n"] > 0


def test_parts_and_every_cut_add_up_to_the_cent(document: dict[str, Any]) -> None:
    (total,) = (row for row in _of(document, "bookings_forecast", ["method"]) if row["dims"]["method"] == "chosen")
    for cut in ("component", *CUTS):
        rows = _of(document, "bookings_forecast", ["method", cut])
        assert sum(Decimal(row["value"]) for row in rows) == Decimal(total["value"]), cut


def test_target_chance_and_choice_are_there(document: dict[str, Any]) -> None:
    single = {row["metric"]: row for row in document["rows"]}
    assert Decimal(single["target"]["value"]) > 0
    assert 0 < single["chance_to_reach_target"]["value"] < 1
    assert single["model_weight"]["dims"]["model"] == "deal_model"
    assert single["model_weight"]["n"] == 12
    assert any("Over 12 past periods" in warning for warning in document["warnings"])


def test_the_table_and_the_csv_say_the_same(home: Path, document: dict[str, Any]) -> None:
    table = revops(home, "forecast", *AS_OF)
    assert table.code == 0, table.stderr
    chosen = next(row for row in _of(document, "bookings_forecast", ["method"]) if row["dims"]["method"] == "chosen")
    assert f"{round(Decimal(chosen['mean'])):,}" in table.stdout
    words = ("95% range", "Chance to reach it", "Booked so far", "Last period", "Why this forecast", "Enterprise")
    assert all(word in table.stdout for word in words)
    rows = list(csv.DictReader(io.StringIO(revops(home, "forecast", *AS_OF, "--format", "csv").stdout)))
    assert len(rows) == len(document["rows"])
    found = next(row for row in rows if row["method"] == "chosen" and not any(row[c] for c in ("component", *CUTS)))
    assert [found[name] for name in QUANTILES] == [chosen[name] for name in QUANTILES]


def test_a_backtest_has_each_forecast_beside_its_outcome_and_the_accuracy_follows(judged: dict[str, Any]) -> None:
    assert judged["period"] == "2026-Q1...2026-Q2"
    outcomes = {row["dims"]["period"]: Decimal(row["value"]) for row in _of(judged, "bookings", ["period"])}
    assert set(outcomes) == {"2026-Q1", "2026-Q2"}
    rows = _of(judged, "bookings_forecast", ["cutoff", "period", "week", "method"])
    assert {row["dims"]["week"] for row in rows} == {"4", "7"}
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in rows:
        outcome = outcomes[row["dims"]["period"]]
        sums[row["dims"]["method"]][0] += abs(Decimal(row["mean"]) - outcome)
        sums[row["dims"]["method"]][1] += outcome
    wapes = {row["dims"]["method"]: row for row in _of(judged, "wape", ["method"])}
    assert {"chosen", "deal_model", "last_period"} <= set(wapes)
    for method, (error, total) in sums.items():
        assert wapes[method]["value"] == pytest.approx(float(error / total), abs=1e-5)
    covered = _of(judged, "interval_coverage", ["method", "interval"])
    assert {row["dims"]["interval"] for row in covered} == {"50", "80", "95"}
    assert _of(judged, "wape", ["method", "week"])
    assert [row["value"] for row in _of(judged, "new_stages", ["cutoff", "period"])] == [0] * 4
    assert _of(judged, "skill", ["method", "rival"])


def test_a_backtest_as_table_and_as_long_table(home: Path, judged: dict[str, Any]) -> None:
    asked = ("backtest", *AS_OF, "--period", "2026-Q1...2026-Q2", "--weeks", "7,4,7")
    table = revops(home, *asked)
    assert table.code == 0, table.stderr
    assert all(word in table.stdout for word in ("WAPE by week", "week 4", "chosen", "in 80%", "Skill: "))
    rows = list(csv.DictReader(io.StringIO(revops(home, *asked, "--format", "csv").stdout)))
    facts = ["booked", "outcome", "wins", "new_stages", "reason"]
    assert list(rows[0]) == ["cutoff", "period", "week", "method", "mean", *QUANTILES, *facts]
    count = sum(row["metric"] == "bookings_forecast" for row in judged["rows"])
    assert len(rows) == count
    assert all(bool(row["mean"]) != bool(row["reason"]) for row in rows)


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("forecast", ("--period", "2026-Q7"), ["Not a period", "'2026-Q7'", "where: --period", "fix:"]),
        ("forecast", ("--period", "2026-Q2"), ["2026-Q2 is over: its bookings are a fact", "revops metric bookings"]),
        ("forecast", ("--as-of", "2027-01-01"), ["lies after the data", "2026-09-30", "where:", "fix:"]),
        ("forecast", ("--as-of", "soon"), ["as_of is not a day", "'soon'"]),
        ("backtest", ("--as-of", "2027-01-01"), ["lies after the data", "2026-09-30"]),
        ("backtest", ("--period", "2026-Q2...2026-Q3"), ["2026-Q3 is not over", "revops forecast", "where: --period"]),
        ("backtest", ("--period", "2026-Q2...2026-Q1"), ["ends before it starts", "where: --period"]),
        ("backtest", ("--period", "2019-Q1...2026-Q2"), ["does not reach back to 2019-Q1", "begin the series at"]),
        ("backtest", ("--weeks", "1,four"), ["Not a list of weeks", "'1,four'", "where: --weeks", "fix:"]),
        ("backtest", ("--weeks", "1,14"), ["no such week", "from 0", "to 12", "found: 14", "where: --weeks"]),
    ],
)
def test_wrong_use_says_what_was_expected_found_and_how_to_mend_it(
    home: Path, command: str, arguments: tuple[str, ...], words: list[str]
) -> None:
    answer = revops(home, command, *AS_OF, *arguments)
    assert answer.code == 2, answer.stderr
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    assert [word for word in words if word not in answer.stderr] == []


def test_a_source_with_hardly_any_past_says_how_much_is_needed(tmp_path: Path) -> None:
    project = make_project(tmp_path, {})
    asked = ("--source", "tiny", "--as-of", "2026-08-20")
    answer = revops(project.root, "backtest", *asked)
    assert answer.code == 2
    assert "too short for a back-test" in answer.stderr
    assert "4 periods that are over: 3 to learn from and one to forecast" in answer.stderr
    assert "source tiny, as of 2026-08-20" in answer.stderr
    ahead = revops(project.root, "forecast", *asked)
    assert ahead.code in (0, 2), ahead.stderr
    assert "Traceback" not in ahead.stderr


def test_without_kept_files_the_digits_are_the_same(
    home: Path, document: dict[str, Any], answers: dict[Any, Any]
) -> None:
    folder = home / "warehouse" / "sample" / "models"
    records = (path for path in folder.glob("win-*.json") if not path.stem.endswith("-learned"))
    (ours,) = (path for path in records if json.loads(path.read_text())["key"]["as_of"] == AS_OF[-1])
    kept = list(folder.glob(f"{ours.stem}*"))
    assert len(kept) == 3
    for path in kept:
        path.unlink()
    answers.clear()
    assert _document(revops(home, "forecast", *AS_OF, "--period", "2026-Q3", "--format", "json")) == document
