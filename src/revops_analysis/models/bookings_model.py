"""The bookings of a period from its parts: booked, signed, each open deal, deals not yet created, and the rest.

`BookingsModel` learns from past periods (`fit`) and states an `Expectation` for a cutoff; `simulated_bookings` turns
that into a distribution. Every mean is exact: it is computed, and not drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import DataRefusedError
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence
from revops_analysis.models.forecaster import NotPossible, Outlook, quantiles_of
from revops_analysis.models.later_deals import LaterDeals, LaterOptions, expect_later_deals
from revops_analysis.models.simulated_bookings import Parts, simulate_bookings
from revops_analysis.models.win_probability import WinModelOptions, WinProbability

Floats = npt.NDArray[np.float64]

LIKELY = 0.5
"""An open deal at least this probable counts as likely, any other as upside."""

COMPONENTS: dict[str, str] = {
    "booked": "Booked so far",
    "signed": "Won, to be booked in the period",
    "likely": "Open deals with a probability of 50% or more",
    "upside": "Other open deals",
    "unpriced": "Open deals without amount",
    "later": "Deals not yet created",
    "other": "Reopened and restated deals",
}
"""The parts of a forecast, in order, and what readers see."""


@dataclass(frozen=True)
class BookingsOptions:
    """How the distribution is made.

    `draws` of the simulation and their `seed`; `shock_prior` is the spread of a common shock to all win rates that is
    believed as if `shock_periods` past periods had shown it; `other_periods`: over how many past periods reopened and
    restated deals are averaged.
    """

    draws: int = 10_000
    seed: int = 0
    shock_prior: float = 0.08
    shock_periods: float = 4.0
    other_periods: int = 8
    win: WinModelOptions = field(default_factory=WinModelOptions)
    later: LaterOptions = field(default_factory=LaterOptions)


@dataclass(frozen=True, eq=False)
class Expectation:
    """What is expected of a period at a cutoff, part by part; reporting currency.

    `deals`: the open deals (columns of `deal_states`) with probability, value (amount if it is won), is_priced and
    expected (probability × value). `later`: deals not yet created. `other`: what past periods had from reopened and
    restated deals. `shock`: spread of the common shock, in log odds. `notes`: what was left out or replaced.
    """

    cutoff: Cutoff
    booked: float
    signed: float
    deals: pd.DataFrame
    later: LaterDeals
    other: Floats
    shock: float
    kept: Floats
    notes: tuple[str, ...]

    @property
    def parts(self) -> pd.DataFrame:
        """[component, mean], a row each of `COMPONENTS`; the means add up to `mean`."""
        priced = self.deals["is_priced"]
        likely = self.deals["probability"] >= LIKELY
        expected = self.deals["expected"]
        means = {
            "booked": self.booked,
            "signed": self.signed,
            "likely": float(expected[priced & likely].sum()),
            "upside": float(expected[priced & ~likely].sum()),
            "unpriced": float(expected[~priced].sum()),
            "later": self.later.mean,
            "other": float(self.other.mean()) if len(self.other) else 0.0,
        }
        return pd.DataFrame({"component": list(means), "mean": list(means.values())})

    @property
    def mean(self) -> float:
        """Expected bookings of the period."""
        return float(self.parts["mean"].sum())


@dataclass(frozen=True)
class BookingsModel:
    """The forecaster that looks at every deal. `fit` learns once for all cutoffs of a period."""

    options: BookingsOptions = field(default_factory=BookingsOptions)
    name: str = "deal_model"
    title: str = "Deal model"

    def fit(self, evidence: Evidence, win: WinProbability | None = None) -> FittedBookingsModel:
        """Learn from the periods that are over; `win` is the win probability where it was learned before."""
        known = evidence.states[evidence.states["won"].notna()]
        if win is None:
            win = WinProbability(self.options.win).fit(evidence.states)
            probability = win.fitted_
        else:
            probability = win.predict_proba(known)
        return FittedBookingsModel(self, win, AmountsKept.learn(evidence), _shock(known, probability, self.options))

    def forecast(self, evidence: Evidence, cutoff: Cutoff) -> Outlook | NotPossible:
        """Fit and forecast at once."""
        return self.fit(evidence).forecast(evidence, cutoff)


@dataclass(frozen=True, eq=False)
class FittedBookingsModel:
    """A `BookingsModel` that has learned."""

    model: BookingsModel
    win: WinProbability
    amounts: AmountsKept
    shock: float

    @property
    def name(self) -> str:
        """Key of the method."""
        return self.model.name

    @property
    def title(self) -> str:
        """Name of the method for readers."""
        return self.model.title

    def forecast(self, evidence: Evidence, cutoff: Cutoff) -> Outlook | NotPossible:
        """The distribution of the period's bookings; not possible without any past period or open deal."""
        expected = self.expect(evidence, cutoff)
        if isinstance(expected, NotPossible):
            return expected
        options = self.model.options
        drawn = simulate_bookings(parts_of(expected), draws=options.draws, seed=options.seed)
        return Outlook(self.name, cutoff, expected.mean, quantiles_of(drawn.total), expected.parts, expected.notes)

    def expect(self, evidence: Evidence, cutoff: Cutoff) -> Expectation | NotPossible:
        """What is expected part by part. Raises DataRefusedError for negative amounts."""
        states, row = evidence.at(cutoff)
        _refuse_negative(states, cutoff)
        if not self.win.n_:
            return NotPossible(self.name, "The deal model needs one period that is over; the history has none.")
        deals = self._valued(states, evidence)
        later = expect_later_deals(evidence, cutoff, self.model.options.later)
        unpriced = int((~deals["is_priced"]).sum())
        notes = [self.win.note_, later.note]
        if unpriced:
            notes.append(
                f"{unpriced} of {len(deals)} open deals have no amount: they are left out of the open deals and "
                "counted apart, at what such deals were worth when won."
            )
        return Expectation(
            cutoff,
            float(row["booked"]),
            float(row["signed"]),
            deals,
            later,
            _other(evidence, cutoff, self.model.options),
            self.shock,
            self.amounts.noise,
            tuple(note for note in notes if note),
        )

    def _valued(self, states: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
        """The open deals with probability, value if won and expected value."""
        probability = self.win.predict_proba(states, evidence.states)
        is_priced = states["amount"].notna()
        value = (states["amount"] * self.amounts.share(states)).where(is_priced, self.amounts.typical(states, evidence))
        return states.assign(
            probability=probability, value=value, is_priced=is_priced, expected=probability * value
        ).reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class AmountsKept:
    """What is left of an open deal's amount when it is won.

    `by_stage`: Σ won amount ÷ Σ amount of the states of deals later won in their period; `whole` for stages with few.
    `noise`: single deals' ratio ÷ that of their stage. Ratios outside 0.2 to 5 are typing errors and left out.
    """

    by_stage: pd.Series
    whole: float
    noise: Floats

    @classmethod
    def learn(cls, evidence: Evidence) -> AmountsKept:
        """Learn from the past periods; nothing won gives 1 and no noise."""
        won = evidence.states[(evidence.states["won"] == 1) & (evidence.states["amount"] > 0)]
        ratio = won["won_amount"] / won["amount"]
        won, ratio = won[ratio.between(0.2, 5)], ratio[ratio.between(0.2, 5)]
        if won.empty:
            return cls(pd.Series(dtype="float64"), 1.0, np.ones(1))
        sums = won.groupby("stage")[["won_amount", "amount"]].sum()
        often = won.groupby("stage").size() >= 50
        by_stage = (sums["won_amount"] / sums["amount"])[often]
        whole = float(won["won_amount"].sum() / won["amount"].sum())
        noise = (ratio / won["stage"].map(by_stage).fillna(whole)).to_numpy()
        return cls(by_stage, whole, noise / np.average(noise, weights=won["amount"]))

    def share(self, states: pd.DataFrame) -> pd.Series:
        """The share of its amount that each deal is expected to keep."""
        return states["stage"].map(self.by_stage).astype("float64").fillna(self.whole)

    def typical(self, states: pd.DataFrame, evidence: Evidence) -> Floats:
        """What deals of the same type and segment were worth when won, over the latest six periods."""
        latest = evidence.wins.sort_values("last_day", kind="stable")["period"].unique()[-6:]
        wins = evidence.wins[evidence.wins["period"].isin(latest)].fillna({"type": "", "segment": ""})
        means = wins.groupby(["type", "segment"])["amount"].mean()
        keys = pd.MultiIndex.from_arrays([states["type"].fillna(""), states["segment"].fillna("")])
        overall = float(wins["amount"].mean()) if len(wins) else 0.0
        return pd.Series(means.reindex(keys).to_numpy(), index=states.index).fillna(overall).to_numpy()


def parts_of(expected: Expectation) -> Parts:
    """What the simulation needs of an expectation."""
    deals = expected.deals
    return Parts(
        expected.booked + expected.signed,
        deals["probability"].to_numpy(dtype="float64"),
        deals["value"].to_numpy(dtype="float64"),
        expected.kept,
        expected.later.groups["wins"].to_numpy(dtype="float64"),
        expected.later.pools,
        expected.other,
        expected.shock,
    )


def _refuse_negative(states: pd.DataFrame, cutoff: Cutoff) -> None:
    negative = states[states["amount"] < 0]
    if len(negative):
        first = negative.iloc[0]
        raise DataRefusedError(
            "An open deal has a negative amount, of which no forecast can be made.",
            expected="amounts of open deals from 0 on",
            found=f"{len(negative)} deals, the first {first['opportunity_id']} with {first['amount']:,.2f}",
            where=f"opportunities and their history, as of {cutoff.day.isoformat()}",
            fix="correct the amount in the CRM (a reduction belongs to the deal that it reduces) and load again",
        )


def _shock(known: pd.DataFrame, probability: Floats, options: BookingsOptions) -> float:
    """The spread of the shock that all deals of a period share, in log odds: what chance alone does not explain.

    By past period, at the cutoffs of its middle weeks: log of wins ÷ expected wins, whose variance beyond that of
    independent deals is the shock's; drawn towards `shock_prior`.
    """
    if known.empty:
        return options.shock_prior
    rows = known.assign(p=probability, spread=probability * (1 - probability))
    sums = rows.groupby(["period", "cutoff"])[["won", "p", "spread"]].sum()
    sums = sums[(sums["p"] > 5) & (sums["won"] > 0)]
    reach = sums["spread"] / sums["p"]
    missed = pd.Series(np.log(sums["won"] / sums["p"]), index=sums.index)
    excess = (missed**2 - sums["spread"] / sums["p"] ** 2) / reach**2
    by_period = excess.groupby("period").mean()
    weight = options.shock_periods
    variance = (weight * options.shock_prior**2 + float(by_period.sum())) / (weight + len(by_period))
    return float(np.sqrt(max(variance, (options.shock_prior / 2) ** 2)))


def _other(evidence: Evidence, cutoff: Cutoff, options: BookingsOptions) -> Floats:
    """Reopened and restated amounts of the latest past periods, at the cutoff nearest to the same distance."""
    past = evidence.past
    if past.empty:
        return np.zeros(0)
    ordered = past.assign(far=(past["offset"] - cutoff.offset).abs()).sort_values(["last_day", "far"], kind="stable")
    nearest = ordered.drop_duplicates("period", keep="first").tail(options.other_periods)
    return nearest["other"].to_numpy(dtype="float64")
