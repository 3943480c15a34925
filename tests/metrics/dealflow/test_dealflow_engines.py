"""The deals behind the detail, the chain of stages and the narrowed movement: DuckDB and PostgreSQL agree."""

from __future__ import annotations

import ibis
import pandas as pd
import pytest

from builders import make_definitions, make_snapshot, make_store
from metrics.dealflow.stories import AHEAD
from metrics.dealflow.test_stage_chain import YEAR
from metrics.generated import company
from revops_analysis.metrics.dealflow.book import deal_book
from revops_analysis.metrics.dealflow.stage_chain import stage_what_if
from revops_analysis.metrics.movement import MovementSpan, pipeline_movement
from revops_analysis.metrics.movement_scope import narrowed
from revops_analysis.metrics.where import Where
from revops_analysis.periods import FiscalCalendar, parse_period
from revops_analysis.tables.snapshot import Snapshot

pytestmark = pytest.mark.postgres


def test_both_engines_agree(postgres_url: str) -> None:
    tables = company(5, 120)
    con = ibis.connect(postgres_url)
    con.create_database("dealflow")
    theirs = Snapshot(make_store(tables, con=con, database="dealflow"), make_definitions(), "2026-09-30")
    both = (theirs, make_snapshot(tables, as_of="2026-09-30"))
    books = [deal_book(each, AHEAD) for each in both]
    for name in ("deals", "moves", "seen"):
        left, right = (getattr(book, name) for book in books)
        pd.testing.assert_frame_equal(left.fillna("–"), right.fillna("–"), check_dtype=False)
    left, right = (stage_what_if(each, YEAR).frame for each in both)
    pd.testing.assert_frame_equal(left, right, check_dtype=False)
    span = MovementSpan.of(parse_period("2026-Q2", FiscalCalendar()), both[0].as_of)
    moved = [pipeline_movement(narrowed(each, span, Where(), worth_it=0), span) for each in both]
    pd.testing.assert_frame_equal(moved[0].lines, moved[1].lines, check_dtype=False)
    pd.testing.assert_frame_equal(moved[0].moved.lines, moved[1].moved.lines, check_dtype=False)
    pd.testing.assert_frame_equal(moved[0].reasons, moved[1].reasons, check_dtype=False)
    con.disconnect()
