"""Parts of the definitions that check themselves."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from revops_analysis.definitions import Coverage, Stage
from revops_analysis.definitions.words import FullPath, PositionBased, UShaped, WShaped


@pytest.mark.parametrize("model", [UShaped, WShaped, FullPath, PositionBased])
def test_default_weights_add_up_and_others_must(model: type[UShaped]) -> None:
    assert sum(model().model_dump().values()) == pytest.approx(1.0)
    with pytest.raises(ValidationError, match="add up to"):
        model(others=0.5)


def test_a_closed_stage_may_state_only_what_is_certain() -> None:
    assert Stage(name="Won", outcome="won", entry="Signed.", probability=1.0).probability == 1.0
    with pytest.raises(ValidationError, match="probability 0"):
        Stage(name="Lost", outcome="lost", entry="Over.", probability=0.1)


def test_the_minimum_lies_within_the_history() -> None:
    with pytest.raises(ValidationError, match="more than history_periods"):
        Coverage(history_periods=2, minimum_periods=3)
