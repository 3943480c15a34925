"""Features of an open deal: numbers that a model reads, and the words in which a seller reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

OWNER_PRIOR = 10.0
"""A seller's record counts beside this many deals at the company's own win rate."""


@dataclass(frozen=True)
class Encoding:
    """What the numbers of categories mean: learned from the rows a model is trained on.

    `levels`: column → its values in order; a value that was not there is null, which the models can read.
    `win_rate`: the company's won ÷ closed, towards which a seller's own is drawn.
    """

    levels: Mapping[str, tuple[str, ...]]
    win_rate: float

    @classmethod
    def learn(cls, states: pd.DataFrame) -> Encoding:
        """Learn the levels of each category, the most frequent last, and the win rate."""
        levels = {name: tuple(states[name].dropna().value_counts().index[::-1]) for name in _CATEGORIES}
        last = states.sort_values("cutoff", kind="stable").drop_duplicates("owner_id", keep="last")
        closed = float(last["owner_closed"].sum())
        return cls(levels, float(last["owner_won"].sum()) / closed if closed > 0 else 0.25)

    def codes(self, states: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
        """The place of each row's value among the levels; null for a value that was never seen."""
        places = {value: float(place) for place, value in enumerate(self.levels[name])}
        return np.asarray(states[name].map(places), dtype=np.float64)


_CATEGORIES = ("type", "segment", "product", "source", "category")


def feature_matrix(states: pd.DataFrame, encoding: Encoding, life: pd.DataFrame) -> pd.DataFrame:
    """The features of each row of `deal_states`, all float64, null where not known; columns are `FEATURES`.

    `life`: `SilentDeals.estimate` of the same rows, or the same columns of nulls.
    """
    dated = _dated(states)
    days = {
        "days_left": states["last_day"] - states["cutoff"],
        "days_to_start": states["first_day"] - states["cutoff"],
        "days_to_close_date": dated["close_date"] - states["cutoff"],
        "close_date_after_end": dated["close_date"] - states["last_day"],
    }
    closed = dated["owner_closed"] + OWNER_PRIOR
    frame = {
        **{name: states[name] for name in _PLAIN},
        **{name: span.dt.days.astype("float64") for name, span in days.items()},
        **{name: encoding.codes(states, name) for name in _CATEGORIES},
        "amount_log": np.log(dated["amount"].where(dated["amount"] > 0)),
        "amount_kept": dated["amount"] / dated["first_amount"].where(dated["first_amount"] > 0),
        "activities_week": 7 * states["activities_56d"] / np.minimum(states["age_days"] + 1, 56),
        "owner_win_rate": (dated["owner_won"] + OWNER_PRIOR * encoding.win_rate) / closed,
    }
    quiet = states["days_since_activity"]
    frame["days_since_activity"] = quiet.where(quiet.notna() | states["activities_56d"].isna(), states["age_days"])
    frame["days_to_start"] = frame["days_to_start"].clip(lower=0)
    frame |= {"alive": life["alive"], "win_if_alive": life["win_if_alive"], "process_win": life["win"]}
    return pd.DataFrame(frame, index=states.index)[list(FEATURES)]


def with_features(matrix: pd.DataFrame, other: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The matrix with some features taken from another; what follows from them is computed again."""
    changed = matrix.assign(**{name: other[name].to_numpy() for name in names})
    return changed.assign(process_win=changed["alive"] * changed["win_if_alive"])


def _dated(states: pd.DataFrame) -> pd.DataFrame:
    """What could be today's value and not the cutoff's, null where it is: in deals without recorded changes.

    Of those nothing is counted either, which tells them apart. Some sources set the amount of a lost deal to 0.
    """
    is_recorded = states["pushes"].notna()
    names = ("close_date", "amount", "first_amount", "owner_won", "owner_closed")
    return pd.DataFrame({name: states[name].where(is_recorded) for name in names})


_PLAIN = (
    *("stage_order", "days_in_stage", "age_days", "pushes", "days_pushed", "amount_changes", "stage_changes"),
    *("reopenings", "activities_14d", "contacts", "crm_probability"),
)

GROUPS: dict[str, tuple[str, ...]] = {
    "stage": ("stage_order", "crm_probability"),
    "days_in_stage": ("days_in_stage",),
    "age": ("age_days", "stage_changes"),
    "close_date": ("days_to_close_date", "close_date_after_end"),
    "pushes": ("pushes", "days_pushed"),
    "activity": ("days_since_activity", "activities_14d", "activities_week", "alive"),
    "contacts": ("contacts",),
    "category": ("category",),
    "amount": ("amount_log", "amount_kept", "amount_changes"),
    "customer": ("type", "segment", "product"),
    "source": ("source",),
    "owner": ("owner_win_rate",),
    "reopened": ("reopenings",),
    "time": ("days_left", "days_to_start"),
    "process": ("win_if_alive", "process_win"),
}
"""Features that say one thing together; reasons and importance are given by group. `time` is no one's doing,
and `process` is what stage, pace and time make together."""

FEATURES: tuple[str, ...] = tuple(name for group in GROUPS.values() for name in group)


def describe(states: pd.DataFrame, group: str) -> list[str]:
    """What a feature group says of each deal, in a seller's words.

    >>> deal = pd.DataFrame({"days_in_stage": [80.0]})
    >>> describe(deal, "days_in_stage")
    ['80 days in its stage']
    """
    return _WORDS[group](states)


def _counted(values: pd.Series, one: str, many: str, none: str, unknown: str) -> list[str]:
    texts = []
    for value in values:
        if pd.isna(value):
            texts.append(unknown)
        elif value == 0:
            texts.append(none)
        else:
            texts.append(f"{value:.0f} {one if value == 1 else many}")
    return texts


def _plain(states: pd.DataFrame, columns: Sequence[str], unknown: str) -> list[str]:
    known = states[list(columns)].astype(object)
    rows = zip(*(known[name] for name in columns), strict=True)
    return [", ".join(str(value) for value in row if pd.notna(value)) or unknown for row in rows]


def _close_date(states: pd.DataFrame) -> list[str]:
    texts = []
    for close, cutoff, last in zip(states["close_date"], states["cutoff"], states["last_day"], strict=True):
        if pd.isna(close):
            texts.append("no close date")
        elif close < cutoff:
            texts.append(f"close date passed {(cutoff - close).days} days ago")
        elif close > last:
            texts.append(f"expected {(close - last).days} days after the period")
        else:
            texts.append(f"expected {close:%d %b}")
    return texts


def _activity(states: pd.DataFrame) -> list[str]:
    texts = []
    alive = states["alive"] if "alive" in states else pd.Series(np.nan, index=states.index)
    for quiet, recent, chance in zip(states["days_since_activity"], states["activities_56d"], alive, strict=True):
        if pd.isna(recent):
            text = "activity is not recorded"
        elif pd.isna(quiet):
            text = "no activity so far"
        else:
            text = f"last activity {quiet:.0f} days ago, {recent:.0f} in eight weeks"
        texts.append(text if pd.isna(chance) else f"{chance:.0%} likely to be alive; {text}")
    return texts


def _amount(states: pd.DataFrame) -> list[str]:
    texts = []
    for amount, first in zip(states["amount"], states["first_amount"], strict=True):
        if pd.isna(amount):
            texts.append("no amount")
        elif first > 0 and amount != first:
            texts.append(f"amount {amount / first - 1:+.0%} since it was first priced")
        else:
            texts.append(f"amount {amount:,.0f}")
    return texts


def _owner(states: pd.DataFrame) -> list[str]:
    pairs = zip(states["owner_won"], states["owner_closed"], strict=True)
    return [f"its owner won {won:.0f} of {closed:.0f} deals" if closed else "a new owner" for won, closed in pairs]


_STAGE_TEXTS = ("entered its stage that day", "time in stage not known")
_WORDS = {
    "stage": lambda s: _plain(s, ["stage"], "stage not known"),
    "days_in_stage": lambda s: _counted(s["days_in_stage"], "day in its stage", "days in its stage", *_STAGE_TEXTS),
    "age": lambda s: _counted(s["age_days"], "day old", "days old", "created that day", "age not known"),
    "close_date": _close_date,
    "pushes": lambda s: _counted(s["pushes"], "time pushed", "times pushed", "never pushed", "pushes not known"),
    "activity": _activity,
    "contacts": lambda s: _counted(s["contacts"], "contact", "contacts", "no contact", "contacts are not recorded"),
    "category": lambda s: _plain(s, ["category"], "no forecast category"),
    "amount": _amount,
    "customer": lambda s: _plain(s, ["type", "segment", "product"], "type and segment not known"),
    "source": lambda s: _plain(s, ["source"], "source not known"),
    "owner": _owner,
    "reopened": lambda s: _counted(s["reopenings"], "time reopened", "times reopened", "never reopened", "not known"),
    "time": lambda s: [f"{days} days left" for days in (s["last_day"] - s["cutoff"]).dt.days],
    "process": lambda s: _plain(s, ["stage"], "stage not known"),
}
