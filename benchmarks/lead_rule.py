"""How near the proposed lead rule comes to the best possible one, on simulated companies whose good leads are known.

`python -m benchmarks.lead_rule [--seeds N] [--first S]`

Each seed is a company of its own. The rule is proposed from what the company itself can see: leads that were passed and
worked. It is judged by the truth, over all leads of the test window that could have been passed, worked or not:
`chance_good` is the best score that what is recorded allows, and the achievable precision is that score's at the recall
of the rule.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

AS_OF = date(2026, 9, 30)
NEEDED = (
    "leads",
    "touchpoints",
    "opportunities",
    "opportunity_history",
    "accounts",
    "users",
    "campaigns",
    "exchange_rates",
)
TARGET = 0.9
"""Least share of the achievable precision, at the same recall."""

JOINT = (
    "employees >= 80 and title not in [Analyst, Specialist] and (visited_pricing_page = true or demo_requested = true)"
)
"""What makes a lead worth passing in the sample company (docs/sample-company.md): the rule that nobody there knows."""


def main() -> int:
    """Print a row a seed and the worst share of the achievable precision; 1 if it is below the target."""
    options = _options()
    rows = []
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory(prefix="revops-leads-") as folder:
            rows.append(score(lead_company(Path(folder), seed), seed))
        print(f"seed {seed} done", file=sys.stderr)
    frame = pd.DataFrame(rows)
    print(frame.drop(columns="text").to_string(index=False, float_format="{:.3f}".format))
    for row in rows:
        print(f"seed {row['seed']}: {row['text']}")
    worst = float(frame["of_achievable"].min())
    print(f"Share of the achievable precision at the same recall: at least {worst:.3f} (target {TARGET}).")
    return int(worst < TARGET)


@dataclass(frozen=True, eq=False)
class LeadCompany:
    """A simulated company as a snapshot, and the truth of its leads."""

    snapshot: Any
    truth: pd.DataFrame


def lead_company(folder: Path, seed: int, scale: float = 1.0, dirt: float = 1.0) -> LeadCompany:
    """Simulate a company into `folder` and open it on its last day, in memory."""
    import ibis

    from revops_analysis.definitions import load_definitions
    from revops_analysis.simulation import SimulationOptions, simulate
    from revops_analysis.tables.schema import TABLES
    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.tables.store import Store
    from revops_analysis.tables.warehouse import WarehouseInfo, connect, create_tables

    simulate(folder, SimulationOptions(seed=seed, scale=scale, dirt=dirt))
    con = connect()
    create_tables(con)
    for name in NEEDED:
        rows = con.read_parquet(folder / "tables" / f"{name}.parquet")
        kinds = TABLES[name].ibis_types()
        columns = [
            rows[column].cast(kind).name(column) if column in rows.columns else ibis.null(kind).name(column)
            for column, kind in kinds.items()
        ]
        con.insert(name, rows.select(*columns).distinct())
    info = WarehouseInfo(source="sample", content_hash="0" * 16, data_through=AS_OF, supplied_tables=NEEDED)
    definitions = load_definitions(Path(__file__).resolve().parents[1] / "params" / "definitions.yml")
    truth = pd.read_parquet(folder / "truth" / "leads.parquet").set_index("lead_id")
    return LeadCompany(Snapshot(Store(con, info), definitions, AS_OF), truth)


def score(company: LeadCompany, seed: int = 0) -> dict[str, Any]:
    """What is proposed, against the truth: a row."""
    from revops_analysis.definitions.rule_text import parse_rule
    from revops_analysis.models.lead_proposal import propose_rule
    from revops_analysis.models.lead_records import lead_records
    from revops_analysis.models.lead_replay import NEW, replay
    from revops_analysis.models.rule_search import holds

    snapshot = company.snapshot
    proposal = propose_rule(snapshot)
    if proposal.found is None or proposal.model is None:
        raise SystemExit(f"seed {seed}: no rule was proposed: {proposal.reason}")
    test_from = proposal.splits.set_index("window").loc["test", "first_day"]
    records = lead_records(snapshot).frame
    leads = records[records["lead_on"] >= test_from]
    truth = company.truth.loc[leads["lead_id"]]
    good, chance = truth["truly_good"].to_numpy(dtype=float), truth["chance_good"].to_numpy()
    passed = holds(proposal.found.rule, leads)
    replayed = replay(snapshot, proposal.found.rule).of(NEW)
    known = replay(snapshot, parse_rule(JOINT)).of(NEW)
    return {
        "seed": seed,
        "passed_month": replayed["passed_month"],
        "deal_rate": replayed["deal_rate"],
        "joint_month": known["passed_month"],
        "joint_deal_rate": known["deal_rate"],
        "today_good": float(good[leads["is_passed"].to_numpy(dtype=bool)].mean()),
        **against_truth(passed, good, chance),
        "score_auc": _auc(good, proposal.model.predict_proba(leads)),
        "best_auc": _auc(good, chance),
        "refused": ", ".join(proposal.leaks.refused),
        "conditions": proposal.found.conditions,
        "text": proposal.text,
    }


def against_truth(passed: np.ndarray, good: np.ndarray, chance: np.ndarray) -> dict[str, float]:
    """Precision and recall of a rule by the truth, and its share of what the best score has at the same recall.

    `expected_of_achievable` is the same with each lead's chance of being good in place of whether it was: free of luck.
    """
    from revops_analysis.models.lead_score import precision_at

    precision, recall = float(good[passed].mean()), float(good[passed].sum() / good.sum())
    expected, kept = float(chance[passed].mean()), float(chance[passed].sum() / chance.sum())
    achievable = precision_at(good, chance, recall)
    return {
        "precision": precision,
        "recall": recall,
        "achievable": achievable,
        "of_achievable": precision / achievable,
        "expected_of_achievable": expected / precision_at(chance, chance, kept),
    }


def _auc(good: np.ndarray, stated: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(good, stated))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lead_rule", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many companies")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
