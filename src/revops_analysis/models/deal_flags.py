"""Warning flags of open deals, each with what it went with in the past: the difference in the chance to be won.

Closed deals with and without a flag would mislead, because a deal must survive to earn one. So at the end of each past
week the deals open then are compared, within a stage and a band of age, by whether they were won within the horizon
(METRICS, the effect of a warning). What is shown is an association and no cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.metrics.where import COMPARE
from revops_analysis.models.flag_measures import MEASURES, allowed, flag_states
from revops_analysis.statistics.landmark import LandmarkColumns, age_bands, landmark_comparisons

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions, WarningFlag
    from revops_analysis.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]

LOWERS, RAISES, NONE, FEW, REFUSED = (
    "goes with fewer wins",
    "goes with more wins",
    "no measured effect",
    "too few past deals",
    "not used",
)
"""What is said of a flag. All but the first two are greyed out: nothing is lost by ignoring such a flag."""

FLAG_COLUMNS = (
    *("flag", "title", "meaning", "rule", "deals", "amount", "effect", "low", "high", "rate_flagged"),
    *("rate_unflagged", "effect_within", "n_flagged", "n_unflagged", "past_deals", "p_value", "p_adjusted"),
    *("verdict", "expected_loss", "reason"),
)
CUTS = {"owner": "owner_name", "team": "owner_team", "segment": "segment", "stage": "stage", "type": "type"}
"""What flagged deals can be cut by → the column of `DealFlags.deals`."""


@dataclass(frozen=True, eq=False)
class DealFlags:
    """The flags of the open pipeline and their measured effects. Amounts in the reporting currency.

    `flags`: a row a flag, in the order of the definitions: flag, title, meaning, rule; deals and amount (open today
    with it); effect (win rate within the horizon with the flag, less without it, same stage and age), its 95% interval
    low and high, rate_flagged and rate_unflagged; effect_within (the same within type and segment too); n_flagged and
    n_unflagged (past deal-weeks compared), past_deals (different deals among the flagged); p_value, p_adjusted (over
    all flags compared); verdict; expected_loss (−effect × amount, where the flag goes with fewer wins); reason (why
    there is no effect).

    `deals`: a row an open deal outside the omitted category, most expected loss first: opportunity_id, name,
    account_name, owner_id, owner_name, owner_team, segment, type, stage, close_date, amount, flags (titles, the ones
    with an effect first), n_flags, worst (flag), effect (of the worst) and expected_loss (−effect × amount; null
    without amount or without a flag that goes with fewer wins). Flags overlap, so of several the strongest counts.

    `marks`: a row a deal and flag: opportunity_id, flag, says (the values behind it).
    `weeks`, `first_day`, `last_day`: the past days compared; `past_rows`: deals open on them, with outcome.
    `reason`: why no effect could be measured at all.
    """

    flags: pd.DataFrame
    deals: pd.DataFrame
    marks: pd.DataFrame
    as_of: date
    currency: str
    horizon_days: int
    weeks: int
    first_day: date | None
    last_day: date | None
    past_rows: int
    notes: tuple[str, ...]
    reason: str | None = None

    @property
    def measured(self) -> pd.DataFrame:
        """Flags that go with fewer or more wins, the strongest first."""
        rows = self.flags[self.flags["verdict"].isin([LOWERS, RAISES])]
        return rows.sort_values(["effect", "flag"], ignore_index=True)

    @property
    def warned(self) -> pd.DataFrame:
        """Deals with at least one flag that goes with fewer wins."""
        return self.deals[self.deals["worst"].notna()].reset_index(drop=True)

    def by(self, cut: str) -> pd.DataFrame:
        """Open deals by a cut of `CUTS`: [cut, open_deals, open_amount, warned_deals, warned_amount, expected_loss].

        Most expected loss first; missing values of the cut are a row of their own. Sums add up to the whole.
        """
        column = CUTS[cut]
        is_warned = self.deals["worst"].notna()
        parts = self.deals.assign(
            open_amount=self.deals["amount"].fillna(0.0),
            warned_deals=is_warned.astype("int64"),
            warned_amount=self.deals["amount"].where(is_warned, 0.0).fillna(0.0),
            expected_loss=self.deals["expected_loss"].fillna(0.0),
            open_deals=1,
        )
        names = ["open_deals", "open_amount", "warned_deals", "warned_amount", "expected_loss"]
        sums = parts.groupby(column, dropna=False, sort=True)[names].sum().reset_index()
        label = sums[column].astype(object)
        table = sums.drop(columns=column).assign(**{cut: label.where(label.notna(), None)})[[cut, *names]]
        return table.sort_values(["expected_loss", cut], ascending=[False, True], kind="stable", ignore_index=True)


def deal_flags(snapshot: Snapshot) -> DealFlags:
    """Flag the open deals and measure each flag on this company's past, as the definitions' `warnings` say.

    A test whose measure is not known leaves the flag unknown, unless another test fails. Flags over columns without
    history are not used unless the definitions allow these; flags over tables that the source lacks neither. Computed
    once a snapshot. Raises DataRefusedError when an exchange rate is missing.
    """
    return snapshot.once("deal flags", lambda: _deal_flags(snapshot))


def _deal_flags(snapshot: Snapshot) -> DealFlags:
    settings = snapshot.definitions.warnings
    last = snapshot.as_of - timedelta(days=settings.horizon_days)
    past_days = [last - timedelta(days=7 * back) for back in range(settings.weeks)][::-1]
    states = flag_states(snapshot, [*past_days, snapshot.as_of], settings.horizon_days)
    usable = {flag.name: _refusal(snapshot, flag) for flag in settings.flags}
    raised = {flag.name: raise_flag(states, flag, snapshot.definitions) for flag in settings.flags}
    columns = pd.DataFrame(raised, index=states.index)
    is_past = (states["cutoff"] < pd.Timestamp(snapshot.as_of)).to_numpy()
    past = states[is_past].join(columns[is_past])
    past = past[past["outcome"].notna()]
    effects = measure_effects(past, [name for name, why in usable.items() if why is None], snapshot.definitions)
    today = _open_today(snapshot, states[~is_past].join(columns[~is_past]))
    table = _flag_table(snapshot.definitions, (effects, usable), today)
    marks = _marks(today, snapshot.definitions, [name for name, why in usable.items() if why is None])
    known = past["cutoff"]
    return DealFlags(
        flags=table,
        deals=_deal_table(today, table, marks),
        marks=marks[["opportunity_id", "flag", "says"]],
        as_of=snapshot.as_of,
        currency=snapshot.definitions.reporting_currency,
        horizon_days=settings.horizon_days,
        weeks=int(known.nunique()),
        first_day=None if past.empty else known.min().date(),
        last_day=None if past.empty else known.max().date(),
        past_rows=len(past),
        notes=_notes(table, today),
        reason=None if len(past) else f"no deal was open {settings.horizon_days} days before {snapshot.as_of} or then",
    )


def raise_flag(states: pd.DataFrame, flag: WarningFlag, definitions: Definitions) -> Floats:
    """1 where the flag stands, 0 where it does not, null where that is not known: one number a row of `flag_states`.

    All tests must hold. One that fails settles it, even where another cannot be decided.
    """
    results = []
    for test in flag.when:
        values = states[test.measure].to_numpy(dtype=float)
        holds = COMPARE[test.op](values, limit_of(test.value, definitions)).astype(float)
        results.append(np.where(np.isnan(values), np.nan, holds))
    stacked = np.vstack(results)
    failed = (stacked == 0).any(axis=0)
    unknown = np.isnan(stacked).any(axis=0)
    return np.where(failed, 0.0, np.where(unknown, np.nan, 1.0))


def limit_of(value: float | str, definitions: Definitions) -> float:
    """The number of a test: its own, or the setting of `thresholds` that it names."""
    return float(getattr(definitions.thresholds, value) if isinstance(value, str) else value)


def rule_words(flag: WarningFlag, definitions: Definitions) -> str:
    """The rule of a flag as a reader sees it: measures in words, limits as numbers.

    >>> from revops_analysis.definitions import FlagTest, WarningFlag
    >>> late = FlagTest(measure="days_overdue", op=">", value=0)
    >>> rule_words(WarningFlag(name="late", title="Late", meaning="Too late.", when=(late,)), None)
    'days past its close date > 0'
    """
    signs = {"<=": "≤", ">=": "≥"}
    return " and ".join(
        f"{MEASURES[test.measure].words} {signs.get(test.op, test.op)} {limit_of(test.value, definitions):g}"
        for test in flag.when
    )


def _refusal(snapshot: Snapshot, flag: WarningFlag) -> str | None:
    """Why a flag cannot be used on this source, or None."""
    names = list(dict.fromkeys(test.measure for test in flag.when))
    missing = sorted({table for name in names for table in MEASURES[name].tables if not snapshot.has(table)})
    if missing:
        return f"the source has no {' and no '.join(missing)} table"
    current = sorted({column for name in names if not allowed(snapshot, name) for column in MEASURES[name].current})
    if current:
        return (
            f"only today's value of {' and '.join(current)} is known, and what was filled in after a deal was won "
            "would look like its cause; allowed_current_columns of the definitions can allow it"
        )
    return None


def measure_effects(past: pd.DataFrame, names: Sequence[str], definitions: Definitions) -> pd.DataFrame:
    """The landmark comparison of each flag, a row a name, with false discovery controlled over those compared.

    `past`: rows of `flag_states` with an outcome, and a column a flag (1, 0, null). Columns: those of `LandmarkEffect`,
    p_adjusted, effect_within (the difference within type and segment too), past_deals and others (different deals with
    and without the flag). A flag with fewer than `minimum_deals` on a side is not compared.
    """
    settings = definitions.warnings
    frame = past.assign(age=age_bands(past["age_days"], list(settings.age_bands)))
    sides = pd.DataFrame(
        {
            name: [int(frame.loc[frame[name] == side, "opportunity_id"].nunique()) for side in (1.0, 0.0)]
            for name in names
        },
        index=["past_deals", "others"],
    ).T
    enough = [name for name in names if sides.loc[name].min() >= settings.minimum_deals]
    columns = LandmarkColumns(deal="opportunity_id", outcome="outcome", strata=("stage", "age"))
    compared = landmark_comparisons(frame, enough, columns).set_index("flag")
    finer = LandmarkColumns(deal="opportunity_id", outcome="outcome", strata=("stage", "age", "kind"))
    kind = frame[["type", "segment"]].astype(object).fillna("not set").agg(" ".join, axis=1) if len(frame) else None
    within = landmark_comparisons(frame.assign(kind=kind), enough, finer).set_index("flag")["difference"]
    return compared.assign(effect_within=within).reindex(list(names)).join(sides).rename_axis("flag").reset_index()


def _open_today(snapshot: Snapshot, rows: pd.DataFrame) -> pd.DataFrame:
    """The flagged rows of the as-of date that are open pipeline, with what readers know of the deals."""
    omitted = rows["category"].isin(snapshot.definitions.omitted_categories)
    deals = snapshot.deals
    snapshot.use_columns(["segment", "owner_team", "owner_name", "name", "account_name"])
    columns = ["opportunity_id", "name", "account_name", "owner_name", "owner_team"]
    facts = deals.select(*columns, deal_segment="segment").to_pandas()
    joined = rows[~omitted].merge(facts, on="opportunity_id", how="left")
    named = _told_apart(joined["owner_name"], joined["owner_id"])
    return joined.assign(segment=joined["deal_segment"], owner_name=named).drop(columns="deal_segment")


def _told_apart(names: pd.Series, keys: pd.Series) -> pd.Series:
    """Names, with the key where two people have the same; the key alone where there is no name."""
    is_shared = keys.groupby(names).transform("nunique") > 1
    told = names.where(~is_shared.fillna(False).astype(bool), names + " (" + keys + ")")
    return told.where(told.notna(), keys)


def _flag_table(
    definitions: Definitions, found: tuple[pd.DataFrame, dict[str, str | None]], today: pd.DataFrame
) -> pd.DataFrame:
    effects, refused = found
    known = {str(row["flag"]): row for row in effects.to_dict("records")}
    rows = []
    for flag in definitions.warnings.flags:
        why = refused[flag.name]
        row: dict[str, object] = {
            "flag": flag.name,
            "title": flag.title,
            "meaning": flag.meaning,
            "rule": rule_words(flag, definitions),
        }
        if why is None:
            stands = today[flag.name] == 1
            row |= {"deals": int(stands.sum()), "amount": round(float(today.loc[stands, "amount"].sum()), 2)}
            row |= _judged(known[flag.name], definitions)
        else:
            row |= {"verdict": REFUSED, "reason": why}
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(FLAG_COLUMNS))
    counts = ["deals", "n_flagged", "n_unflagged", "past_deals"]
    numbers = [name for name in FLAG_COLUMNS[4:-1] if name not in (*counts, "verdict")]
    table = table.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(counts, "Int64"))
    loss = (-table["effect"] * table["amount"]).round(2)
    return table.assign(expected_loss=loss.where(table["verdict"] == LOWERS))


def _judged(effect: Mapping[Any, Any], definitions: Definitions) -> dict[str, object]:
    """The effect of a flag and what is said of it."""
    settings = definitions.warnings
    few = int(min(effect["past_deals"], effect["others"]))
    counts = {"past_deals": int(effect["past_deals"])}
    if few < settings.minimum_deals:
        side = "with" if effect["past_deals"] < settings.minimum_deals else "without"
        return {**counts, "verdict": FEW, "reason": f"{few} past deals {side} it; {settings.minimum_deals} are needed"}
    if pd.isna(effect["difference"]):
        return {**counts, "verdict": FEW, "reason": effect["reason"]}
    sure = pd.notna(effect["p_adjusted"]) and effect["p_adjusted"] <= settings.false_discovery
    names = ("low", "high", "rate_flagged", "rate_unflagged", "effect_within", "p_value", "p_adjusted")
    return {
        **counts,
        **{name: effect[name] for name in names},
        "n_flagged": int(effect["n_flagged"]),
        "n_unflagged": int(effect["n_unflagged"]),
        "effect": effect["difference"],
        "verdict": NONE if not sure else LOWERS if effect["difference"] < 0 else RAISES,
    }


def _marks(today: pd.DataFrame, definitions: Definitions, names: Sequence[str]) -> pd.DataFrame:
    """A row a deal and flag that stands, with what is behind it; in the order of the definitions."""
    parts = []
    for flag in definitions.warnings.flags:
        if flag.name not in names:
            continue
        rows = today[today[flag.name] == 1]
        says = [""] * len(rows)
        for test in flag.when:
            shown = [f"{value:,.4g} {MEASURES[test.measure].words}" for value in rows[test.measure]]
            says = [f"{before}; {one}" if before else one for before, one in zip(says, shown, strict=True)]
        parts.append(pd.DataFrame({"opportunity_id": rows["opportunity_id"], "flag": flag.name, "says": says}))
    columns = {"opportunity_id": "object", "flag": "object", "says": "object"}
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns)).astype(columns)


_DEAL_COLUMNS = (
    *("opportunity_id", "name", "account_name", "owner_id", "owner_name", "owner_team", "segment", "type", "stage"),
    *("close_date", "amount", "flags", "n_flags", "worst", "effect", "expected_loss"),
)


def _deal_table(today: pd.DataFrame, table: pd.DataFrame, marks: pd.DataFrame) -> pd.DataFrame:
    known = table.set_index("flag")
    strength = known["effect"].where(known["verdict"] == LOWERS)
    told = marks.assign(
        strength=marks["flag"].map(strength).astype(float), title=marks["flag"].map(known["title"])
    ).sort_values("strength", kind="stable", na_position="last")
    by_deal = told.groupby("opportunity_id", sort=False)
    first = told[told["strength"].notna()].drop_duplicates("opportunity_id").set_index("opportunity_id")
    joined = today.assign(
        flags=today["opportunity_id"].map(by_deal["title"].agg(", ".join)),
        n_flags=today["opportunity_id"].map(by_deal.size()).fillna(0).astype("int64"),
        worst=today["opportunity_id"].map(first["flag"]),
        effect=today["opportunity_id"].map(first["strength"]).astype(float),
    )
    joined["expected_loss"] = (-joined["effect"] * joined["amount"]).round(2)
    return joined.sort_values(
        ["expected_loss", "amount", "opportunity_id"],
        ascending=[False, False, True],
        na_position="last",
        ignore_index=True,
    )[list(_DEAL_COLUMNS)]


def _notes(table: pd.DataFrame, today: pd.DataFrame) -> tuple[str, ...]:
    notes = [
        f"The flag “{row['title']}” is not used: {row['reason']}."
        for row in table[table["verdict"] == REFUSED].to_dict("records")
    ]
    unpriced = int(today["amount"].isna().sum())
    if unpriced:
        notes.append(f"{unpriced:,} of {len(today):,} open deals have no amount, so no loss is said of them.")
    return tuple(notes)
