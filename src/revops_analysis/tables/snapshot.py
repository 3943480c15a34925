"""A snapshot: everything that was known at the end of a day, and nothing that came later."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.definitions import Definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.tables.asof import opportunities_as_of, table_as_of, table_on_days
from revops_analysis.tables.days import AsOf
from revops_analysis.tables.deals import ORIGINS, DealView, deals_as_of, history_as_of
from revops_analysis.tables.money import Exchange, converted, exchange, refuse_missing_rate
from revops_analysis.tables.notes import counted, cut_notes, missing_table_notes
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.store import Store
from revops_analysis.tables.warehouse import WarehouseInfo

_Found = TypeVar("_Found")
_CHECK = ("missing_rate_of", "missing_rate_on")


def parse_day(value: str | dt.date, what: str = "as_of") -> dt.date:
    """Return a day given as a date or as text in the form 2026-09-30.

    Raises ConfigurationError for anything else; a moment is no day, because its day depends on a time zone.

    >>> parse_day("2026-09-30")
    datetime.date(2026, 9, 30)
    """
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str) and len(value.strip()) == len("2026-09-30"):
        try:
            return dt.date.fromisoformat(value.strip())
        except ValueError:
            pass
    raise ConfigurationError(
        f"{what} is missing." if value is None or value == "" else f"{what} is not a day.",
        expected=f'a day such as {what}="2026-09-30"',
        found=repr(value),
        fix="say as of which day; it is never taken from the clock or from the data",
    )


class Snapshot:
    """The tables of one load as they stood at the end of the day `as_of`, in the business time zone.

    Every result is an Ibis table that runs in the engine of the store. Amounts of `deals` and `history` are in the
    reporting currency of the definitions. The rules behind every column are in docs/as-of.md.

    Raises ConfigurationError when `as_of` is no day, or lies after the last day that the source covers.
    """

    def __init__(self, store: Store, definitions: Definitions, as_of: str | dt.date) -> None:
        self.as_of = parse_day(as_of)
        self.definitions = definitions
        self._store = store
        self._used: dict[str, None] = {}
        self._found: dict[Hashable, Any] = {}
        if self.as_of > store.info.data_through:
            raise ConfigurationError(
                f"as_of {self.as_of.isoformat()} lies after the data.",
                expected=f"a day on or before {store.info.data_through.isoformat()}, the last that the data covers",
                found=f"as_of={self.as_of.isoformat()}",
                where=f"source {store.info.source}, data hash {store.info.content_hash}",
                fix="choose an earlier as-of date, or load newer data and set data_through in the source's profile",
            )

    @property
    def con(self) -> Any:
        """The Ibis backend in which everything runs."""
        return self._store.con

    @property
    def source(self) -> str:
        """Name of the source."""
        return self._store.info.source

    @property
    def data_hash(self) -> str:
        """Content hash of the load."""
        return self._store.info.content_hash

    @property
    def cut(self) -> str:
        """The part of the company that the data hold alone, as `region = EMEA`; empty: all of it."""
        return self._store.info.cut

    @property
    def data_through(self) -> dt.date:
        """The last day that the source covers."""
        return self._store.info.data_through

    @property
    def has_history(self) -> bool:
        """Whether the source supplied the changes of deals."""
        return self._store.info.has_history

    def has(self, table: str) -> bool:
        """Return whether the source supplied the canonical table, with or without rows."""
        return _known_table(table) in self._store.info.supplied_tables

    @property
    def missing_tables(self) -> tuple[str, ...]:
        """Canonical tables that the source did not supply."""
        return tuple(name for name in TABLES if name not in self._store.info.supplied_tables)

    @cached_property
    def _at(self) -> AsOf:
        return AsOf.of(self.as_of, self.definitions.business_time_zone, self.data_through, self._store.first_year)

    @cached_property
    def _exchange(self) -> Exchange:
        return exchange(self._store, self.definitions.reporting_currency)

    def day_of(self, moment: ir.Value) -> ir.Value:
        """Return the business day (date) of a UTC timestamp of a deal or its history, as an expression."""
        return self._at.day_of(moment)

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table at the end of the day: rows that existed, columns by their as-of rule.

        `opportunities` includes deals deleted by then (`deleted_at` is set); amounts are in the row's own currency.
        A table that the source did not supply is empty. Raises ConfigurationError for a name that is no table.
        """
        if _known_table(name) == "opportunities":
            return self._opportunities.select(*TABLES[name].names)
        return table_as_of(self._store, name, self._at)

    def table_on(self, name: str, days: Sequence[dt.date]) -> ibis.Table:
        """Return a canonical table as each of several days knew it, the day in `known_on`: one query for all of them.

        For each day its rows are those of `at(day).table(name)`. Raises ConfigurationError for a name that is no table,
        for `opportunities`, whose states have a history of their own, and for a day after this snapshot's.
        """
        if _known_table(name) == "opportunities":
            raise ConfigurationError(
                "Deals of several days are not one table.", found="opportunities", fix="use history, or at(day)"
            )
        return table_on_days(self._store, name, [self.at(day)._at for day in days])

    def loaded(self, name: str) -> ibis.Table:
        """Return a canonical table as the load holds it, rows and values that claim to be of later days included.

        Only who checks the data itself needs that, and only on the last day, when nothing can leak from later ones.
        Raises ConfigurationError for a name that is no table, and on an earlier day.
        """
        if self.as_of < self.data_through:
            raise ConfigurationError(
                f"The tables as loaded show what came after {self.as_of.isoformat()}.",
                expected=f"a snapshot of {self.data_through.isoformat()}, the last day of the data",
                fix="use table(), which shows what was known on the day",
            )
        return self._store.table(_known_table(name))

    @property
    def load(self) -> WarehouseInfo:
        """The load whose tables these are: where it lies, and its quarantine."""
        return self._store.info

    @cached_property
    def load_counts(self) -> tuple[dict[str, Any], ...]:
        """What loading counted, a row a table (columns of `warehouse.COUNT_TYPES`); empty where unknown."""
        return self._store.load_counts()

    @cached_property
    def _opportunities(self) -> ibis.Table:
        return opportunities_as_of(self._store, self.definitions, self._at)

    @cached_property
    def deals(self) -> ibis.Table:
        """Deals at the end of the day, without those deleted by then: a row a deal.

        Columns: those of `opportunities`, and
        - status (open, won, lost), stage_order (from 1; null where the stage is not known), stage_entered_at (UTC);
        - created_on, booked_on (won deals: the booking day of the definitions, null while it lies after the day),
          closed_on (won deals: as booked_on; lost deals: the day they were lost), all in the business time zone;
        - amount and first_amount in the REPORTING currency, DECIMAL(18, 2); first_amount is the first amount the
          deal had. What is booked is converted at the rate of its booking day, first_amount at the rate of the day it
          was priced, everything else at the as-of date's (all of it under `exchange_rate_day: as_of`). A null amount
          stays null;
        - amount_original, in `currency`; first_priced_at (UTC); arr, renewed_arr and one_time_amount stay in
          `currency` (see `in_reporting_currency`);
        - is_headline (a deal without a type counts as headline), is_omitted;
        - owner_name, owner_role, owner_team, owner_region, account_name, account_segment, account_industry,
          account_region, account_country: as known today;
        - basis: 'history', 'before history' or 'rebuilt' (docs/as-of.md).

        Computed once, on first use. Raises DataRefusedError, naming currency and day, when a rate is missing.
        """
        return self._kept("deals", deals_as_of)

    def _kept(self, name: str, view: Callable[[DealView], ibis.Table]) -> ibis.Table:
        """Compute a view of the deals once, and refuse it if a rate is missing."""

        # Both are tables that the text of the view names, so they must be there even where the text is known already.
        money, _states = self._exchange, self._store.states

        def build(at: AsOf) -> ibis.Table:
            return view(DealView(self._store, self.definitions, money, at))

        kept = self._store.keep_as_of(f"{name}_{self.definitions.hash}", self._at, build)
        lacking = kept.filter(kept.missing_rate_of.notnull())
        refuse_missing_rate(
            lacking.select(currency=_.missing_rate_of, day=_.missing_rate_on), f"{name} of {self.source}"
        )
        return kept.drop(*_CHECK)

    def at(self, day: str | dt.date) -> Snapshot:
        """Return the snapshot of an earlier day over the same data.

        Raises ConfigurationError for a day after this snapshot's: a past cutoff must not look ahead.
        """
        earlier = parse_day(day, "day")
        if earlier > self.as_of:
            raise ConfigurationError(
                f"{earlier.isoformat()} lies after this snapshot.",
                expected=f"a day on or before {self.as_of.isoformat()}",
                found=earlier.isoformat(),
                fix="open the workspace as of the later day",
            )
        return self if earlier == self.as_of else self.once(earlier, lambda: self._on(earlier))

    def _on(self, day: dt.date) -> Snapshot:
        return Snapshot(self._store, self.definitions, day)

    def deals_at(self, day: str | dt.date) -> ibis.Table:
        """Return the deals of an earlier day, exactly as a snapshot of that day has them."""
        return self.at(day).deals

    @cached_property
    def history(self) -> ibis.Table:
        """Every change of a deal up to the end of the day: a row a change, full state after it.

        Columns: those of `opportunity_history` with `amount` in the reporting currency at the as-of date's rate, so
        that a change of amount is never one of the exchange rate, and
        - amount_original, in `currency`; changed_on, the business day; status and stage_order of the stage;
        - change_index (from 0), from_stage (null for the first change), stage_entered_at (UTC);
        - valid_until (UTC): the deal's next change, null if there was none by the end of the day.

        Changes of deals deleted by then are included; those of deals created later are not. Empty where the source
        has no history. Computed once, on first use. Raises DataRefusedError when a rate is missing.
        """
        return self._kept("history", history_as_of)

    def in_reporting_currency(
        self, table: ibis.Table, columns: Sequence[str], *, currency: str = "currency", day: str | None = None
    ) -> ibis.Table:
        """Return `table` with the amounts in `columns` converted from the row's `currency`, in place.

        `day` names a date column whose rate is taken (a null day takes the as-of date's); by default every row takes
        the rate of the as-of date. Types keep their scale. The currency column stays as it was.

        Raises DataRefusedError, naming currency and day, when a rate that is needed is missing; this is checked at
        once, with one query.
        """
        today = ibis.literal(self.as_of)
        on = today if day is None else ibis.coalesce(table[day], today)
        dated = table.mutate(converted_on=on)
        asked = dated.filter(ibis.or_(*[dated[column].notnull() for column in columns]))
        if not self._refuse_unknown(asked, currency):
            return table
        rated = self._exchange.with_rate(dated, "rate", currency, _.converted_on)
        amounts = {column: converted(rated[column], rated.rate, str(table[column].type())) for column in columns}
        return rated.mutate(**amounts).drop("rate", "converted_on")

    def _refuse_unknown(self, asked: ibis.Table, currency: str) -> bool:
        """Refuse amounts without a rate; return whether any amount needs one.

        Rates are looked up once a currency and day, because rows are many and those are few.
        """
        foreign = asked.filter((asked[currency] != self.definitions.reporting_currency).fill_null(False))
        pairs = foreign.group_by([currency, "converted_on"]).aggregate(number=_.count()).to_pyarrow()
        if pairs.num_rows == 0:
            return False
        rated = self._exchange.with_rate(ibis.memtable(pairs), "rate", currency, _.converted_on)
        lacking = rated.filter(rated.rate.isnull()).to_pyarrow().num_rows > 0
        if lacking:
            every = self._exchange.with_rate(foreign, "rate", currency, _.converted_on)
            every = every.filter(every.rate.isnull())
            refuse_missing_rate(every.select(currency=every[currency], day=every.converted_on), "the table converted")
        return True

    def keep(self, question: str, make: Callable[[], ibis.Table]) -> ibis.Table:
        """Compute what `make` returns once into a temporary table of the engine, and return that table.

        What follows then reads a table and not a query of a thousand lines, which takes longer to write down than to
        run. `question` tells results apart; the day, the source and the definitions are added to it here.
        """
        key = f"{self.as_of.isoformat()}|{self.definitions.hash}|{question}"
        return self._store.keep(f"answer_{hashlib.sha256(key.encode()).hexdigest()[:16]}", make)

    @property
    def states(self) -> ibis.Table:
        """Every state of every deal of the load, whatever the day: to choose deals by, never to show."""
        return self._store.states

    @property
    def loaded_deals(self) -> ibis.Table:
        """The opportunities of the load as they are, whatever the day: to choose deals by, never to show."""
        return self._store.table("opportunities")

    def among(self, name: str, deals: Callable[[], ibis.Table], without: tuple[str, ...] = ()) -> Snapshot:
        """Return the snapshot of the same day over only some deals (`opportunity_id`), without some tables.

        `name` tells parts of one load apart. What the deals are is the caller's to prove: a figure over a part is that
        of the whole only if no other deal enters it.
        """
        part = self._store.part(name, deals, without)
        return Snapshot(part, self.definitions, self.as_of)

    def under(self, definitions: Definitions) -> Snapshot:
        """Return the snapshot of the same day over the same data under other definitions."""
        return self if definitions == self.definitions else Snapshot(self._store, definitions, self.as_of)

    @property
    def as_loaded(self) -> Snapshot:
        """The same day over the rows as they were loaded, where duplicates are counted under their survivors."""
        loaded = self._store.as_loaded
        return self if loaded is self._store else Snapshot(loaded, self.definitions, self.as_of)

    def once(self, question: Hashable, find: Callable[[], _Found]) -> _Found:
        """Return what `find` returns, found on the first call for `question` and remembered with this snapshot.

        Nothing about a snapshot changes, so neither does an answer. Who asks must not alter it.
        """
        if question not in self._found:
            self._found[question] = find()
        found: _Found = self._found[question]
        return found

    @property
    def used_current_columns(self) -> tuple[str, ...]:
        """Columns whose past values are not known and that were used nevertheless, as `table.column`, in order."""
        return tuple(sorted(self._used))

    def use_columns(self, columns: Iterable[str]) -> None:
        """Note that a result rests on columns of `deals` (or `table.column`): current ones are listed by reports."""
        self._used.update(dict.fromkeys(self._current(columns)))

    def require_dated(self, columns: Iterable[str], purpose: str) -> None:
        """Refuse columns whose past values are not known, for a use where they would leak what came later.

        Those that the definitions allow (`allowed_current_columns`) pass, and are noted as used.
        Raises ConfigurationError that names the columns.
        """
        current = self._current(columns)
        refused = [name for name in current if name not in self.definitions.allowed_current_columns]
        if refused:
            raise ConfigurationError(
                f"Only today's value of {', '.join(refused)} is known, which cannot serve as {purpose}.",
                expected="columns that are fixed, dated, or rebuilt from history",
                found=", ".join(refused),
                where=f"source {self.source}, as of {self.as_of.isoformat()}",
                fix="leave the column out, or supply its history; if its values never change in your CRM, say so in "
                "allowed_current_columns of the definitions",
            )
        self._used.update(dict.fromkeys(current))

    def _current(self, columns: Iterable[str]) -> list[str]:
        """Return those of the columns that are `current`, as `table.column`."""
        full = [name if "." in name else ORIGINS.get(name, f"opportunities.{name}") for name in columns]
        found = []
        for name in full:
            table, column = name.split(".", 1)
            schema = TABLES.get(table)
            if schema is not None and column in schema.names and schema.column(column).rule == "current":
                found.append(name)
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain sentences: what is missing or approximated as of this day, what that costs and how to supply it."""
        return self._notes

    @cached_property
    def _notes(self) -> tuple[str, ...]:
        info = self._store.info
        of_the_cut = cut_notes(info.cut, info.withheld, info.supplied_tables)
        lacking = missing_table_notes((*info.supplied_tables, *info.withheld))
        return (*of_the_cut, *self._store.notes, *self._deal_notes(), *lacking)

    def _deal_notes(self) -> list[str]:
        """Return sentences on deals whose state is not known from their history."""
        state = self._opportunities.filter(_.deleted_at.isnull())
        found = state.aggregate(
            deals=_.count(),
            early=(_.basis == "before history").sum(),
            rebuilt=(_.basis == "rebuilt").sum(),
            untyped=_.type.isnull().sum(),
        )
        count = found.to_pyarrow().to_pylist()[0]
        notes = []
        if not count["deals"]:
            notes.append(f"No deals were created on or before {self.as_of.isoformat()}: the data begins later.")
        if self.has_history and count["early"]:
            words = counted(count["early"], "deal has", "deals have")
            notes.append(f"{words} no recorded change by {self.as_of.isoformat()}: shown as open, without stage.")
        if self.has_history and count["rebuilt"]:
            words = counted(count["rebuilt"], "deal has", "deals have")
            notes.append(f"{words} no recorded changes at all and are rebuilt from created and close dates.")
        if count["untyped"]:
            words = counted(count["untyped"], "deal has", "deals have")
            notes.append(f"{words} no type (new, expansion, renewal) and count as headline deals.")
        return notes


def _known_table(name: str) -> str:
    if name not in TABLES:
        raise ConfigurationError(
            "No such table.", expected=", ".join(TABLES), found=repr(name), fix="use one of the canonical tables"
        )
    return name
