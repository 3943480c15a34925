"""The sample company as a source."""

import pandas as pd

from revops_analysis.sources import sample
from revops_analysis.sources.load import load_source
from revops_analysis.sources.profile import load_profile
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.warehouse import attach

PROFILE = "kind: sample\nscale: 0.05\nseed: 3\n"


def test_the_sample_loads_whole_and_without_its_truth(lab):
    (lab.profiles / "tiny.yml").write_text(PROFILE)
    result = load_source(load_profile("tiny", lab.project), lab.project)
    frame = result.counts.set_index("table")
    assert (frame["read"] == frame[["loaded", "collapsed", "quarantined", "filtered"]].sum(axis=1)).all()
    assert frame.loc["opportunities", "loaded"] > 50
    assert result.warehouse.source == "tiny"
    assert result.warehouse.data_through.isoformat() == "2026-09-30"
    assert result.warehouse.has_history
    assert result.warehouse.definitions_file is None
    assert len(list((lab.project.warehouse / "tiny" / "_generated").glob("*/truth"))) == 1
    con = attach(result.warehouse)
    try:
        tables = set(con.list_tables(database=("warehouse", "main")))
    finally:
        con.disconnect()
    assert {name for name in tables if not name.startswith("_")} == set(TABLES)


def test_it_is_simulated_once_for_the_same_options(lab, monkeypatch):
    made = []

    def simulate(folder, options):
        made.append(options.seed)
        (folder / "tables").mkdir()
        deals = pd.DataFrame({"opportunity_id": [str(options.seed)], "stage": ["Discovery"]})
        deals.to_parquet(folder / "tables" / "opportunities.parquet")

    monkeypatch.setattr(sample.simulation, "simulate", simulate)
    hashes = []
    for seed in (3, 3, 4):
        (lab.profiles / "tiny.yml").write_text(PROFILE.replace("seed: 3", f"seed: {seed}"))
        hashes.append(load_source(load_profile("tiny", lab.project), lab.project).warehouse.content_hash)
    assert made == [3, 4]
    assert hashes[0] == hashes[1] != hashes[2]
