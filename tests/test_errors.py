"""Errors carry their parts, their exit code, and survive a trip between processes."""

from __future__ import annotations

import pickle

import pytest

from revops_analysis.errors import (
    ChapterFailedError,
    ConfigurationError,
    DataRefusedError,
    DeliveryError,
    RevopsError,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(ConfigurationError, 2), (DataRefusedError, 3), (ChapterFailedError, 4), (DeliveryError, 5)],
)
def test_each_kind_has_its_exit_code(kind: type[RevopsError], code: int) -> None:
    assert kind("x").exit_code == code


def test_only_the_known_parts_are_printed() -> None:
    text = str(ConfigurationError("Unknown stage.", found="Won!", fix="map it"))
    assert text == "Unknown stage.\n  found: Won!\n  fix: map it"


def test_an_error_comes_back_whole_from_another_process() -> None:
    error = DataRefusedError("Refused.", expected="a", found="b", where="c", fix="d")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, made one line above
    assert type(again) is DataRefusedError
    assert vars(again) == vars(error)


def _shown_in_a_notebook(cell: str) -> str:
    """What a kernel's shell prints for a cell that raises."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.io import capture_output

    shell = InteractiveShell()
    with capture_output() as captured:
        shell.run_cell(f"from revops_analysis.errors import ConfigurationError\n{cell}")
    return str(captured.stdout)


def test_a_notebook_shows_what_to_change_and_where_it_was_raised_only_on_demand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell = 'raise ConfigurationError("Unknown metric.", found="winrate", fix="write win_rate")'
    monkeypatch.delenv("REVOPS_DEBUG", raising=False)
    shown = _shown_in_a_notebook(cell)
    assert shown.splitlines() == [
        "\x1b[31mConfigurationError\x1b[0m: Unknown metric.",
        "  found: winrate",
        "  fix: write win_rate",
    ]
    monkeypatch.setenv("REVOPS_DEBUG", "1")
    debugged = _shown_in_a_notebook(cell)
    assert "Traceback" in debugged
    assert "fix: write win_rate" in debugged
