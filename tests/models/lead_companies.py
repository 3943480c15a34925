"""Companies of leads for the tests of rules and scores: by hand, by chance, and simulated with their truth."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from benchmarks.lead_rule import LeadCompany, lead_company

from builders import make_snapshot
from metrics.funnel.companies import company, deal, lead
from revops_analysis.tables.snapshot import Snapshot


@lru_cache
def bare(which: str) -> Snapshot:
    """Companies with little or nothing: no table, an empty one, one lead, one without day, broken attributes."""
    leads = {
        "empty": [],
        "one lead": [lead("a", "2026-05-01", {"size": 1})],
        "undated": [lead("a", None)],
        "broken": [lead("a", "2026-05-01", "{broken")],
    }
    return make_snapshot({"opportunities": []}) if which == "no table" else company(leads[which])


FIRST = dt.datetime(2024, 1, 1, 12)


@lru_cache
def simulated() -> LeadCompany:
    """The sample company of seed 1, two fifths of its size, with the usual dirt."""
    with TemporaryDirectory(prefix="revops-leads-") as folder:
        return lead_company(Path(folder), seed=1, scale=0.4)


@lru_cache
def chance_company(count: int = 1_200, seed: int = 0) -> Snapshot:
    """Leads of which those with `size` ≥ 50 and `keen` become deals four times in ten, others once in forty.

    A third were never passed. `calls` is filled on accepted leads only; `note` is a text of its own for each; `blank`
    is the same for all; `late` is filled on refused leads.
    """
    rng = np.random.default_rng(seed)
    size, keen = rng.integers(1, 100, count), rng.random(count) < 0.5
    fits = (size >= 50) & keen
    passed, luck = rng.random(count) < 0.67, rng.random(count)
    becomes = passed & (luck < np.where(fits, 0.4, 0.025))
    leads, deals = [], []
    for n in range(count):
        created = FIRST + dt.timedelta(hours=18 * n)
        later = [created + dt.timedelta(days=days) for days in (1, 2, 9)]
        accepted = passed[n] and (becomes[n] or n % 3 == 0)
        attributes = {
            "size": int(size[n]),
            "keen": bool(keen[n]),
            "note": f"note {n}",
            "blank": 1,
            "calls": int(accepted) * (1 + n % 3),
            **({"late": "called"} if passed[n] and not becomes[n] else {}),
            "plan": ("small", "large", "huge")[n % 3],
        }
        row = lead(f"l{n:05d}", created, attributes, source=("Paid", "Event")[n % 2], owner_id=f"u{n % 3}")
        if passed[n]:
            row |= {"qualified_at": created, "first_response_at": later[0]}
        if accepted:
            row |= {"accepted_at": later[1]}
        if becomes[n]:
            row |= {"converted_at": later[2], "opportunity_id": f"o{n:05d}"}
            deals.append(_deal(n, later[2]))
        elif passed[n]:
            row |= {"disqualified_at": later[2]}
        leads.append(row)
    return company(leads, deals)


def _deal(n: int, created: dt.datetime) -> dict[str, object]:
    if n % 2:
        return deal(f"o{n:05d}", created, "Discovery")
    closed = created + dt.timedelta(days=30)
    return deal(f"o{n:05d}", created, "Closed Won", amount=1000 + n / 100, close_date=closed.date(), closed_at=closed)
