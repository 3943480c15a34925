"""Companies drawn at random for property tests: one account a deal, touches around its window, sometimes a lead."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

from attribution.touch_rows import deal, touch

CHANNELS = ("Email", "Event", "Outbound", "Partner", "Webinar", None)
START = dt.datetime(2026, 5, 1, 12)


def random_company(seed: int, deals: int = 30) -> dict[str, list[dict[str, Any]]]:
    """Rows of opportunities, touchpoints and leads; amounts from nothing to 10,000.00, some missing, some negative."""
    draw = Random(seed)  # noqa: S311
    made: dict[str, list[dict[str, Any]]] = {"opportunities": [], "touchpoints": [], "leads": []}
    for number in range(deals):
        account = f"a{number}"
        amount = draw.choice([None, 0, 0.01, 0.05, draw.randrange(1_000_000) / 100, -draw.randrange(1000) / 100])
        is_open = draw.random() < 0.3
        ending = {"stage": "Proposal", "closed_at": None} if is_open else {}
        made["opportunities"].append(deal(number, account_id=account, amount=amount, **ending))
        for key in range(draw.choice([0, 1, 1, 2, 3, 4, 7])):
            # Few distinct moments, so that touches tie with each other, with the lead and with the deal's creation.
            moment = START + dt.timedelta(days=draw.randrange(-100, 70, 5))
            row = touch(f"t{number}.{key}", moment.isoformat(" "), draw.choice(CHANNELS), account_id=account)
            made["touchpoints"].append(row)
        if draw.random() < 0.6:
            created = START + dt.timedelta(days=draw.randrange(-100, 10, 5))
            lead = {"lead_id": f"l{number}", "created_at": created, "account_id": account}
            made["leads"].append({**lead, "converted_at": created})
    return made


def shuffled(tables: dict[str, list[dict[str, Any]]], seed: int) -> dict[str, list[dict[str, Any]]]:
    """The same rows in another order."""
    draw = Random(seed)  # noqa: S311
    return {name: draw.sample(rows, len(rows)) for name, rows in tables.items()}
