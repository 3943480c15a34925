"""How well the win probability works on real stage history: loan applications of a Dutch bank (BPI Challenge 2012).

`python -m benchmarks.bpi2012`

Every application is looked at as it stood at the end of the 1st, 3rd, 7th and 14th day after its creation, if it was
still open then, and asked for P(approved within 42 days of creation). Learned from the applications whose 42 days were
over before the first tested one was created; tested on those created later. `WinProbability` and `StageRates` are the
package's own; rows have the columns of `deal_states` and are built here from the event file, because the source has
one table of events and no deals: what it does not record (close dates, contacts, categories) is null, and the records
of its clerks are not used.

Data: doi 10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f, as `cases.csv` and `stage_events.csv.gz` in the folder
`bpi2012_loan_funnel` of the public data sets (`REVOPS_SHARED_DATA`, or `../shared/data`). Without it nothing is run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

AGES = (1, 3, 7, 14)
HORIZON = 42
"""Days from creation within which an approval counts: the bank withdraws an offer that nobody answers for a month."""

TEST_FROM, TEST_TO = pd.Timestamp("2012-01-01"), pd.Timestamp("2012-01-31")
"""Creation days of the tested applications; the 42 days of the last are over before the data ends on 2012-03-14."""

STAGES = {
    "A_SUBMITTED": 1,
    "A_PARTLYSUBMITTED": 1,
    "A_PREACCEPTED": 2,
    "A_ACCEPTED": 3,
    "A_FINALIZED": 4,
    "O_SENT": 4,
    "O_SENT_BACK": 5,
}
"""Events that put an application in a stage: submitted, pre-accepted, accepted, offer sent, offer returned signed."""

WON = ("A_APPROVED", "A_REGISTERED", "A_ACTIVATED")
LOST = ("A_DECLINED", "A_CANCELLED")


def main() -> int:
    """Print the scores by age, or one sentence where the data is absent; return 0."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("REVOPS_SHARED_DATA", root.parent / "shared" / "data")) / "bpi2012_loan_funnel"
    if not folder.is_dir():
        print(
            f"Nothing was run: {folder.name} is not among the public data sets; REVOPS_SHARED_DATA names their folder."
        )
        return 0
    cases = pd.read_csv(folder / "cases.csv", dtype={"case_id": str})
    events = pd.read_csv(folder / "stage_events.csv.gz", dtype=str)
    print(report(answers(states(cases, events))))
    return 0


def states(cases: pd.DataFrame, events: pd.DataFrame, ages: tuple[int, ...] = AGES) -> pd.DataFrame:
    """A row per age and application open at the end of that day, with the columns of `deal_states` and `won`."""
    deals = pd.DataFrame(
        {"opportunity_id": cases["case_id"], "first_day": _days(cases["reg_date"]), "amount": cases["amount_req"]}
    )
    log = events.rename(columns={"case_id": "opportunity_id"}).assign(day=_days(events["timestamp"]))
    closed = log[log["activity"].isin(WON + LOST)].drop_duplicates("opportunity_id")
    known = closed.set_index("opportunity_id")
    deals["closed_on"] = deals["opportunity_id"].map(known["day"])
    deals["approved"] = deals["opportunity_id"].map(known["activity"]).isin(WON)
    deals["last_day"] = deals["first_day"] + pd.Timedelta(days=HORIZON)
    parts = [_at_age(deals, log, age) for age in ages]
    return pd.concat(parts, ignore_index=True)


def _days(texts: pd.Series) -> pd.Series:
    """The local day of moments that carry their offset."""
    return pd.to_datetime(texts.str[:10], format="%Y-%m-%d")


def _at_age(deals: pd.DataFrame, log: pd.DataFrame, age: int) -> pd.DataFrame:
    """The applications still open at the end of the day so many days after their creation."""
    rows = deals.assign(cutoff=deals["first_day"] + pd.Timedelta(days=age))
    rows = rows[~(rows["closed_on"] <= rows["cutoff"])]
    past = log.merge(rows[["opportunity_id", "cutoff"]], on="opportunity_id")
    past = past[past["day"] <= past["cutoff"]]
    past = past.assign(stage_order=past["activity"].map(STAGES).astype("float64"), ago=past["cutoff"] - past["day"])
    seen = past.groupby("opportunity_id").agg(last=("day", "max"), owner_id=("resource", "last"))
    for days in (7, 14, 56):
        recent = past[past["ago"].dt.days < days]
        seen[f"activities_{days}d"] = recent.groupby("opportunity_id").size().astype("float64")
    frame = rows.merge(_stage(past), on="opportunity_id").merge(seen, on="opportunity_id")
    return _as_deal_states(frame, age)


def _stage(past: pd.DataFrame) -> pd.DataFrame:
    """The stage each application is in, since when without a break, and how often it changed."""
    moves = past[past["stage_order"].notna()]
    moves = moves[moves["stage_order"] != moves.groupby("opportunity_id")["stage_order"].shift()]
    grouped = moves.groupby("opportunity_id")
    frame = grouped.agg(stage_order=("stage_order", "last"), entered_on=("day", "last"), changes=("day", "size"))
    return frame.reset_index()


def _as_deal_states(frame: pd.DataFrame, age: int) -> pd.DataFrame:
    recent = {name: frame[name].fillna(0.0) for name in ("activities_7d", "activities_14d", "activities_56d")}
    numbers = dict.fromkeys(("contacts", "crm_probability", "pushes", "days_pushed"), np.nan)
    nothing = dict.fromkeys(("amount_changes", "reopenings", "owner_won", "owner_closed"), 0.0)
    texts = dict.fromkeys(("type", "segment", "product", "source", "category"))
    is_won = frame["approved"] & (frame["closed_on"] <= frame["last_day"])
    return frame.assign(
        **recent,
        **numbers,
        **nothing,
        **{name: pd.Series(None, index=frame.index, dtype="object") for name in texts},
        period=frame["first_day"].dt.strftime("%G-W%V"),
        stage=frame["stage_order"].astype("int64").astype("str"),
        age_days=float(age),
        days_in_stage=(frame["cutoff"] - frame["entered_on"]).dt.days.astype("float64"),
        days_since_activity=(frame["cutoff"] - frame["last"]).dt.days.astype("float64"),
        stage_changes=frame["changes"] - 1.0,
        first_amount=frame["amount"],
        close_date=pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns]"),
        won=is_won.astype("float64"),
    ).drop(columns=["closed_on", "approved", "entered_on", "last", "changes"])


def answers(rows: pd.DataFrame) -> pd.DataFrame:
    """The tested rows with the probability by each method: model, stage_rate, base_rate."""
    from revops_analysis.models.silent_deals import SilentOptions
    from revops_analysis.models.win_probability import StageRates, WinModelOptions, WinProbability

    train = rows[rows["last_day"] < TEST_FROM].reset_index(drop=True)
    test = rows[rows["first_day"].between(TEST_FROM, TEST_TO)].reset_index(drop=True)
    # Applications count alike, whatever they ask for; four ages are no weekly sequence, so nothing is silent.
    options = WinModelOptions(amount_power=0.0, silent=SilentOptions(minimum_weeks=sys.maxsize))
    model = WinProbability(options).fit(train)
    answered = test.assign(
        model=model.predict_proba(test),
        stage_rate=StageRates().fit(train).predict_proba(test),
        base_rate=train.groupby("age_days")["won"].mean().reindex(test["age_days"]).to_numpy(),
    )
    answered.attrs["trained"] = f"{train['opportunity_id'].nunique()} applications, {len(train)} rows: {model.basis_}"
    return answered


METHODS = ("model", "stage_rate", "base_rate")


def report(rows: pd.DataFrame) -> str:
    """The scores by age and method, and the difference of Brier scores with its interval."""
    from revops_analysis.models.probability_scores import score_probabilities

    lines = []
    for age, group in [*rows.groupby("age_days"), ("all", rows)]:
        for method in METHODS:
            scores = score_probabilities(group["won"], group[method]).set_index("score")["value"]
            kept = scores[["roc_auc", "brier", "calibration_error"]]
            facts = {"age": age, "open": len(group), "approved": group["won"].mean(), "method": method}
            lines.append(facts | kept.to_dict())
    gain, low, high = brier_gain(rows)
    return "\n".join(
        [
            f"Trained on {rows.attrs['trained']}; tested on {rows['opportunity_id'].nunique()} applications.",
            pd.DataFrame(lines).to_string(index=False, float_format="{:.4f}".format),
            f"Brier of the model − stage rate: {gain:.4f} (95% {low:.4f} to {high:.4f}, applications drawn anew)",
        ]
    )


def brier_gain(rows: pd.DataFrame, repeats: int = 1_000) -> tuple[float, float, float]:
    """Difference of the Brier scores of model and stage rate, with the 95% interval of a bootstrap of applications."""
    difference = (rows["model"] - rows["won"]) ** 2 - (rows["stage_rate"] - rows["won"]) ** 2
    sums: npt.NDArray[np.float64] = difference.groupby(rows["opportunity_id"]).agg(["sum", "size"]).to_numpy()
    drawn = np.random.default_rng(0).integers(0, len(sums), (repeats, len(sums)))
    totals = sums[drawn].sum(axis=1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
    return float(difference.mean()), float(low), float(high)


if __name__ == "__main__":
    sys.exit(main())
