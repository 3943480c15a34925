from __future__ import annotations

import pytest

from revops_analysis.tables.memory import BUDGET_MB, LEAST_MB, VARIABLE, engine_mb, share_of
from revops_analysis.tables.warehouse import connect


def test_the_budget_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert engine_mb() == BUDGET_MB
    assert share_of(1) == {VARIABLE: str(BUDGET_MB)}
    assert int(share_of(3)[VARIABLE]) * 3 <= BUDGET_MB
    assert share_of(1_000) == {VARIABLE: str(LEAST_MB)}


def test_a_connection_takes_the_share_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1000")
    assert share_of(2) == {VARIABLE: "500"}
    con = connect()
    try:
        assert con.raw_sql("SELECT current_setting('memory_limit')").fetchone() == ("953.6 MiB",)
    finally:
        con.disconnect()
