"""Amounts in the reporting currency, at the rate of a stated day, and never at a rate that is not there.

The rate of a day is the last one on or before it. The reporting currency itself, and a null currency, which means the
reporting currency, have rate 1. Rates are DECIMAL(20, 12) and products are rounded half away from zero to the cent, so
every engine gives the same cent.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _
from ibis.expr.datatypes import dtype

from revops_analysis.errors import DataRefusedError
from revops_analysis.tables.store import Store

RATE_TYPE = "decimal(20, 12)"


@dataclass(frozen=True)
class Exchange:
    """Converts amounts: `daily` has a rate for each currency and day, `reporting` is the reporting currency."""

    daily: ibis.Table
    reporting: str

    def with_rate(self, table: ibis.Table, name: str, currency: str, day: ir.Value) -> ibis.Table:
        """Add column `name`: the rate of the row's `currency` on `day`; null where there is none."""
        asked = table.mutate(**{f"{name}_day": day})
        rates = self.daily.select(
            **{f"{name}_of": _.currency, f"{name}_on": _.day, f"{name}_found": _.rate_to_reporting}
        )
        on = [asked[currency] == rates[f"{name}_of"], asked[f"{name}_day"] == rates[f"{name}_on"]]
        joined = asked.left_join(rates, on)
        needs_none = joined[currency].isnull() | (joined[currency] == self.reporting)
        rate = ibis.ifelse(needs_none, ibis.literal(1, RATE_TYPE), joined[f"{name}_found"])
        return joined.mutate(**{name: rate}).drop(f"{name}_of", f"{name}_on", f"{name}_found", f"{name}_day")


def exchange(store: Store, reporting: str) -> Exchange:
    """Return the exchange of a store, with a rate for each currency and each day from its first rate on.

    Days end at `data_through`; the rate of a day never rests on a later one.
    """

    def daily() -> ibis.Table:
        rates = store.table("exchange_rates")
        return _filled(rates, _calendar(rates, store.info.data_through))

    return Exchange(store.keep("daily_rates", daily), reporting)


def converted(amount: ir.Value, rate: ir.Value, to: str = "decimal(18, 2)") -> ir.Value:
    """Return `amount` × `rate`, rounded half away from zero to the scale of `to`; null if either is.

    Rounding a product of decimals takes 128-bit division, which is most of what converting costs. So amounts at rate 1
    stay as they are, and a product whose last digit is beyond doubt in binary floating point (not within a hundredth of
    a tie, and below 2^43 units) is rounded there. The result is that of decimals in every case.
    """
    unit = 10 ** (dtype(to).scale or 0)
    product = amount.cast("float64") * rate.cast("float64") * float(unit)
    is_plain = ((product - product.floor() - 0.5).abs() > 0.01) & (product.abs() < float(2**43))
    rounded = ((product + 0.5).floor().cast("float64") / float(unit)).cast(to)
    return ibis.cases((rate == 1, amount.cast(to)), (is_plain, rounded), else_=(amount * rate).cast(to))


def refuse_missing_rate(missing: ibis.Table, where: str) -> None:
    """Raise DataRefusedError if `missing` (columns currency, day) has rows, naming the first currency and day."""
    first = missing.order_by(["currency", "day"]).limit(1).to_pyarrow().to_pylist()
    if not first:
        return
    count = missing.count().to_pyarrow().as_py()
    currency, day = first[0]["currency"], first[0]["day"]
    raise DataRefusedError(
        f"No exchange rate for {currency} on or before {day.isoformat()}.",
        expected="a row in exchange_rates for every currency from the first day on which an amount is in it",
        found=f"{count} amounts without a rate, the first in {currency} on {day.isoformat()}",
        where=where,
        fix=f"add the rate of {currency} for {day.isoformat()} or an earlier day to exchange_rates, and load again",
    )


def _calendar(rates: ibis.Table, last: dt.date) -> ibis.Table:
    first = rates.day.min().to_pyarrow().as_py()
    count = 0 if first is None else max(0, (last - first).days + 1)
    days = [] if first is None else [first + dt.timedelta(days=n) for n in range(count)]
    return ibis.memtable(pa.table({"day": pa.array(days, pa.date32())}))


def _filled(rates: ibis.Table, days: ibis.Table) -> ibis.Table:
    """Carry each currency's rates forward over the days on which there is none."""
    currencies = rates.select("currency").distinct()
    known = rates.select(rate_currency=_.currency, rate_day=_.day, known_rate=_.rate_to_reporting.cast(RATE_TYPE))
    grid = currencies.cross_join(days)
    joined = grid.left_join(known, [grid.currency == known.rate_currency, grid.day == known.rate_day])
    so_far = ibis.window(group_by="currency", order_by="day", preceding=(None, 0), following=None)
    numbered = joined.mutate(stretch=_.known_rate.count().over(so_far))
    carried = _.known_rate.max().over(ibis.window(group_by=["currency", "stretch"]))
    return numbered.mutate(rate_to_reporting=carried).select("currency", "day", "rate_to_reporting")
