"""The example profiles on the public data beside the project, to the published figures."""

import os
import shutil
from decimal import Decimal

import pytest

from revops_analysis.sources.load import load_source
from revops_analysis.sources.profile import load_profile
from revops_analysis.tables.warehouse import attach

pytestmark = pytest.mark.external_data


@pytest.fixture
def load_example(lab, project_root, shared_data, monkeypatch):
    shutil.copytree(project_root / "params" / "sources", lab.profiles, dirs_exist_ok=True)
    monkeypatch.setenv("REVOPS_SHARED_DATA", os.fspath(shared_data.resolve()))
    return lambda name: load_source(load_profile(f"params/sources/examples/{name}.yml", lab.project), lab.project)


def test_maven_reproduces_its_published_figures(lab, load_example, counts):
    result = load_example("maven_crm")
    assert counts(result, "opportunities") == {
        "read": 8800,
        "loaded": 8800,
        "collapsed": 0,
        "quarantined": 0,
        "filtered": 0,
    }
    con = attach(result.warehouse)
    try:
        won, closed, value = con.raw_sql(
            "SELECT count(*) FILTER (stage = 'Closed Won'), count(*), sum(amount) FROM "
            "warehouse.main.opportunities WHERE stage LIKE 'Closed%'"
        ).fetchone()
        quarters = con.raw_sql(
            "SELECT quarter(close_date), sum(amount) FROM warehouse.main.opportunities "
            "WHERE stage = 'Closed Won' AND year(close_date) = 2017 GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        products = con.raw_sql("SELECT DISTINCT product FROM warehouse.main.opportunities").fetchall()
    finally:
        con.disconnect()
    assert (won, closed - won) == (4238, 2473)
    assert round(won / closed, 4) == 0.6315
    assert value == Decimal("10005534")
    assert quarters == [(1, 1134672), (2, 3086111), (3, 2982255), (4, 2802496)]
    assert ("GTX Pro",) in products
    assert ("GTXPro",) not in products


def test_the_other_examples_load(load_example):
    for name in ("salesforce_devorg", "fivetran_salesforce", "fivetran_hubspot"):
        frame = load_example(name).counts.set_index("table")
        assert (frame["read"] == frame[["loaded", "collapsed", "quarantined", "filtered"]].sum(axis=1)).all()
        assert frame.loc["opportunities", "loaded"] == frame.loc["opportunities", "read"] > 0


def test_olist_reproduces_its_published_funnel(lab, load_example, shared_data):
    """8,000 leads, 842 won (10.525%), half of those within 14 days: README of the public data sets.

    By origin as counted with pandas from the files themselves.
    """
    import pandas as pd

    from revops_analysis.metrics.funnel import lead_table
    from revops_analysis.metrics.registry import compute_metric
    from revops_analysis.models.lead_handoff import lead_handoff
    from revops_analysis.workspace import open_workspace

    load_example("olist_funnel")
    workspace = open_workspace("params/sources/examples/olist_funnel.yml", as_of="2018-11-30", project=lab.project)
    whole = "2017-06-01..2018-05-31"
    share = compute_metric(workspace, "funnel_share", whole).frame.set_index("step").loc["lead to won"]
    assert (share["value"], share["n"]) == (0.10525, 8000)
    days = compute_metric(workspace, "funnel_days", whole).frame.set_index(["step", "quantile"])
    assert days.loc[("lead to won", "0.5"), "value"] == 14.0
    by_origin = compute_metric(workspace, "funnel_share", whole, by=["source"]).frame
    ours = by_origin[by_origin["step"] == "lead to won"].set_index("source", drop=False)
    files = [shared_data / "olist_funnel" / f"olist_{name}_dataset.csv" for name in _OLIST]
    leads = pd.read_csv(files[0]).merge(pd.read_csv(files[1]), how="left", on="mql_id")
    theirs = leads.assign(won=leads["won_date"].notna()).groupby("origin")["won"].agg(["size", "mean"])
    named = theirs.drop(index="unknown")
    assert ours.loc[named.index, "n"].tolist() == named["size"].tolist()
    assert ours.loc[named.index, "value"].to_numpy() == pytest.approx(named["mean"].to_numpy())
    assert int(ours[ours["source"].isna()]["n"].iloc[0]) == 60 + 1099
    # One lead is recorded as won before its first contact: day 0, and counted as out of order.
    table = lead_table(workspace)
    assert int(table.filter(table.is_out_of_order).count().to_pyarrow().as_py()) == 1
    found = lead_handoff(workspace, "2018-Q2")
    assert {"business_segment", "lead_type", "lead_behaviour_profile", "business_type"} <= set(
        found.proposal.leaks.refused
    )
    assert "no first response" in found.speed.reason


_OLIST = ("marketing_qualified_leads", "closed_deals")
