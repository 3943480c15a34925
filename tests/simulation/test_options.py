from __future__ import annotations

import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.simulation.options import MEANINGS, SimulationOptions
from revops_analysis.simulation.parameters import SCENARIOS, Parameters, parameters_for


@pytest.mark.parametrize(
    ("option", "value"),
    [("seed", -1), ("seed", 1.5), ("scale", 0.0), ("scale", 5000), ("dirt", -0.1), ("dirt", 9), ("scenario", "boom")],
)
def test_a_bad_option_is_refused_and_named(option: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        SimulationOptions(**{option: value})
    assert f"SimulationOptions.{option}" in str(caught.value)
    assert repr(value) in str(caught.value)


def test_blocks_share_the_scale_evenly() -> None:
    assert (SimulationOptions(scale=1).blocks, SimulationOptions(scale=1).block_size) == (1, 1.0)
    assert (SimulationOptions(scale=100).blocks, SimulationOptions(scale=100).block_size) == (100, 1.0)
    assert (SimulationOptions(scale=0.3).blocks, SimulationOptions(scale=0.3).block_size) == (1, 0.3)
    assert SimulationOptions(scale=2.4).block_size == pytest.approx(0.8)


@pytest.mark.parametrize("scenario", sorted(set(MEANINGS) - {"default", "null", "small_company"}))
def test_a_scenario_changes_one_parameter(scenario: str) -> None:
    base, changed = Parameters(), parameters_for(SimulationOptions(scenario=scenario))
    differing = {name for name in vars(base) if getattr(base, name) != getattr(changed, name)}
    assert differing == {SCENARIOS[scenario][0]}


def test_every_scenario_has_a_meaning() -> None:
    assert set(SCENARIOS) == set(MEANINGS)
    assert parameters_for(SimulationOptions()) == Parameters()
