"""The deals behind a movement: a row a deal, its signed lines one by one, and the deals of a line.

Nothing is read from the engine before it is asked for: a movement of a million deals is a table of seventeen lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.deals import missing
from revops_analysis.metrics.where import check_names

ENTRIES = ("created", "reopened", "restored", "moved_in_pulled", "moved_in_pushed")
CHANGES = ("amount_up", "amount_down", "exchange_rate")
EXITS = ("moved_out_pulled", "moved_out_pushed", "omitted", "transferred", "deleted", "lost", "won")
LINES = ("opening", *ENTRIES, *CHANGES, *EXITS, "closing")
"""All lines, in order: the opening plus everything between gives the closing."""

_AMOUNTS = ("opening", "entered", "amount_change", "exchange_rate", "ended", "closing", "change")


@dataclass(frozen=True, eq=False)
class MovedDeals:
    """The deals of a movement in the engine: `reasoned` a row a deal, `lined` a row a deal and value of the cut."""

    reasoned: ir.Table
    lined: ir.Table
    known: ir.Table
    by: tuple[str, ...]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row a deal that has any line, largest change first.

        [opportunity_id, opening, entered, amount_change, exchange_rate, ended, closing, change, entry, leaving,
        reason]: `entry` and `leaving` are the lines by which it came and went (null: it was there, it is there),
        `reason` is one primary line, for ranking only.
        """
        deals = self.reasoned
        names = ["opportunity_id", *_AMOUNTS, "entry", "leaving", "reason"]
        ordered = deals.order_by([deals.change.abs().desc(), deals.opportunity_id]).select(*names)
        return ordered.to_pandas().astype(dict.fromkeys(_AMOUNTS, "float64"))

    @cached_property
    def lines(self) -> pd.DataFrame:
        """Every signed line of every deal: [opportunity_id, *by, line, value], lines of a deal in their order.

        A deal's lines add up to its closing; all deals' lines add up to those of the movement, to the cent.
        """
        frame = self._long().to_pandas().astype({"value": "float64"})
        frame["line"] = pd.Categorical(frame["line"], LINES, ordered=True)
        keys = ["opportunity_id", *self.by, "line"]
        return frame.sort_values(keys, kind="stable", ignore_index=True)[[*keys, "value"]].astype({"line": object})

    def of(self, line: str, most: int | None = None) -> pd.DataFrame:
        """The deals that have a line, largest first, at most `most` of them.

        [opportunity_id, name, owner, *by, value, opening, closing, reason]; name and owner as at the last day, null
        where the deal was deleted by then. Raises ConfigurationError, with the nearest names, for a line that is none.
        """
        check_names([line], LINES, "line of a movement", "deals of a movement")
        chosen = self.lined.filter(~missing(self.lined[line]))
        amounts = self.reasoned.select("opportunity_id", "reason", opened="opening", closed="closing")
        words = self.known.select("opportunity_id", "name", owner="owner_name")
        joined = chosen.select("opportunity_id", *self.by, value=chosen[line]).left_join(amounts, "opportunity_id")
        named = joined.drop("opportunity_id_right").left_join(words, "opportunity_id")
        ordered = named.order_by([named.value.abs().desc(), named.opportunity_id, *self.by])
        shown = ordered if most is None else ordered.limit(most)
        frame = shown.select(
            *("opportunity_id", "name", "owner", *self.by, "value"), opening="opened", closing="closed", reason="reason"
        ).to_pandas()
        return frame.astype(dict.fromkeys(["value", "opening", "closing"], "float64"))

    def _long(self) -> ir.Table:
        parts = [
            self.lined.filter(~missing(self.lined[line])).select(
                "opportunity_id", *self.by, line=ibis.literal(line), value=self.lined[line]
            )
            for line in LINES
        ]
        return ibis.union(*parts)
