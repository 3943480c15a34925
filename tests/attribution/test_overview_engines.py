"""The attribution chapter: DuckDB and a real PostgreSQL give the same figures."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest

from attribution.overview_cases import company, tables
from builders import make_definitions, make_store
from revops_analysis.attribution.credit import credit
from revops_analysis.attribution.journeys import journeys
from revops_analysis.attribution.overview import attribution_overview
from revops_analysis.tables.snapshot import Snapshot

pytestmark = pytest.mark.postgres


def test_both_engines_agree(postgres_url):
    con = ibis.connect(postgres_url)
    con.create_database("chapter")
    theirs = Snapshot(make_store(tables(), con=con, database="chapter"), make_definitions(), "2026-09-30")
    both = (company(), theirs)
    made = [attribution_overview(snapshot, "2026-Q3") for snapshot in both]
    for name in ("headline", "pipeline", "settings", "verdict", "returns", "unattributed", "gaps"):
        pd.testing.assert_frame_equal(*[getattr(each, name) for each in made], check_dtype=False)
    for name in ("lengths", "common", "flow"):
        pd.testing.assert_frame_equal(*[getattr(each.shapes, name) for each in made], check_dtype=False)
    for name in ("channels", "company"):
        pd.testing.assert_frame_equal(*[getattr(each.spend, name) for each in made], check_dtype=False)
    pd.testing.assert_frame_equal(*[each.compared.shares for each in made], check_dtype=False)
    keys = ["deal_number", "touchpoint_id"]
    for model in ("markov_by_deal", "shapley"):
        shared = [credit(journeys(snapshot), model).shared.to_pandas().sort_values(keys) for snapshot in both]
        pd.testing.assert_frame_equal(*[frame.reset_index(drop=True) for frame in shared], check_dtype=False)
    con.disconnect()
