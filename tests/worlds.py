"""Random companies whose past is one and whose future is many: for tests that nothing later shows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from random import Random
from typing import Any

from builders import make_definitions
from revops_analysis.tables.schema import TABLES, Column, TableSchema

DAY = dt.date(2026, 6, 30)
END = dt.datetime.fromisoformat("2026-07-01 04:00:00")
"""The as-of date, and the UTC moment at which it ends in New York."""

STAGES = make_definitions().stage_names
_CLOSED = STAGES[-2:]
_WORDS = ("a", "b", "ünï", "", "<b>", None)


class World:
    """One company up to a day, drawn from `past`, and what became of it, drawn from `future`.

    Two worlds of the same past and different futures agree on every row, event and change up to the day, and differ in
    everything that is dated later. `history` says whether the source records changes of deals.
    """

    def __init__(self, past: int, future: int, *, history: bool, deals: int = 4) -> None:
        self.deals = deals
        self.past, self.future, self.history = Random(past), Random(future), history  # noqa: S311

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of every table, in an order that differs from world to world."""
        made = {name: self._plain(schema) for name, schema in TABLES.items() if name not in _DEALS}
        deals, changes = self._deals()
        made["opportunities"] = deals
        if self.history:
            made["opportunity_history"] = changes
        made["exchange_rates"].append({"currency": "EUR", "day": dt.date(2020, 1, 1), "rate_to_reporting": 1.1})
        for rows in made.values():
            self.future.shuffle(rows)
        return made

    def _plain(self, schema: TableSchema) -> list[dict[str, Any]]:
        before = [self._row(schema, n, self.past) for n in range(self.past.randrange(5))]
        after = [self._row(schema, 100 + n, self.future) for n in range(self.future.randrange(5))]
        return before + (after if schema.visible_from else [])

    def _row(self, schema: TableSchema, number: int, source: Random) -> dict[str, Any]:
        """A row of the past, whose later events are drawn from the future; or, from the future, a later row."""
        is_past = source is self.past
        row = {column.name: self._value(column, source) for column in schema.columns}
        for column in schema.columns:
            if column.rule == "event" and column.dated_by is None:
                row[column.name] = self._event(column, source)
        for column in schema.columns:
            if column.rule == "event" and column.dated_by and self._is_later(row[column.dated_by]):
                row[column.name] = self._value(column, self.future)
        for name in schema.key:
            row[name] = self._key(schema.column(name), number)
        for name in filter(None, (schema.visible_from, schema.visible_else)):
            row[name] = self._dated(schema, name, source, later=not is_past)
        return row

    def _key(self, column: Column, number: int) -> Any:
        if column.kind in ("date", "timestamp"):
            return None
        return f"o{number % 4}" if column.references == "opportunities" else f"{column.name}{number}"

    def _event(self, column: Column, source: Random) -> Any:
        """A date of the past in both worlds; or none so far, and in each world another later one or none."""
        if source is self.past and source.random() < 0.5:
            return self._moment(column.kind, source, later=False)
        return self._moment(column.kind, self.future, later=True) if self.future.random() < 0.7 else None

    def _dated(self, schema: TableSchema, name: str, source: Random, *, later: bool) -> Any:
        if schema.whole_month:
            return dt.date(2026, source.randrange(7, 10) if later else source.randrange(1, 7), 1)
        return self._moment(schema.column(name).kind, source, later=later)

    def _moment(self, kind: str, source: Random, *, later: bool) -> Any:
        """A day or moment on one side of the end of the day; often just at the edge."""
        seconds = source.choice([0, 1, 3600, source.randrange(80 * 86400)])
        if kind == "date":
            days = dt.timedelta(days=seconds // 86400)
            return DAY + dt.timedelta(days=1) + days if later else DAY - days
        distance = dt.timedelta(seconds=seconds)
        return END + distance if later else END - distance - dt.timedelta(microseconds=1)

    def _is_later(self, value: Any) -> bool:
        if value is None:
            return False
        return value >= END if isinstance(value, dt.datetime) else value > DAY

    def _value(self, column: Column, source: Random) -> Any:
        if column.name == "currency":
            return source.choice(["EUR", "USD", None])
        if column.references == "opportunities":
            return f"o{source.randrange(4)}"
        plain: dict[str, Any] = {
            "text": source.choice(_WORDS),
            "json": "{}",
            "date": self._moment("date", source, later=False),
            "timestamp": self._moment("timestamp", source, later=False),
            "money": Decimal(source.randrange(100_000)) / 100,
            "rate": Decimal(source.randrange(100_000)) / 1000,
            "number": 0.5 + source.randrange(100) / 64,
            "integer": source.randrange(10),
            "boolean": source.random() < 0.5,
        }
        return plain[column.kind]

    def _deals(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        deals, changes = [], []
        for number in range(self.deals):
            row = self._row(TABLES["opportunities"], number, self.past)
            kind = self.past.choice(["changed", "changed", "late", "unchanged"]) if self.history else "unchanged"
            before = [] if kind != "changed" else self._changes(row, self.past, later=False)
            least = 1 if kind == "late" else 0
            after = [] if kind == "unchanged" else self._changes(row, self.future, later=True, least=least)
            changes += before + after
            deals.append(self._unchanged(row) if kind == "unchanged" else self._current(row, before))
        return [*deals, self._row(TABLES["opportunities"], 1000, self.future)], changes

    def _changes(self, row: dict, source: Random, *, later: bool, least: int = 1) -> list[dict[str, Any]]:
        count = source.randrange(least, 5)
        moments = sorted(self._moment("timestamp", source, later=later) for _ in range(count))
        schema = TABLES["opportunity_history"]
        made = []
        for place, moment in enumerate(moments):
            change = {column.name: self._value(column, source) for column in schema.columns}
            named = {"opportunity_id": row["opportunity_id"], "changed_at": moment, "change_number": place + 1}
            made.append({**change, **named, "stage": source.choice(STAGES)})
        return made

    def _current(self, row: dict, before: list[dict]) -> dict[str, Any]:
        """The deal as the CRM shows it at last: whatever its history has of it comes from the future."""
        schema = TABLES["opportunities"]
        latest = {c.name: self._value(c, self.future) for c in schema.columns if c.rule in ("history", "derived")}
        closed_before = [change for change in before if change["stage"] in _CLOSED]
        if closed_before and self.past.random() < 0.5:
            closed_at, reason = self.past.choice(closed_before)["changed_at"], row["loss_reason"]
        else:
            closed_at, reason = self._moment("timestamp", self.future, later=True), self.future.choice(_WORDS)
        return {**row, **latest, "stage": self.future.choice(STAGES), "closed_at": closed_at, "loss_reason": reason}

    def _unchanged(self, row: dict) -> dict[str, Any]:
        """A deal without recorded changes: closed by the day in every world, or in none."""
        if self.past.random() < 0.5:
            closed = self.past.choice(["closed_at", "close_date"])
            dated = {"closed_at": None, "close_date": self._moment("date", self.past, later=False)}
            if closed == "closed_at":
                dated["closed_at"] = self._moment("timestamp", self.past, later=False)
            return {**row, **dated, "stage": self.past.choice(_CLOSED), "last_activity_at": None}
        later = self._moment("timestamp", self.future, later=True)
        ending = {"forecast_category": self.future.choice(_WORDS), "probability": self.future.random()}
        reason = self.future.choice(_WORDS)
        return {**row, **ending, "stage": self.future.choice(STAGES), "closed_at": later, "loss_reason": reason}


_DEALS = ("opportunities", "opportunity_history")
