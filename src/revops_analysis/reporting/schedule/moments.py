"""When a report is due, and which day it is of. No clock is read here: whoever asks says up to which moment.

A cron expression names times on the wall of a zone. Each such time is due once:

- one that the clock jumps over in spring is due when that much time has passed all the same: 02:30 becomes 03:30;
- one that the clock shows twice in autumn is due the first time only;
- two that fall together so are due once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from revops_analysis.periods import FiscalCalendar, Grain, period_containing, previous

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

AsOfRule = Literal["yesterday", "last complete week", "last complete month", "last complete quarter"]
_GRAINS: dict[str, Grain] = {
    "last complete week": "week",
    "last complete month": "month",
    "last complete quarter": "quarter",
}
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def parse_cron(text: str) -> CronTrigger:
    """Read five fields of cron: minute, hour, day of month, month, weekday by name.

    Raises ValueError for what is no cron expression, and for two things on which programs disagree: weekdays as
    numbers (Monday is 1 to cron and 0 to APScheduler), and a day of month together with a weekday (cron wants either,
    APScheduler both). Also for one that never comes, such as the 30th of February.
    """
    return _parsed(" ".join(text.split()))


@lru_cache(maxsize=256)
def _parsed(text: str) -> CronTrigger:
    from apscheduler.triggers.cron import CronTrigger

    fields = text.split(" ")
    if len(fields) != 5:
        raise ValueError("a cron expression has five fields: minute, hour, day of month, month, weekday")
    if re.search(r"\d", fields[4]):
        raise ValueError("weekdays go by name, as mon or mon-fri: programs disagree on which day is number 1")
    if fields[2] != "*" and fields[4] != "*":
        raise ValueError("a day of month and a weekday together mean either to one program and both to another")
    trigger = CronTrigger.from_crontab(text, timezone=UTC)  # on the wall; the zone comes afterwards
    if trigger.get_next_fire_time(None, datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise ValueError("there is no such day")
    return trigger


def moments_between(cron: str, zone: ZoneInfo, after: datetime, upto: datetime) -> list[datetime]:
    """UTC moments at which `cron` is due after `after`, up to and with `upto`, in order, each once.

    >>> day = datetime(2026, 3, 8, tzinfo=UTC)
    >>> [str(due) for due in moments_between("30 2 * * *", ZoneInfo("America/New_York"), day, day + timedelta(days=2))]
    ['2026-03-08 07:30:00+00:00', '2026-03-09 06:30:00+00:00']
    """
    found: set[datetime] = set()
    for moment in _from(cron, zone, after - _DAY):
        if moment > upto + _DAY:
            return sorted(found)
        if after < moment <= upto:
            found.add(moment)
    return sorted(found)


def next_moment(cron: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    """The first UTC moment after `after` at which `cron` is due; None when there is none any more."""
    found = next((moment for moment in _from(cron, zone, after - _DAY) if moment > after), None)
    return found and moments_between(cron, zone, after, found)[0]  # where the clock jumps, a later time comes earlier


def _from(cron: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    """Moments of the wall times from a moment on, in the order of the wall; a day's margin covers every zone change."""
    trigger = parse_cron(cron)
    wall: datetime | None = moment.astimezone(zone).replace(tzinfo=UTC)
    while wall is not None:
        wall = trigger.get_next_fire_time(None, wall)
        if wall is not None:
            yield wall.replace(tzinfo=zone, fold=0).astimezone(UTC)  # fold 0: the offset before the change
            wall += _MINUTE


def logical_date(rule: AsOfRule, due: datetime, zone: ZoneInfo, calendar: FiscalCalendar) -> date:
    """The day that a report is of: the last day of what the rule names, seen from the day on which it was due.

    Weeks are ISO weeks, months and quarters those of the fiscal calendar. A report that runs late is still of the day
    that it was due for.

    >>> due = datetime(2026, 10, 1, 11, tzinfo=UTC)
    >>> logical_date("last complete quarter", due, ZoneInfo("America/New_York"), FiscalCalendar())
    datetime.date(2026, 9, 30)
    """
    day = due.astimezone(zone).date()
    if rule == "yesterday":
        return day - _DAY
    return previous(period_containing(day, calendar, _GRAINS[rule]), calendar).end


def parse_moment(text: str) -> datetime:
    """A moment with its offset from UTC, as 2026-10-01T07:00-04:00 or 2026-10-01T11:00Z, in UTC.

    Raises ValueError for anything else: without an offset it is no moment.
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError("a moment needs its offset from UTC")
    return moment.astimezone(UTC)
