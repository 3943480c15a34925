"""A workspace that needs no warehouse: just what a chapter reads from the real one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class FakeDefinitions:
    version: str = "1"
    hash: str = "d" * 64
    reporting_currency: str = "USD"


@dataclass(frozen=True)
class FakeWorkspace:
    source: str = "sample"
    data_hash: str = "a" * 64
    as_of: date = date(2026, 9, 30)
    definitions: FakeDefinitions = field(default_factory=FakeDefinitions)
    notes: tuple[str, ...] = ()
    used_current_columns: tuple[str, ...] = ()
