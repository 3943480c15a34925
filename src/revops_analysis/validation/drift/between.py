"""The drift between two loads that lie in the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from revops_analysis.tables.warehouse import WarehouseInfo, attach, previous_warehouse
from revops_analysis.validation.drift.compare import Drift, compare
from revops_analysis.validation.drift.profile import Stretch, profile_load

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions
    from revops_analysis.project import Project

FEWEST_LATEST_DAYS = 28
"""Four weeks at least count as the latest, so that each weekday counts the same and there are rows to compare."""


def drift_between(before: WarehouseInfo, now: WarehouseInfo, definitions: Definitions, con: Any = None) -> Drift:
    """Compare two loads of a source; `con` may have the later one attached already."""
    zone = definitions.business_time_zone
    elapsed = (now.data_through - before.data_through).days
    tables = tuple(name for name in now.supplied_tables if name in before.supplied_tables)
    stretch = Stretch(before.data_through, max(elapsed, FEWEST_LATEST_DAYS), tables)
    old, new = attach(before), con or attach(now)
    try:
        outlines = profile_load(old, before, zone, stretch), profile_load(new, now, zone, stretch)
    finally:
        old.disconnect()
        if con is None:
            new.disconnect()
    changes = compare(*outlines, definitions.thresholds)
    return Drift(changes, before.content_hash, now.content_hash, before.data_through, now.data_through)


def drift_since_last_load(project: Project, now: WarehouseInfo, definitions: Definitions) -> Drift | None:
    """Compare a load with the one made before it; None where there is nothing to compare with."""
    before = previous_warehouse(project, now)
    return None if before is None else drift_between(before, now, definitions)
