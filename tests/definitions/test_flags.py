"""Warning flags in the definitions: every mistake is refused, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from definitions.test_load import MINIMAL
from revops_analysis.definitions import load_definitions
from revops_analysis.errors import ConfigurationError

FLAG = "    - {name: mine, title: Mine, meaning: A test., when: [{measure: pushes, op: '>=', value: 2}]}\n"


@pytest.fixture
def load(tmp_path: Path):
    def load_(text: str):
        path = tmp_path / "definitions.yml"
        path.write_text(MINIMAL + text, encoding="utf-8")
        return load_definitions(path)

    return load_


def test_a_short_file_has_flags_and_the_shipped_one_all_of_them(load, project_root) -> None:
    assert [flag.name for flag in load("").warnings.flags] == ["stalled", "overdue", "pushed", "quiet"]
    shipped = load_definitions(project_root / "params" / "definitions.yml").warnings
    assert len(shipped.flags) == 14
    assert {"stalled", "pushed", "no_next_step", "late_and_young"} <= {flag.name for flag in shipped.flags}


def test_own_flags_take_numbers_and_named_settings(load) -> None:
    words = load(f"warnings:\n  flags:\n{FLAG.replace('value: 2', 'value: push_count')}").warnings
    assert words.flags[0].when[0].value == "push_count"
    assert load(f"warnings:\n  flags:\n{FLAG}").warnings.flags[0].when[0].value == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"warnings:\n  flags:\n{FLAG.replace('pushes', 'push')}", "measure cannot be 'push'"),
        (f"warnings:\n  flags:\n{FLAG.replace('>=', '=>')}", "op cannot be '=>'"),
        (f"warnings:\n  flags:\n{FLAG.replace('value: 2', 'value: pushcount')}", "push_count"),
        (f"warnings:\n  flags:\n{FLAG.replace('value: 2', 'value: .inf')}", "write a number"),
        (f"warnings:\n  flags:\n{FLAG}{FLAG}", "'mine' is named twice"),
        (f"warnings:\n  flags:\n{FLAG.replace('mine,', 'Mine 2,')}", "name"),
        (f"warnings:\n  flags:\n{FLAG.replace('when:', 'if:')}", "unknown key if"),
        (f"warnings:\n  flags:\n{FLAG}".replace("[{measure: pushes, op: '>=', value: 2}]", "[]"), "when"),
        ("warnings: {age_bands: [60, 30]}\n", "write rising limits above 0"),
        ("warnings: {horizon: 90}\n", "horizon_days"),
        ("sellers: {least_quota_coverage: 1.5}\n", "write a larger one"),
    ],
)
def test_a_mistake_is_refused_with_its_line_and_what_to_write(load, text, expected) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(text)
    assert expected in str(refused.value)
    assert "line " in str(refused.value)
