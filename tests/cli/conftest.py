"""A small company on which commands that change nothing are run, and what they compute, once for all formats."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.commands import company_of
from revops_analysis.tables.snapshot import Snapshot

COSTLY = (
    ("revops_analysis.findings.registry", "find_problems"),
    ("revops_analysis.models.bookings_backtest", "backtest_bookings"),
    ("revops_analysis.models.deal_flags", "deal_flags"),
    ("revops_analysis.models.forecast", "forecast_bookings"),
    ("revops_analysis.models.lead_replay", "replay"),
    ("revops_analysis.models.lifetime.renewal_risk", "renewal_risk"),
    ("revops_analysis.validation.duplicates", "duplicates_in"),
    ("revops_analysis.validation.repairs", "repairs_of_load"),
)
"""What commands ask, and what takes them seconds. Each is asked once with the same arguments in a module."""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a sample company a twentieth of the usual size; one for all modules of a worker."""
    return company_of(tmp_path_factory.mktemp("project"), 0.05)


@pytest.fixture(scope="module", autouse=True)
def answers() -> Iterator[dict[Any, Any]]:
    """What was computed, by function and arguments: the same command in another format prints the same answer.

    A test that is about computing it again clears this.
    """
    kept: dict[Any, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        for module, name in COSTLY:
            patch.setattr(f"{module}.{name}", _once(getattr(importlib.import_module(module), name), kept))
        yield kept


def _once(function: Callable[..., Any], kept: dict[Any, Any]) -> Callable[..., Any]:
    def answer(*arguments: Any, **named: Any) -> Any:
        said = [*arguments, *(value for _, value in sorted(named.items()))]
        key = (function.__name__, tuple(sorted(named)), *(_key(value) for value in said if not callable(value)))
        if key not in kept:
            kept[key] = function(*arguments, **named)
        return kept[key]

    return answer


def _key(value: Any) -> str:
    if isinstance(value, Snapshot):
        return f"{value.source} {value.data_hash} {value.as_of} {value.definitions.hash}"
    return repr(value)
