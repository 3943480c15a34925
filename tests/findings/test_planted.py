"""Against the sample company's truth: what was planted is found, and where nothing is wrong nothing is said."""

from __future__ import annotations

import ibis
import pytest

from builders import make_definitions, make_store
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import Question, assess
from revops_analysis.periods import FiscalCalendar, parse_period
from revops_analysis.simulation import SimulationOptions, simulate
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot

NEEDED = ("opportunities", "opportunity_history", "accounts", "users", "exchange_rates")


def simulated(folder, **options):
    """A store with the deals of a simulated company without dirt."""
    simulate(folder, SimulationOptions(dirt=0.0, truth=False, **options))
    store = make_store({name: [] for name in TABLES})
    for name in NEEDED:
        found = folder / "tables" / f"{name}.parquet"
        rows = store.con.read_parquet(found if found.is_file() else folder / "tables" / name / "*.parquet")
        kinds = TABLES[name].ibis_types()
        columns = [rows[n].cast(kind) if n in rows.columns else ibis.null(kind).name(n) for n, kind in kinds.items()]
        store.con.insert(name, rows.select(*columns))
    return store


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scenario": "segment_win_rate_drop", "scale": 3}, ["win_rate_drop:segment=Mid-Market"]),
        ({"scenario": "null", "scale": 1}, []),
    ],
    ids=["planted", "null"],
)
def test_a_planted_drop_is_found_and_nothing_else(tmp_path, project_root, options, expected):
    # Ten points less in one segment need about 600 closed deals a quarter to stand out from chance: scale 3.
    snapshot = Snapshot(simulated(tmp_path, **options), make_definitions(), "2026-09-30")
    playbook = load_playbook(project_root / "params" / "playbook.yml")
    question = Question(snapshot, parse_period("2026-Q3", FiscalCalendar()), playbook)
    assert [finding.id for finding in assess(question, "win_rate_drop").findings] == expected
