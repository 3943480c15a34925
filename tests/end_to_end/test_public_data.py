"""Other people's exports become the same report: figures as published, missing tables as plain sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from end_to_end.commands import Answer, copy_project, revops
from revops_analysis.tables.schema import TABLES

pytestmark = pytest.mark.external_data

EXAMPLES = {
    "maven_crm": "2017-12-31",
    "salesforce_devorg": "2026-03-08",
    "fivetran_salesforce": "2019-11-26",
    "fivetran_hubspot": "2023-06-22",
}
MAVEN_WON_BY_QUARTER = ["1134672.00", "3086111.00", "2982255.00", "2802496.00"]
"""Won value by quarter of 2017, README of the public data sets; together 10,005,534."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    made = tmp_path_factory.mktemp("public")
    copy_project(made)
    report = made / "params" / "reports" / "quarterly.yml"
    report.write_text(report.read_text() + "pdf: never\n")  # the sample's has one, which is enough
    return made


def _with(root: Path, shared_data: Path, *arguments: str) -> Answer:
    return revops(root, *arguments, REVOPS_SHARED_DATA=str(shared_data))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_becomes_a_whole_report(root: Path, shared_data: Path, name: str) -> None:
    profile = f"params/sources/examples/{name}.yml"
    loaded = _with(root, shared_data, "load", profile)
    assert loaded.code == 0, loaded.stderr
    out = root / "out"
    made = _with(
        root, shared_data, "report", "quarterly", "--source", profile, "--as-of", EXAMPLES[name], "--out", str(out)
    )
    assert made.code == 0, made.stderr
    page = Path(made.stdout.strip())
    assert "No touchpoints: " in page.read_text(encoding="utf-8")
    warnings = json.loads((page.parent / "key_figures.json").read_text())["warnings"]
    missing = [warning for warning in warnings if warning.removeprefix("No ").split(":")[0] in TABLES]
    assert missing
    assert all("To change that, " in warning for warning in missing)


def test_maven_has_its_published_figures(root: Path, shared_data: Path) -> None:
    """Loaded by the test above; loading again gives the same warehouse."""
    profile = "params/sources/examples/maven_crm.yml"
    assert _with(root, shared_data, "load", profile).code == 0
    asked = ("--source", profile, "--as-of", "2017-12-31", "--format", "json")
    won = _with(root, shared_data, "metric", "bookings", *asked, "--period", "2017-Q1...2017-Q4")
    assert [row["value"] for row in json.loads(won.stdout)["rows"]] == MAVEN_WON_BY_QUARTER
    rate = _with(root, shared_data, "metric", "win_rate", *asked, "--period", "2017")
    (row,) = json.loads(rate.stdout)["rows"]
    assert (row["n"], row["value"]) == (4238 + 2473, pytest.approx(0.6315, abs=5e-5))


def test_what_maven_s_deals_became_cannot_be_told_before(
    root: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost deals have value 0 and no history there, which gives the outcome away: an honest AUC is about .51 to .54.

    Of deals that closed later in the year, the probability (of winning in the period) must not tell won from lost.
    """
    import datetime as dt

    from revops_analysis import open_workspace
    from revops_analysis.models.cutoffs import Cutoff
    from revops_analysis.models.evidence import gather_evidence
    from revops_analysis.models.probability_scores import score_probabilities
    from revops_analysis.models.win_probability import WinModelOptions, WinProbability
    from revops_analysis.periods import parse_period
    from revops_analysis.project import find_project

    monkeypatch.setenv("REVOPS_SHARED_DATA", str(shared_data))
    project = find_project(root)
    profile = root / "params" / "sources" / "examples" / "maven_crm.yml"
    assert _with(root, shared_data, "load", str(profile)).code == 0
    workspace = open_workspace(profile, as_of="2017-12-31", project=project)
    period = parse_period("2018-Q1", workspace.definitions.fiscal_calendar)
    states = gather_evidence(workspace, [Cutoff(dt.date(2017, 12, 31), period)]).states
    known = states[states["won"].notna()]
    later = known["period"].isin(["2017-Q3", "2017-Q4"])
    model = WinProbability(WinModelOptions(minimum_periods=1)).fit(known[~later])
    assert model.basis_ == "model"
    ends = workspace.deals.select("opportunity_id", "status").to_pandas()
    closed = known[later].merge(ends[ends["status"] != "open"], on="opportunity_id")
    scores = score_probabilities((closed["status"] == "won").astype("float64"), model.predict_proba(closed))
    assert 0.45 < scores.set_index("score").loc["roc_auc", "value"] < 0.56
