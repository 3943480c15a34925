"""Shapley values of channels: what each adds to the others, averaged over all orders in which they could join.

The worth of a set of channels is the number (or value) of conversions whose path needed no channel outside it. That
game is a sum of unanimity games, one a path, and the Shapley value of a unanimity game is an equal split: each path's
conversions are shared equally among its distinct channels, however often and in whatever order they were met. So the
exact value costs no enumeration, with any number of channels.

Source: Shapley, A Value for n-Person Games (1953); Zhao, Mahboobi & Bagheri, Shapley Value Methods for Attribution
Modeling in Online Advertising (2018), arXiv:1804.05327, whose simplified formula is this one, as is the ordered form.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from revops_analysis.attribution.paths import FloatArray, Paths, channel_credit, distinct_channels


def shapley(paths: Paths) -> pd.DataFrame:
    """Shapley value of each channel: `channel, conversions, value`; it adds up to all conversions and all value.

    Paths that led to nothing play no part. Where no path converts all credit is 0, because there is none to give.

    >>> from revops_analysis.attribution.paths import Outcomes, paths_from_text
    >>> p = paths_from_text(["a > b > a", "b"], Outcomes([1, 2], [10, 8], [0, 5]))
    >>> shapley(p).to_dict("list")
    {'channel': ['a', 'b'], 'conversions': [0.5, 2.5], 'value': [5.0, 13.0]}
    """
    return channel_credit(paths, shapley_shares(paths))


def shapley_ordered(paths: Paths) -> pd.DataFrame:
    """Shapley value by place in the path: `channel, position, conversions, value`, a row a channel and place met.

    What a channel is credited on a path is split equally over the places at which the path meets it. Summed over
    places it is `shapley`: the order of touches moves credit between places, never between channels.

    >>> from revops_analysis.attribution.paths import Outcomes, paths_from_text
    >>> p = paths_from_text(["a > b > a"], Outcomes([1], [8], [0]))
    >>> shapley_ordered(p)[["channel", "position", "value"]].to_numpy().tolist()
    [['a', 1, 2.0], ['a', 3, 2.0], ['b', 2, 4.0]]
    """
    shares = shapley_shares(paths)
    steps = pd.DataFrame(
        {
            "channel": np.array(paths.channels, dtype=object)[paths.steps],
            "position": paths.positions,
            "conversions": shares * paths.conversions[paths.path_of_step],
            "value": shares * paths.value[paths.path_of_step],
        }
    )
    return steps.groupby(["channel", "position"], as_index=False, sort=True)[["conversions", "value"]].sum()


def shapley_shares(paths: Paths) -> FloatArray:
    """Share of each step in its path's credit: one part a distinct channel, split over the channel's steps."""
    _, times, different = distinct_channels(paths)
    return 1.0 / (different * times)
