"""Small companies with weekly history whose forecasts can be made in seconds."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from builders import make_definitions, make_store
from revops_analysis.models.backtest import BacktestOptions
from revops_analysis.models.bookings_model import BookingsOptions
from revops_analysis.models.forecast import ForecastOptions
from revops_analysis.models.later_deals import LaterOptions
from revops_analysis.models.win_probability import WinModelOptions
from revops_analysis.project import Project, find_project
from revops_analysis.sources.profile import load_profile
from revops_analysis.workspace import Origin, Workspace

TODAY = date(2026, 8, 18)
WEEK_AGO = TODAY - timedelta(days=7)
PERIOD = "2026-Q3"
FIRST = date(2025, 7, 1)
SELLERS = ("u1", "u2", "u3")

WIN = WinModelOptions(trees=30, learning_rate=0.3, l2=1.0, minimum_periods=3, minimum_wins=10)
OPTIONS = ForecastOptions(
    model=BookingsOptions(draws=800, win=WIN, later=LaterOptions(minimum_rows=10)),
    backtest=BacktestOptions(weeks=(1, 7), workers=1),
    scored_periods=3,
    training_periods=1,
)


@dataclass(frozen=True)
class State:
    """A deal from the noon of a day on."""

    day: date
    stage: str
    amount: float | None = 100.0
    close_date: date = date(2026, 9, 20)
    owner: str = "u1"


@dataclass(frozen=True)
class Deal:
    """A deal's whole history; `deleted` is the day on which it was deleted."""

    key: str
    states: tuple[State, ...]
    segment: str = "SMB"
    deleted: date | None = None

    def row(self) -> dict[str, Any]:
        last = self.states[-1]
        row = {"opportunity_id": self.key, "name": f"Deal {self.key}", "account_id": "a1", "type": "new"}
        row |= {"segment": self.segment, "created_at": f"{self.states[0].day}", **_state(last)}
        return row | {"closed_at": f"{last.day}" if "Closed" in last.stage else None, "deleted_at": _noon(self.deleted)}

    def changes(self) -> list[dict[str, Any]]:
        named = enumerate(self.states, start=1)
        return [
            {"opportunity_id": self.key, "changed_at": f"{state.day}", "change_number": number, **_state(state)}
            for number, state in named
        ]


def _noon(day: date | None) -> str | None:
    return None if day is None else f"{day}"


def _state(state: State) -> dict[str, Any]:
    chance = {"Discovery": 0.1, "Solution": 0.3, "Proposal": 0.5, "Closed Won": 1.0}.get(state.stage, 0.0)
    category = "Commit" if state.stage == "Proposal" else "Pipeline"
    return {
        "stage": state.stage,
        "amount": state.amount,
        "close_date": state.close_date.isoformat(),
        "forecast_category": category,
        "probability": chance,
        "owner_id": state.owner,
    }


def past_deals(seed: int = 0, per_quarter: int = 14, *, won: float = 0.45) -> list[Deal]:
    """Deals of the four quarters before the current one, and open ones of it, with amounts that change at random."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(int(per_quarter * 4.4)):
        created = FIRST + timedelta(days=int(number * 91 / per_quarter))
        owner, segment = SELLERS[number % 3], ("SMB", "Mid-Market")[number % 2]
        amount = float(rng.integers(50, 200))
        close = created + timedelta(days=int(rng.integers(30, 80)))
        steps = [State(created, "Discovery", amount, close, owner)]
        for stage in ("Solution", "Proposal"):
            steps.append(State(steps[-1].day + timedelta(days=int(rng.integers(6, 20))), stage, amount, close, owner))
        day = steps[-1].day + timedelta(days=int(rng.integers(5, 30)))
        amount = round(amount * float(rng.choice([1.0, 0.9])), 2)
        outcome = "Closed Won" if rng.random() < won else "Closed Lost"
        steps.append(State(day, outcome, amount, day, owner))
        kept = tuple(step for step in steps if step.day <= TODAY)
        found.append(Deal(f"p{number:03d}", kept, segment))
    return found


def last_week() -> list[Deal]:
    """A deal for every line of what changed in the week before `TODAY`."""
    start, now = date(2026, 7, 6), TODAY - timedelta(days=2)
    opened = State(start, "Proposal", 200.0)
    won = replace(opened, stage="Closed Won", close_date=date(2026, 8, 1))
    return [
        Deal("won", (opened, replace(opened, day=now, stage="Closed Won", close_date=now, amount=180.0))),
        Deal("lost", (opened, replace(opened, day=now, stage="Closed Lost", close_date=now))),
        Deal("gone", (opened,), deleted=now),
        Deal("new", (State(now, "Discovery", 300.0),)),
        Deal("new_won", (State(now, "Closed Won", 40.0, now),)),
        Deal("dearer", (opened, replace(opened, day=now, amount=260.0))),
        Deal("further", (State(start, "Discovery", 150.0), State(now, "Proposal", 150.0))),
        Deal("restated", (opened, replace(won, day=date(2026, 8, 1)), replace(won, day=now, amount=150.0))),
        Deal("back", (opened, replace(opened, day=date(2026, 8, 1), stage="Closed Lost"), replace(opened, day=now))),
        Deal("unpriced", (State(start, "Solution", None),)),
    ]


def tables_of(deals: list[Deal], *, target: float | None = 2000.0) -> dict[str, list[dict[str, Any]]]:
    """The tables of a company with these deals, three sellers below one manager, and targets of two quarters."""
    users = [{"user_id": key, "name": f"Seller {key}", "manager_id": "m1"} for key in SELLERS]
    tables = {
        "opportunities": [deal.row() for deal in deals],
        "opportunity_history": [change for deal in deals for change in deal.changes()],
        "accounts": [{"account_id": "a1", "name": "Account", "created_at": "2025-01-01"}],
        "users": [*users, {"user_id": "m1", "name": "Manager", "manager_id": None}],
    }
    quarters = (("2026-07-01", "2026-09-30"), ("2026-10-01", "2026-12-31"))
    common = {"measure": "bookings", "scope_kind": "company", "scope": None, "target": target}
    if target is not None:
        tables["targets"] = [common | {"period_start": start, "period_end": end} for start, end in quarters]
    return tables


def workspace_of(tables: dict[str, list[dict[str, Any]]], as_of: date = TODAY) -> Workspace:
    """A workspace over the tables, whose back-tests are kept nowhere that another test would find them."""
    store = make_store(tables, data_through=as_of)
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    profile = load_profile("sample", find_project())
    return Workspace(store, make_definitions(), as_of, Origin(Project(folder), profile, store.info))


@lru_cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="forecast-cases-")


def _folder() -> str:
    return _kept().name
