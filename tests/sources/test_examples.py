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
