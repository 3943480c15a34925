"""Credit in whole cents: what the touches of a deal receive adds up to its amount, whatever their shares.

The cents up to and including each touch are rounded, and a touch receives the difference to the touch before it. So
the sum is exact by construction, no touch is off by a cent or more, nothing is negative, and the outcome depends on
nothing but the order in time. Giving the odd cents to the largest remainders would say the same to the cent, but needs
every model's touches sorted once more, which at ten million touches is most of the work.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

SCALE = 2**40
"""Weights are whole numbers of this unit, so that their sums are exact in whatever order they are taken."""

_WIDE = "decimal(22, 2)"
"""Room for every amount times a hundred."""


def cents_between(cents: ir.Value, before: ir.Value, up_to: ir.Value, whole: ir.Value) -> ir.Value:
    """Return the cents of a touch: of all `cents`, those between the parts `before` it and `up_to` it of a `whole`.

    Null where the deal has no amount. A negative amount is shared out like a positive one. Exact for amounts below 45
    trillion (2^52 cents), beyond which not every cent is a number of its own.
    """
    a_part = cents.cast("float64") / whole
    return ((a_part * up_to + 0.5).floor() - (a_part * before + 0.5).floor()).cast("int64")


def whole_weight(weight: ir.Value) -> ir.Value:
    """Return a weight between 0 and 1 as a whole number of `SCALE`."""
    return (weight * float(SCALE) + 0.5).floor().cast("int64")


def cents_of(amount: ir.Value) -> ir.Value:
    """Return an amount, DECIMAL(18, 2), as whole cents (int64); null stays null. Exact as `cents_between` is."""
    # Through a float, because an engine takes a hundred times as long to cast a wide DECIMAL to a whole number.
    return (amount.cast("float64") * 100.0 + 0.5).floor().cast("int64")


def money(cents: ir.Value) -> ir.Value:
    """Return cents as an amount, DECIMAL(18, 2)."""
    return (cents.cast(_WIDE) * ibis.literal("0.01").cast(_WIDE)).cast("decimal(18, 2)")
