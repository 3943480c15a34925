"""How far the best possible lead rule is, and the simplest rule near it, tested on leads that neither has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.definitions.rule_text import rule_text, rule_yaml
from revops_analysis.definitions.rules import Rule
from revops_analysis.metrics.funnel.rules import rule_attributes
from revops_analysis.models.lead_records import SETTLED_DAYS, LeadRecords, lead_records
from revops_analysis.models.lead_score import (
    DEFAULTS,
    LeadScore,
    LeadScoreOptions,
    Windows,
    gains,
    precision_at,
    split_by_time,
)
from revops_analysis.models.leak_guard import LeakCheck, check_leaks
from revops_analysis.models.rule_search import FoundRule, find_rule, holds

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

_SCORES = ("brier", "log_loss", "roc_auc", "average_precision", "calibration_error")


@dataclass(frozen=True, eq=False)
class LeadProposal:
    """The lead score, the proposed rule, and how near the rule comes, on the test window.

    leaks     what may be used and what was refused, with the reasons.
    splits    a row a window: window, first_day, last_day, leads, deals, deal_rate.
    scores    a row a method (score, proposed rule, today's rule, all leads): brier, log_loss, roc_auc,
              average_precision, calibration_error, n. A rule states the rate of the leads it passes, and of the others,
              as they were before the test window.
    curve     the gains of the score: passed, recall, precision.
    against   a row a rule: rule, passed (share), precision, low, high, recall, score_precision (of the score at the
              same recall), of_best (precision ÷ score_precision), n.
    found     the proposed rule; None where none was found. `reason` says why there is nothing.
    """

    leaks: LeakCheck
    splits: pd.DataFrame
    scores: pd.DataFrame
    curve: pd.DataFrame
    against: pd.DataFrame
    found: FoundRule | None
    model: LeadScore | None
    reason: str | None = None

    @property
    def text(self) -> str:
        """The proposed rule as an expression; empty without one."""
        return rule_text(self.found.rule) if self.found else ""

    @property
    def snippet(self) -> str:
        """The proposed rule as it can be pasted into `definitions.yml`; empty without one."""
        return rule_yaml(self.found.rule) if self.found else ""


def propose_rule(snapshot: Snapshot, current: Rule | None = None, options: LeadScoreOptions = DEFAULTS) -> LeadProposal:
    """Score the leads of a source, and find the simplest rule near the score.

    Learned from the leads that were passed and worked and whose outcome is known: a deal within `SETTLED_DAYS` of
    passing, or none. `current` is a rule to set beside it (by default the lead rule of the definitions). Columns that
    were filled in after passing are refused (see `leak_guard`). Without enough leads there is no score,
    with the reason.
    """
    return snapshot.once(("lead proposal", repr(current), options), lambda: _propose(snapshot, current, options))


def _propose(snapshot: Snapshot, current: Rule | None, options: LeadScoreOptions) -> LeadProposal:
    records = lead_records(snapshot)
    leaks = check_leaks(records, snapshot.definitions.leads.known_at_creation)
    known = records.known
    kinds = {name: records.kinds[name] for name in leaks.usable}
    windows = split_by_time(known, options)
    reason = _too_little(known, windows, kinds, options)
    if reason:
        nothing = pd.DataFrame()
        return LeadProposal(leaks, _splits(windows), nothing, nothing, nothing, None, None, reason)
    model = LeadScore(options).fit(windows, kinds)
    found = find_rule(windows.before_test, kinds)
    rules = {"proposed rule": found.rule if found else None, "today's rule": current or snapshot.definitions.lead_rule}
    usable = {name: rule for name, rule in rules.items() if rule is not None and _readable(rule, records)}
    chance = model.predict_proba(windows.test)
    return LeadProposal(
        leaks,
        _splits(windows),
        _scores(windows, usable, chance),
        gains(windows.test["outcome"], chance),
        _against(windows.test, usable, chance),
        found,
        model,
        None if found else "no rule of four conditions tells leads apart",
    )


def _readable(rule: Rule, records: LeadRecords) -> bool:
    return {*rule_attributes(rule)} <= {*records.names}


def _too_little(known: pd.DataFrame, windows: Windows, kinds: dict[str, str], options: LeadScoreOptions) -> str | None:
    deals = int(known["outcome"].sum())
    if len(known) < options.minimum_leads or deals < options.minimum_deals:
        return (
            f"{len(known):,} worked leads with known outcome, {deals:,} of them deals; {options.minimum_leads} and "
            f"{options.minimum_deals} are needed (a lead is judged {SETTLED_DAYS} days after it was passed)"
        )
    if not kinds:
        return "no recorded column may be used"
    parts = (windows.train, windows.calibration, windows.test)
    if any(part["outcome"].nunique() < 2 for part in parts):
        return "one of the windows has only deals, or none"
    return None


def _splits(windows: Windows) -> pd.DataFrame:
    rows = []
    for name in ("train", "calibration", "test"):
        part = getattr(windows, name)
        rows.append(
            {
                "window": name,
                "first_day": part["qualified_on"].min() if len(part) else None,
                "last_day": part["qualified_on"].max() if len(part) else None,
                "leads": len(part),
                "deals": int(part["outcome"].sum()),
                "deal_rate": float(part["outcome"].mean()) if len(part) else None,
            }
        )
    return pd.DataFrame(rows)


def _scores(windows: Windows, rules: dict[str, Rule], chance: np.ndarray) -> pd.DataFrame:
    from revops_analysis.models.probability_scores import score_probabilities

    before, test = windows.before_test, windows.test
    stated = {"score": chance}
    for name, rule in rules.items():
        passed = holds(rule, before)
        rate = before["outcome"].groupby(passed).mean()
        stated[name] = pd.Series(holds(rule, test)).map(rate).fillna(before["outcome"].mean()).to_numpy()
    stated["all leads alike"] = np.full(len(test), before["outcome"].mean())
    rows = []
    for name, probability in stated.items():
        found = score_probabilities(test["outcome"], probability).set_index("score")["value"]
        rows.append({"method": name, **found[list(_SCORES)].to_dict(), "n": len(test)})
    return pd.DataFrame(rows)


def _against(test: pd.DataFrame, rules: dict[str, Rule], chance: np.ndarray) -> pd.DataFrame:
    from revops_analysis.statistics.intervals import wilson_interval

    outcome = test["outcome"].to_numpy(dtype=float)
    rows = []
    for name, rule in rules.items():
        passed = holds(rule, test)
        taken, good = int(passed.sum()), float(outcome[passed].sum())
        low, high = wilson_interval([good], [taken])
        precision = good / taken if taken else float("nan")
        recall = good / float(outcome.sum())
        best = precision_at(outcome, chance, recall)
        shown = {"passed": taken / len(test), "precision": precision, "low": low[0], "high": high[0], "recall": recall}
        rows.append({"rule": name, **shown, "score_precision": best, "of_best": precision / best, "n": taken})
    columns = ["rule", "passed", "precision", "low", "high", "recall", "score_precision", "of_best", "n"]
    return pd.DataFrame(rows, columns=columns)
