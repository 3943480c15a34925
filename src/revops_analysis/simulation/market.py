"""What all sellers and accounts share: the market's quarters, exchange rates and campaigns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Columns, Floats, Ints, identifiers, join, pick
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.randomness import Streams
from revops_analysis.simulation.words import CHANNELS, MARKETING_CHANNELS

FIRST_RATE = 17_897
"""1 January 2019: the first day with an exchange rate, before any term or deal that is known."""


@dataclass(frozen=True)
class Market:
    """The common shock of each week (log pace), and the dollars for a euro of each day from `FIRST_RATE`."""

    shock: Floats
    euro: Floats

    def euro_on(self, days: Ints) -> Floats:
        """Dollars for one euro on each day."""
        return self.euro[np.asarray(days) - FIRST_RATE]


def make_market(parameters: Parameters, streams: Streams) -> Market:
    """The market of the company, the same for every block."""
    weeks = tl.monday(np.arange(tl.WEEKS))
    quarter = tl.quarter_of(weeks)
    quarter = quarter - quarter[0]
    noise = streams("market").normal(0.0, 1.0, quarter[-1] + 1)
    shocks = np.zeros(len(noise))
    for i in range(1, len(noise)):
        shocks[i] = 0.5 * shocks[i - 1] + parameters.market_sd * np.sqrt(0.75) * noise[i]
    days = tl.END - FIRST_RATE + 1
    steps = streams("exchange rates").normal(0.0, 0.0035, days)
    log_rate = np.zeros(days)
    for i in range(1, days):  # a year of days at most a few thousand times: mean-reverting to the list rate
        log_rate[i] = 0.995 * log_rate[i - 1] + steps[i]
    return Market(shocks[quarter], np.round(parameters.euro_list_rate * np.exp(log_rate), 6))


def exchange_rates(market: Market, first: int, last: int) -> Columns:
    """Daily rates of the euro from `first` to `last`."""
    days = np.arange(first, last + 1)
    return {
        "currency": pa.array(["EUR"] * len(days)),
        "day": days,
        "rate_to_reporting": market.euro_on(days),
    }


_NAMES = ("Brand keywords", "Awareness", "Guides", "Webinar series", "Roadshow", "Newsletter")


def campaign_code(channel: Ints, days: Ints) -> Ints:
    """The campaign of a marketing channel on a day: one for each half-year; −1 for other channels."""
    half = tl.quarter_of(days) // 2
    first = int(tl.quarter_of(np.array([tl.ZERO - 200]))[0]) // 2
    code = (half - first) * MARKETING_CHANNELS + channel
    return np.where((channel >= 0) & (channel < MARKETING_CHANNELS), code, -1)


def campaigns() -> Columns:
    """One campaign for each marketing channel and half-year, from before history until the end of 2026."""
    first = int(tl.quarter_of(np.array([tl.ZERO - 200]))[0]) // 2
    last = int(tl.quarter_of(np.array([tl.THROUGH]))[0]) // 2
    half = np.repeat(np.arange(first, last + 1), MARKETING_CHANNELS)
    channel = np.tile(np.arange(MARKETING_CHANNELS), last + 1 - first)
    label = pa.array(1970 + half // 2).cast(pa.string())
    ends = tl.quarter_start(half * 2 + 2) - 1
    return {
        "campaign_id": identifiers("CMP", np.arange(len(half))),
        "name": join(pick(_NAMES, channel), label, pick(("H1", "H2"), half % 2), sep=" "),
        "channel": pick(CHANNELS, channel),
        "started_on": tl.quarter_start(half * 2),
        "ended_on": np.where(ends <= tl.THROUGH, ends, tl.NO_DAY),
    }
