"""How far credit depends on chance and on the choice of a model, and which statements about budgets survive both.

Chance: accounts are resampled, because deals of one account share its people and touches. Choice: every model the
package has is computed on the same deals, and windows and half-life are halved and doubled. A statement `holds` when
every model says so and none does by chance alone; it `leans` when every model says so, but chance could turn one of
them; else it `depends` on the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from revops_analysis.attribution.credit import compare, credit, shared_by_weights
from revops_analysis.attribution.journeys import journeys as journeys_of
from revops_analysis.attribution.markov_draws import markov_draws
from revops_analysis.attribution.path_models import markov_totals
from revops_analysis.attribution.totals import Cut, totals
from revops_analysis.statistics.bootstrap import BootstrapOptions, bootstrap_sums

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.attribution.paths import FloatArray
    from revops_analysis.periods import Period

PATH_MODELS = ("markov_by_deal", "shapley")
"""Path models that conserve each deal; `shapley_ordered` has the same totals by channel as `shapley`."""

NO_BOOKINGS = "nothing that was booked in the period has a touch"
TWO_CHANNELS = "ranks need at least two channels"


@dataclass(frozen=True)
class RobustnessOptions:
    """How to draw: the seed, the number of resamples and the confidence level of every interval."""

    seed: int = 0
    repeats: int = 1_000
    confidence: float = 0.95

    @property
    def draws(self) -> BootstrapOptions:
        """The same, as the bootstrap takes it."""
        return BootstrapOptions(self.repeats, self.confidence)


@dataclass(frozen=True, eq=False)
class Robustness:
    """Credit for the bookings of a period under every model. Channel None: touches whose channel is not recorded.

    - `shares`: model, channel, amount (reporting currency), amount_low, amount_high, share (of all that the model
      attributes), low, high, place (1: most credit). Limits are 95% intervals over accounts;
    - `spread`, a row a channel: official, low, high (share and interval under the official model), lowest,
      lowest_model, highest, highest_model (over all models);
    - `agreement`: model, other, rank_correlation (Spearman, over channels; null with fewer than two);
    - `accounts`: how many accounts the bookings are of. `reason` says why there is nothing, else None.
    """

    official: str
    period: Period
    shares: pd.DataFrame
    spread: pd.DataFrame
    agreement: pd.DataFrame
    accounts: int
    reason: str | None
    drawn: Mapping[str, FloatArray]

    @property
    def models(self) -> tuple[str, ...]:
        """The models compared, in the order of reports."""
        return tuple(dict.fromkeys(self.shares["model"]))


def robustness(journeys: Journeys, period: Period, options: RobustnessOptions | None = None) -> Robustness:
    """Compare all models on what was booked in the period; see `Robustness`."""
    asked = options or RobustnessOptions()
    official = journeys.snapshot.definitions.attribution.official_model
    money = account_credit(journeys, period)
    channels, accounts = _names(money["channel"]), int(money["account"].nunique())
    drawn: dict[str, FloatArray] = {}
    blocks = []
    for model, rows in money.groupby("model", sort=False):
        table = _pivoted(rows, channels)
        drawn[str(model)] = bootstrap_sums(table, asked.seed, asked.draws)
        blocks.append(_block(str(model), channels, table.sum(axis=0), drawn[str(model)], asked.confidence))
    if blocks:
        chain, sums = _chain(journeys, period, channels, asked)
        drawn["markov"] = sums
        blocks.append(_block("markov", channels, chain, sums, asked.confidence))
    shares = pd.concat(blocks, ignore_index=True) if blocks else _block("", [], np.zeros(0), np.zeros((1, 0)), 0.95)
    reason = None if len(shares) and shares["amount"].sum() > 0 else NO_BOOKINGS
    return Robustness(official, period, shares, _spread(shares, official), _agreement(shares), accounts, reason, drawn)


def account_credit(journeys: Journeys, period: Period) -> pd.DataFrame:
    """Return what was booked in the period by model, channel and account: model, channel, account, amount (float).

    Deals without account are one account each.
    """
    cut = Cut(by=("channel", "account_id"), view="period", period=period)
    frames = [compare(journeys, cut=cut), *(credit(journeys, name).totals(cut=cut) for name in PATH_MODELS)]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[frame["attributed"]]
    amount = frame["bookings"].astype(float)
    account = frame["account_id"].fillna("")
    return pd.DataFrame({"model": frame["model"], "channel": frame["channel"], "account": account, "amount": amount})


def _names(channels: pd.Series) -> list[str | None]:
    """Channels in alphabetical order, the missing one last."""
    known = sorted(channels.dropna().unique())
    return [*known, None] if channels.isna().any() else known


def _pivoted(rows: pd.DataFrame, channels: Sequence[str | None]) -> FloatArray:
    """A row an account, a column a channel; accounts in order of their name."""
    place = {name: at for at, name in enumerate(channels)}
    column = np.array([place[None if pd.isna(name) else name] for name in rows["channel"]], dtype=np.int64)
    codes, accounts = pd.factorize(rows["account"], sort=True)
    flat = np.bincount(
        codes * len(channels) + column, rows["amount"].to_numpy(), minlength=len(accounts) * len(channels)
    )
    return flat.astype(float).reshape(len(accounts), len(channels))


def _chain(
    journeys: Journeys, period: Period, channels: Sequence[str | None], options: RobustnessOptions
) -> tuple[FloatArray, FloatArray]:
    """What the chain credits each channel, and the same in each resample."""
    found = markov_totals(journeys, period)
    mine = [None if pd.isna(name) else str(name) for name in found["channel"]]
    place = [mine.index(name) if name in mine else -1 for name in channels]
    amount = np.array([*found["bookings"].astype(float), 0.0])[place]
    sums = markov_draws(journeys, period, options.seed, options.draws)
    return amount, np.column_stack([sums, np.zeros(len(sums))])[:, place]


_SHARES = ("model", "channel", "amount", "amount_low", "amount_high", "share", "low", "high", "place")


def _block(
    model: str, channels: Sequence[str | None], amount: FloatArray, drawn: FloatArray, confidence: float
) -> pd.DataFrame:
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    whole = amount.sum()
    shares = drawn / np.where(drawn.sum(axis=1) > 0, drawn.sum(axis=1), np.nan)[:, None]
    known = np.isfinite(shares).any(axis=1)
    limits = np.quantile(shares[known], tails, axis=0) if known.any() else np.full((2, len(channels)), np.nan)
    money = np.quantile(drawn, tails, axis=0) if len(channels) else np.zeros((2, 0))
    return pd.DataFrame(
        {
            "model": model,
            "channel": pd.Series(list(channels), dtype=object),
            "amount": amount,
            "amount_low": money[0],
            "amount_high": money[1],
            "share": amount / whole if whole > 0 else np.full(len(channels), np.nan),
            "low": limits[0],
            "high": limits[1],
            "place": pd.Series(-amount, dtype=float).rank(method="min").astype("Int64"),
        },
        columns=list(_SHARES),
    )


def _spread(shares: pd.DataFrame, official: str) -> pd.DataFrame:
    """The official share of each channel, beside the lowest and the highest of all models."""
    rows = []
    for channel in dict.fromkeys(None if pd.isna(name) else name for name in shares["channel"]):
        mine = shares[shares["channel"].isna() if channel is None else shares["channel"] == channel]
        said = mine[mine["model"] == official]
        known = mine.dropna(subset=["share"])
        if known.empty:
            continue
        least, most = (known.iloc[at] for at in (int(known["share"].argmin()), int(known["share"].argmax())))
        own = dict.fromkeys(("share", "low", "high"), np.nan) if said.empty else said.iloc[0]
        rows.append(
            {"channel": channel, "official": own["share"], "low": own["low"], "high": own["high"]}
            | {"lowest": least["share"], "lowest_model": least["model"]}
            | {"highest": most["share"], "highest_model": most["model"]}
        )
    columns = ["channel", "official", "low", "high", "lowest", "lowest_model", "highest", "highest_model"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("official", ascending=False, kind="stable").reset_index(drop=True)


def _agreement(shares: pd.DataFrame) -> pd.DataFrame:
    wide = shares.assign(channel=shares["channel"].fillna("")).pivot_table(
        index="channel", columns="model", values="share", sort=False
    )
    rows = []
    ranks = wide.corr(method="spearman") if len(wide) > 1 else wide.corr() * np.nan
    for place, model in enumerate(wide.columns):
        for other in wide.columns[place + 1 :]:
            rows.append({"model": model, "other": other, "rank_correlation": ranks.loc[model, other]})
    return pd.DataFrame(rows, columns=["model", "other", "rank_correlation"])


def sensitivity(journeys: Journeys, period: Period) -> pd.DataFrame:
    """Shares of the period's bookings when the lookback or the half-life is half or twice as long.

    Columns: setting (lookback_days, half_life_days), value, model, channel, share, difference (from the share at the
    value of the definitions). The lookback is that of the official model's window; half-lives are of `time_decay`.
    """
    definitions = journeys.snapshot.definitions
    official = definitions.attribution.official_model
    sourced, influence = journeys.options.sourced_days or 1, journeys.options.influence_days or 1
    rows = []
    base = _official_shares(journeys, official, period)
    for factor in (0.5, 2.0):
        days = max(round(sourced * factor), 1)
        asked = replace(journeys.options, sourced_days=days, influence_days=max(round(influence * factor), days))
        varied = _official_shares(journeys_of(journeys.snapshot, asked), official, period)
        rows.append(_compared(varied, base, ("lookback_days", float(days), official)))
    half_life = definitions.attribution.half_life_days
    base = _decay_shares(journeys, half_life, period)
    for factor in (0.5, 2.0):
        varied = _decay_shares(journeys, half_life * factor, period)
        rows.append(_compared(varied, base, ("half_life_days", half_life * factor, "time_decay")))
    return pd.concat(rows, ignore_index=True)


def _official_shares(journeys: Journeys, model: str, period: Period) -> pd.Series:
    if model == "markov":
        frame = markov_totals(journeys, period)
        return _shares_of(frame["channel"], frame["bookings"])
    found = credit(journeys, model).totals(cut=Cut(view="period", period=period))
    return _shares_of(found["channel"][found["attributed"]], found["bookings"][found["attributed"]])


def _decay_shares(journeys: Journeys, half_life: float, period: Period) -> pd.Series:
    touches = journeys.touches
    days = touches.days_before_anchor
    since_last = days - days.min().over(ibis.window(group_by="deal_number"))
    weight = 2.0 ** (since_last.cast("float64") / -float(half_life))
    shared = shared_by_weights(journeys, touches.mutate(weight=weight))
    renamed = shared.rename(time_decay_share="share", time_decay_cents="cents")
    found = totals(journeys, renamed, {"time_decay": "influence"}, Cut(view="period", period=period))
    return _shares_of(found["channel"][found["attributed"]], found["bookings"][found["attributed"]])


def _shares_of(channel: pd.Series, amount: pd.Series) -> pd.Series:
    shares = pd.Series(amount.astype(float).to_numpy(), index=channel.fillna("").to_numpy())
    whole = shares.sum()
    return shares / whole if whole > 0 else shares * np.nan


def _compared(varied: pd.Series, base: pd.Series, told: tuple[str, float, str]) -> pd.DataFrame:
    names = sorted({*varied.index, *base.index})
    share = varied.reindex(names, fill_value=0.0)
    return pd.DataFrame(
        {
            "setting": told[0],
            "value": told[1],
            "model": told[2],
            "channel": [name or None for name in names],
            "share": share.to_numpy(),
            "difference": (share - base.reindex(names, fill_value=0.0)).to_numpy(),
        }
    )
