"""Small companies of leads for the tests of the funnel: made by hand, and made by chance."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from builders import make_definitions, make_store
from revops_analysis.tables.snapshot import Snapshot

Row = dict[str, Any]
START = dt.datetime(2026, 1, 1, 15)


def lead(key: str, created: str, attributes: Any = None, **more: Any) -> Row:
    """A lead; attributes as a mapping, or as text to write down as it stands."""
    text = json.dumps(attributes) if isinstance(attributes, dict) else attributes
    return {"lead_id": key, "created_at": created, "attributes": text, **more}


def deal(key: str, created: str, stage: str = "Discovery", **more: Any) -> Row:
    """A deal without history: what the table says holds."""
    return {"opportunity_id": key, "created_at": created, "stage": stage, "type": "new", **more}


def company(
    leads: Sequence[Row],
    deals: Sequence[Row] = (),
    *,
    as_of: str = "2026-09-30",
    tables: Mapping[str, Sequence[Row]] | None = None,
    con: Any = None,
    database: Any = None,
    **settings: Any,
) -> Snapshot:
    """A snapshot over leads and deals, days in UTC."""
    filled = {"leads": list(leads), "opportunities": list(deals), **(tables or {})}
    store = make_store(filled, con=con, database=database)
    return Snapshot(store, make_definitions(**{"business_time_zone": "UTC", **settings}), as_of)


def by_chance(seed: int, count: int = 120) -> tuple[list[Row], list[Row], dict[str, list[Row]]]:
    """Leads in which everything happens that can: in disorder, refused, ignored, sold twice, badly recorded."""
    rng = random.Random(seed)  # noqa: S311 - test data
    leads, deals = [], []
    for number in range(count):
        made, sold = _lead(rng, number)
        leads.append(made)
        deals += sold
    users = [{"user_id": f"u{n}", "team": f"Team {n % 2}", "left_on": (None, "2026-03-01")[n == 3]} for n in range(4)]
    names = [(f"c{n}", f"Campaign {n}", ("Event", None)[n % 2]) for n in range(3)]
    campaigns = [{"campaign_id": key, "name": name, "channel": channel} for key, name, channel in names]
    tables = {"users": users, "campaigns": campaigns}
    return leads, deals, tables


def _lead(rng: random.Random, number: int) -> tuple[Row, list[Row]]:
    created = START + dt.timedelta(hours=rng.randrange(24 * 240))

    def later(share: float) -> dt.datetime | None:
        return created + dt.timedelta(minutes=rng.randrange(-500, 60_000)) if rng.random() < share else None

    attributes = [None, "{broken", '{"employees": "250"}', '{"employees": 9, "keen": true}', '{"employees": [1]}']
    made = {
        "lead_id": f"l{number:04d}",
        "created_at": created if rng.random() < 0.97 else None,
        "source": rng.choice(["Inbound", "Paid", None]),
        "campaign_id": rng.choice(["c0", "c1", "c9", None]),
        "owner_id": rng.choice(["u0", "u1", "u2", "u3", "u9", None]),
        "qualified_at": later(0.7),
        "accepted_at": later(0.4),
        "first_response_at": later(0.6),
        "disqualified_at": later(0.5),
        "disqualified_reason": rng.choice(["Timing", "No budget", None]),
        "attributes": rng.choice(attributes),
    }
    if rng.random() > 0.3:
        return made, []
    key = f"o{number % 20:04d}"  # some deals are of two leads
    made |= {"converted_at": later(1.0), "opportunity_id": key}
    stage = rng.choice(["Discovery", "Closed Won", "Closed Lost"])
    closed = created + dt.timedelta(days=rng.randrange(1, 90))
    known = {
        "amount": rng.choice([None, rng.randrange(10_000, 10**7) / 100]),
        "close_date": closed.date(),
        "closed_at": closed,
    }
    return made, [deal(key, made["converted_at"], stage, segment=rng.choice(["SMB", "Enterprise", None]), **known)]


def without_repeats(deals: Sequence[Row]) -> list[Row]:
    """The first row of each deal."""
    return list({row["opportunity_id"]: row for row in reversed(deals)}.values())


def touches_by_chance(leads: Sequence[Row], seed: int = 5) -> list[Row]:
    """Touches of leads around the time they came, some unanswered, without channel or without time."""
    rng = random.Random(seed)  # noqa: S311 - test data
    found = []
    for number in range(2 * len(leads)):
        whose = leads[rng.randrange(len(leads))]
        moment = (whose["created_at"] or START) + dt.timedelta(hours=rng.randrange(-200, 500))
        row = {"touchpoint_id": f"t{number}", "lead_id": whose["lead_id"], "occurred_at": moment}
        row |= {"kind": rng.choice(["form", "email reply", None]), "channel": rng.choice(["SEO", "e-mail", None])}
        found.append({**row, "responded_at": moment + dt.timedelta(hours=30) if rng.random() < 0.5 else None})
    return found
