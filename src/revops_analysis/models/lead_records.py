"""Leads as records for a model: what was recorded of each, as typed columns, and what became of it.

Attributes are read in the engine, a column each. Their type follows from their values: a flag where all are true or
false, a number where nearly all are numbers, text otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import within
from revops_analysis.metrics.funnel.attributes import FALSE_WORDS, TRUE_WORDS, attribute_names, attribute_text
from revops_analysis.metrics.funnel.behaviour import PREFIX, behaviour_names, with_behaviour
from revops_analysis.metrics.funnel.leads import lead_table, records_answers
from revops_analysis.tables.schema import TABLES

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot

SETTLED_DAYS = 90
"""A passed lead is judged so many days after it was passed: a deal by then, or not."""

RARE = 0.01
"""Behaviour of fewer leads than this share teaches nothing."""

NUMBERS_NEEDED = 0.95
"""Share of an attribute's values that must be numbers for it to be one; the others are then missing."""

FIXED = ("source",)
"""Columns of leads that a model may use: fixed when the lead is created."""

_STATE = ("lead_id", "lead_on", "qualified_on", "accepted_on", "deal_on", "won_on", "refused_on", "is_worked")


@dataclass(frozen=True, eq=False)
class LeadRecords:
    """`frame`: a row a lead created in a period, ordered by key.

    Columns: lead_id, lead_on, qualified_on, accepted_on, deal_on, won_on, refused_on (days), is_worked, is_passed,
    outcome (1: a deal within `SETTLED_DAYS` of passing; 0: none by then; null: not passed, never worked, or not yet so
    long ago), judged_from (day passed), and `names`: the recorded columns. `kinds`: name → number, flag or text.
    """

    frame: pd.DataFrame
    names: tuple[str, ...]
    kinds: dict[str, str]

    @property
    def known(self) -> pd.DataFrame:
        """The leads whose outcome is known, oldest first."""
        rows = self.frame[self.frame["outcome"].notna()]
        return rows.sort_values(["qualified_on", "lead_id"], kind="stable")


def lead_records(snapshot: Snapshot, period: Period | None = None) -> LeadRecords:
    """Records of the leads created in `period` (by default all of them), as known on the snapshot's day.

    Attributes take part where the definitions allow their latest values (`allowed_current_columns`), else only what is
    fixed; one that is called like a column of leads does not. What a lead had done by then (`metrics.funnel.behaviour`)
    takes part where it tells leads apart. Where the source records no answers, every
    passed lead counts as worked.
    """
    allowed = "leads.attributes" in snapshot.definitions.allowed_current_columns
    taken = {*TABLES["leads"].names, *_STATE, "is_passed", "outcome"}
    attributes = [name for name in attribute_names(snapshot) if name not in taken] if allowed else []
    if attributes:
        snapshot.require_dated(["leads.attributes"], "a model's feature")
    leads = lead_table(snapshot)
    if period is not None:
        leads = leads.filter(within(leads.lead_on, period))
    columns = {name: attribute_text(leads, name, snapshot.con.name) for name in attributes}
    done = [name for name in behaviour_names(snapshot) if name not in taken]
    leads = with_behaviour(leads, snapshot, done)
    columns |= {name: leads[f"{PREFIX}{name}"].cast("float64") for name in done}
    frame = leads.select(*_STATE, "is_passed", *FIXED, **columns).order_by("lead_id").to_pandas()
    done = _telling(frame, done)
    for name in _STATE[1:-1]:
        frame[name] = pd.to_datetime(frame[name])
    typed = {name: _typed(frame[name]) for name in attributes}
    kinds = {**dict.fromkeys(FIXED, "text"), **{name: kind for name, (_, kind) in typed.items()}}
    frame = frame.assign(**{name: values for name, (values, _) in typed.items()})
    frame["outcome"] = _outcome(frame, pd.Timestamp(snapshot.as_of), answers=records_answers(snapshot))
    return LeadRecords(frame, (*FIXED, *attributes, *done), {**kinds, **dict.fromkeys(done, "number")})


def _telling(frame: pd.DataFrame, names: list[str]) -> list[str]:
    """Behaviour that tells at least one lead in a hundred from the rest, and is not told by another name already."""
    kept: dict[str, pd.Series] = {}
    for name in names:
        values = frame[name]
        usual = values.value_counts(normalize=True, dropna=False)
        if len(usual) and usual.iloc[0] <= 1 - RARE and not any(values.equals(other) for other in kept.values()):
            kept[name] = values
    return list(kept)


def _outcome(frame: pd.DataFrame, as_of: pd.Timestamp, *, answers: bool) -> pd.Series:
    limit = frame["qualified_on"] + pd.Timedelta(days=SETTLED_DAYS)
    worked = frame["is_worked"].astype(bool) | (not answers)
    known = frame["is_passed"].astype(bool) & worked & (limit <= as_of)
    return (frame["deal_on"] <= limit).astype(float).where(known)


def _typed(text: pd.Series) -> tuple[pd.Series, str]:
    """The values with their type; what does not fit the type of the column is missing."""
    values = text.astype(object).where(text.notna(), None)
    present = values.dropna().astype(str).str.strip()
    words = present.str.lower()
    if len(present) and words.isin(["true", "false"]).all():
        return values.map(_flag).astype("float64"), "flag"
    numbers = pd.to_numeric(present, errors="coerce")
    numbers = numbers[np.isfinite(numbers)]
    if len(present) and len(numbers) >= NUMBERS_NEEDED * len(present):
        return numbers.reindex(values.index).astype("float64"), "number"
    return values, "text"


def _flag(value: Any) -> float:
    word = str(value).strip().lower()
    return 1.0 if word in TRUE_WORDS else 0.0 if word in FALSE_WORDS else float("nan")
