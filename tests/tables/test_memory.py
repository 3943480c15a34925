from __future__ import annotations

import pytest

from revops_analysis.tables.memory import ALONE_MB, LEAST_MB, TOGETHER_MB, VARIABLE, engine_mb, share_of
from revops_analysis.tables.warehouse import connect


def test_an_engine_alone_takes_more_than_one_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert engine_mb() == ALONE_MB
    monkeypatch.setenv(VARIABLE, share_of(3)[VARIABLE])
    assert TOGETHER_MB - 3 < engine_mb() * 3 <= TOGETHER_MB
    assert share_of(1_000) == {VARIABLE: str(LEAST_MB)}


def test_a_connection_takes_the_share_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1000")
    con = connect()
    try:
        assert con.raw_sql("SELECT current_setting('memory_limit')").fetchone() == ("953.6 MiB",)
    finally:
        con.disconnect()
