from __future__ import annotations

from pathlib import Path

import pytest

from revops_analysis.simulation import SimulationOptions, simulate
from revops_analysis.simulation.bands import BANDS
from simulation.measures import measures

SEEDS = range(5)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, float]]:
    result = {}
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp(f"seed{seed}")
        simulate(folder, SimulationOptions(seed=seed))
        result[seed] = measures(folder)
    return result


@pytest.mark.parametrize("name", BANDS)
def test_every_seed_lies_in_the_documented_band(name: str, figures: dict[int, dict[str, float]]) -> None:
    found = [figures[seed][name] for seed in SEEDS]
    assert all(BANDS[name].low <= value <= BANDS[name].high for value in found), (name, found)


def test_most_deals_come_from_outbound_partners_and_customers(figures: dict[int, dict[str, float]]) -> None:
    for seed in SEEDS:
        by = {source: figures[seed][f"deals a month, {source}"] for source in ("Outbound", "Partner", "Customer")}
        others = sum(figures[seed][f"deals a month, {source}"] for source in ("Inbound", "Event", "Paid"))
        assert sum(by.values()) > 3 * others


def test_the_documentation_names_every_band(project_root: Path) -> None:
    text = (project_root / "docs" / "sample-company.md").read_text(encoding="utf-8")
    assert [name for name in BANDS if name not in text] == []
