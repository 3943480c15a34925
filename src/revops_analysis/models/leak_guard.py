"""Columns that were filled in after a lead was passed: they tell the outcome, so no score and no rule may use them.

A source keeps no history of attributes, so the guard looks at what a later entry leaves behind: a value other than the
usual blank (missing, 0, false, or whatever most other leads have) that occurs (almost) only among leads to which a
later event happened. A call can be logged only on a lead that was accepted; a form is filled in by all.

Three tests, each against the leads that were accepted, became a deal, or were refused:
- only after: among leads without the event, (almost) none has another value than the blank; among leads with it, many;
- too exact: a number alone tells leads with the event from others almost without error;
- identifier: (almost) every lead has a value of its own, so that it can only be learned by heart.
What cannot be tested, for want of leads, is refused too: no evidence is never a pass. The definitions can name columns
that are known at creation (`leads.known_at_creation`); those are trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.lead_records import FIXED, LeadRecords
from revops_analysis.statistics.intervals import wilson_interval

LEAST_LEADS = 30
"""With fewer leads with, or without, an event nothing can be tested against it."""

MOST_BEFORE = 0.1
"""A column is filled afterwards if leads without the event have another value than the blank less than a tenth as often
as leads with it, beyond chance."""

TOO_EXACT = 0.97
"""Area under the curve from which on a single number tells an event too well to have been known before it."""

TOO_MANY = 0.5
"""Distinct values against leads from which on a text is an identifier."""

EVENTS = {"accepted": "accepted_on", "turned into a deal": "deal_on", "refused": "refused_on"}


@dataclass(frozen=True, eq=False)
class LeakCheck:
    """`frame`: a row a column: name, kind, verdict (used, refused, trusted), event, share_with, share_without, reason.

    `share_with` and `share_without`: share of leads with and without the event that have another value than the blank,
    for the event at which they differ most. `usable`: names that may be used, in order.
    """

    frame: pd.DataFrame

    @property
    def usable(self) -> tuple[str, ...]:
        """Names of the columns that may be used."""
        return tuple(self.frame.loc[self.frame["verdict"] != "refused", "name"])

    @property
    def refused(self) -> dict[str, str]:
        """Refused columns with the reason."""
        rows = self.frame[self.frame["verdict"] == "refused"]
        return dict(zip(rows["name"], rows["reason"], strict=True))


def check_leaks(records: LeadRecords, trusted: tuple[str, ...] = ()) -> LeakCheck:
    """Test every recorded column of the leads; those fixed at creation and those named in `trusted` pass.

    >>> leads = pd.DataFrame({name: pd.NaT for name in EVENTS.values()}, index=range(200)).astype("datetime64[ns]")
    >>> leads.loc[:99, "accepted_on"] = pd.Timestamp("2026-01-01")
    >>> leads = leads.assign(calls=[2.0] * 100 + [0.0] * 100, size=[10.0, 90.0] * 100)
    >>> check_leaks(LeadRecords(leads, ("calls", "size"), {"calls": "number", "size": "number"})).usable
    ('size',)
    """
    events = {name: records.frame[column].notna().to_numpy() for name, column in EVENTS.items()}
    rows = [_judged(records, name, events, name in FIXED or name in trusted) for name in records.names]
    columns = ["name", "kind", "verdict", "event", "share_with", "share_without", "reason"]
    return LeakCheck(pd.DataFrame(rows, columns=columns))


def _judged(
    records: LeadRecords, name: str, events: dict[str, npt.NDArray[np.bool_]], passes: bool
) -> dict[str, object]:
    values, kind = records.frame[name], records.kinds[name]
    row: dict[str, object] = {"name": name, "kind": kind, "verdict": "used", "event": None, "reason": None}
    tests = [_compare(values, kind, event, happened) for event, happened in events.items()]
    known = [test for test in tests if test is not None]
    worst = max(known, key=lambda test: float(str(test["ratio"])), default=None)
    if worst:
        row |= {key: worst[key] for key in ("event", "share_with", "share_without")}
    if passes:
        return {**row, "verdict": "trusted", "reason": "fixed at creation" if name in FIXED else "named in definitions"}
    leak = next((test["reason"] for test in known if test["reason"]), None)
    reason = leak or _unusable(values, kind) or (None if known else _UNTESTED)
    return {**row, "verdict": "refused" if reason else "used", "reason": reason}


_UNTESTED = f"fewer than {LEAST_LEADS} leads with, or without, every later event: it cannot be tested"


def _unusable(values: pd.Series, kind: str) -> str | None:
    present = values.dropna()
    if present.nunique() < 2 and not (len(present) and values.isna().any()):
        return "all leads have the same value"
    if kind == "text" and present.nunique() > TOO_MANY * len(present):
        return "nearly every lead has a value of its own: an identifier"
    return None


def _compare(
    values: pd.Series, kind: str, event: str, happened: npt.NDArray[np.bool_]
) -> dict[str, object] | None:  # a test's figures, or None where there are too few leads
    with_event, without = int(happened.sum()), int((~happened).sum())
    if min(with_event, without) < LEAST_LEADS:
        return None
    filled = _filled(values, happened)
    n1, n0 = int(filled[happened].sum()), int(filled[~happened].sum())
    low = float(wilson_interval([n1], [with_event])[0][0])
    high = float(wilson_interval([n0], [without])[1][0])
    p1, p0 = n1 / with_event, n0 / without
    reason = None
    if n1 >= LEAST_LEADS / 3 and high < MOST_BEFORE * low:
        reason = (
            f"filled in after a lead was {event}: {p1:.0%} of the leads {event} have another value than the usual one, "
            f"but {p0:.1%} of the others"
        )
    elif kind == "number" and (exact := _exactness(values, happened)) >= TOO_EXACT:
        reason = f"tells leads {event} from others almost without error ({exact:.3f}): not known before"
    return {"event": event, "share_with": p1, "share_without": p0, "ratio": p1 / max(p0, 1 / without), "reason": reason}


def _filled(values: pd.Series, happened: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether each value differs from the blank: the commonest one of the leads without the event, missing included."""
    codes, _ = pd.factorize(values, use_na_sentinel=True)
    counts = np.bincount(codes[~happened] + 1, minlength=codes.max(initial=-1) + 2)
    return np.asarray(codes + 1 != int(counts.argmax()))


def _exactness(values: pd.Series, happened: npt.NDArray[np.bool_]) -> float:
    """The area under the curve of the number, whichever way it points; missing numbers count as the lowest."""
    from sklearn.metrics import roc_auc_score

    area = float(roc_auc_score(happened, values.fillna(-np.inf).rank()))
    return max(area, 1 - area)
