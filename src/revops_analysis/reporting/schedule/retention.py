"""Old runs of an entry make room; what anything else still points to stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from revops_analysis.reporting.assembly import write_list_of_runs
from revops_analysis.reporting.publish import only_one
from revops_analysis.reporting.schedule.entries import Entry
from revops_analysis.reporting.schedule.state import Slot

MANIFEST = "manifest.json"


def remove_old_runs(reports: Path, entry: Entry, slots: Iterable[Slot]) -> list[Path]:
    """Remove the runs of `entry` beyond its `keep_runs` latest, with the runs of a part made from them.

    `slots` are those of all entries: a run that another slot still keeps, or that is not finished, stays. Returns what
    was removed. Nothing but folders of runs below `reports` is ever removed.
    """
    known = list(slots)
    own = list(dict.fromkeys(slot.folder for slot in reversed(known) if slot.name == entry.name and slot.folder))
    old = set(own[entry.keep_runs :])
    old -= {slot.folder for slot in known if slot.name != entry.name or slot.is_open}
    removed = []
    for place in sorted(old):
        folder = reports / place
        if not (folder / MANIFEST).is_file() or not folder.resolve().is_relative_to(reports.resolve()):
            continue
        for path in [*_parts_of(folder), folder]:
            _remove(path)
            removed.append(path)
    if removed:
        with only_one(reports, "index"):
            write_list_of_runs(reports)
    return removed


def _parts_of(folder: Path) -> list[Path]:
    """Runs of a part of the company that rest on the same load, day and period as this one."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    period, day, report = folder.parent, folder.parent.parent, folder.parent.parent.parent
    found = []
    for path in sorted(report.parent.glob(f"{report.name}.*/{day.name}/{period.name}/*/{MANIFEST}")):
        inputs = json.loads(path.read_text(encoding="utf-8")).get("inputs", {})
        if not path.parent.is_symlink() and inputs.get("cut_of") == manifest["data"]["hash"]:
            found.append(path.parent)
    return found


def _remove(folder: Path) -> None:
    """A folder steps aside first, so that nobody sees half of it; a `latest` that pointed to it goes with it."""
    latest = folder.parent / "latest"
    if latest.is_symlink() and latest.resolve() == folder.resolve():
        latest.unlink()
    aside = folder.with_name(f".removing-{folder.name}")
    folder.rename(aside)
    shutil.rmtree(aside)
    for parent in (folder.parent, folder.parent.parent):
        if any(parent.iterdir()):
            break
        parent.rmdir()
