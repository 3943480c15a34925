"""A small company whose attribution chapter can be computed at once: touches of four channels, spend of two."""

from __future__ import annotations

from attribution.touch_rows import ACCOUNT, deal, touch
from builders import make_snapshot

DAY = "2026-09-30"


def company(spend=True, touched=True):
    """The company as a snapshot, without spend or touches if so asked."""
    rows = tables()
    lacking = [name for name, there in (("spend", spend), ("touchpoints", touched)) if not there]
    return make_snapshot({**rows, **dict.fromkeys(lacking, ())}, as_of=DAY)


def tables():
    """Twelve accounts, one deal each, two in three won in 2026-Q3; emails cost little, events more than they bring."""
    deals, touches = [], []
    for n in range(12):
        account, won = f"a{n}", n % 3 != 2
        outcome = {"stage": "Closed Won"} if won else {"stage": "Closed Lost"}
        dates = {"created_at": "2026-07-05", "close_date": "2026-08-20", "closed_at": "2026-08-20"}
        source = {"source": ("Inbound", "Outbound", "Event")[n % 3]}
        deals.append(deal(n, account_id=account, amount=1000 + 10 * n, **outcome, **dates, **source))
        channels = (("Email", "Outbound"), ("Event", "Outbound", "Email"), ("Outbound", None))[n % 3]
        for at, channel in enumerate(channels):
            touches.append(touch(f"t{n}.{at}", f"2026-06-{10 + at}", channel, account_id=account))
    months = [(year, month) for year, month in [(2025, m) for m in (10, 11, 12)] + [(2026, m) for m in range(1, 10)]]
    costs = {"Email": 10, "Event": 5_000, None: 2_000}
    rows = [
        {"month": f"{year}-{month:02d}-01", "function": function, "channel": channel, "amount": amount}
        for year, month in months
        for channel, amount in costs.items()
        for function in (("marketing", "sales") if channel is None else ("marketing",))
    ]
    return {"opportunities": deals, "touchpoints": touches, "accounts": [ACCOUNT], "spend": rows}
