"""A run's folder as `revops report` leaves it, made in no time: the documents that a mail reads, and tiny pictures."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

from revops_analysis.project import Project
from revops_analysis.reporting.inputs import hash_bytes
from revops_analysis.reporting.key_figures import dump_json
from revops_analysis.reporting.mail.addresses import Person
from revops_analysis.reporting.mail.recipients import Recipient

NASTY = "<script>alert(1)</script>{{7*7}}"
PASSED = {"passed": True, "allowed_invalid": False, "rules": 254, "critical": 0, "warnings": 11, "not_checked": 0}


def figure(metric: str, value: Any, unit: str = "currency", **other: Any) -> dict[str, Any]:
    """A headline row of summary.json."""
    empty = {"dims": {}, "low": None, "high": None, "n": None, "reason": None}
    title = metric.replace("_", " ").capitalize()
    return {"metric": metric, "value": value, "unit": unit, "title": title, **empty, **other}


def finding(number: int = 1, **other: Any) -> dict[str, Any]:
    """A finding of summary.json; a larger number has less money at stake."""
    return {
        "id": f"stalled_deals:{number}",
        "what": f"Finding {number} about {NASTY}.",
        "evidence": {"n": 85, "effect": 0.2, "unit": "rate", "low": 0.1, "high": 0.3, "p_adjusted": None},
        "money": f"{1_000_000 - number}.00",
        "currency": "USD",
        "confidence": 0.9,
        "severity": "warning",
        "owner": "Sales managers",
        "proposed_fix": f"Do {number} about it.",
        "place": {"chapter": "pipeline", "section": "Stalled"},
        **other,
    }


def chapter(name: str = "pipeline", findings: int = 2, **other: Any) -> dict[str, Any]:
    """A chapter of summary.json with two headline figures, a picture, and so many findings."""
    rows = [
        figure("open_pipeline", "6848223.12", n=350),
        figure("win_rate", 0.331, "rate", low=0.294, high=0.37, n=577, dims={"segment": NASTY}),
        figure("bookings_target", None, reason="No target was set for Zoë's region."),
    ]
    picture = {"name": "movement", "title": "Movement", "alt": f"It fell since {NASTY}."}
    picture |= {"svg_path": f"figures/{name}_movement.svg", "png_path": f"figures/{name}_movement.png"}
    found = [finding(number) for number in range(1, findings + 1)]
    return {
        "name": name,
        "title": "Pipeline health",
        "headline": rows,
        "findings": found,
        "figures": [picture],
        **other,
    }


def make_run(reports: Path, *chapters: dict[str, Any], day: str = "2026-09-30", **manifest: Any) -> Path:
    """Write a run below `reports` and return its folder; `manifest` overrides what the manifest says.

    `warnings` among them are the notes of key_figures.json.
    """
    summary = {"schema": "revops.summary/1", "description": "The quarter.", "chapters": chapters or (chapter(),)}
    document = {
        "report": "quarterly",
        "title": "Quarterly report",
        "source": "sample",
        "as_of": day,
        "period": "2026-Q3",
        "input_hash": "10e070f6" + "0" * 56,
        "definitions": {"version": "2026.1", "hash": "c" * 64},
        "inputs": {},
        "data": {"hash": "b" * 16},
        "gate": PASSED,
        "chapters": [{"name": one["name"], "title": one["title"], "error": ""} for one in summary["chapters"]],
        "run": {"started_at": "2026-10-01T06:00:00+00:00"},
        **manifest,
    }
    folder = reports / document["source"] / document["report"] / day / "2026-Q3" / document["input_hash"][:8]
    files = {"summary.json": dump_json(summary).encode(), "index.html": b"<h1>Quarterly report</h1>"}
    notes = {"currency": "USD", "warnings": document.pop("warnings", ["No targets were supplied."]), "rows": []}
    files["key_figures.json"] = dump_json(notes).encode()
    for one in summary["chapters"]:
        files |= {picture["png_path"]: tiny_png() for picture in one["figures"]}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    listed = {"files": {name: hash_bytes(content) for name, content in files.items()}}
    (folder / "manifest.json").write_text(json.dumps(listed | document))
    latest = folder.parent / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    return folder


def tiny_png(width: int = 1200, height: int = 800) -> bytes:
    """A grey picture of the size that ours have."""

    def piece(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", head) + piece(b"IDAT", rows) + piece(b"IEND", b"")


def recipient(address: str = "ana@example.com", name: str = "Ana Ruíz") -> Recipient:
    """Somebody to send to."""
    return Recipient(Person(name, address), "it was sent to you by name")


def make_home(root: Path, recipients: str = "") -> Project:
    """A project with nothing but its marker and, if given, `params/recipients.yml`."""
    (root / "params").mkdir(parents=True)
    (root / "params" / "definitions.yml").write_text("")
    if recipients:
        (root / "params" / "recipients.yml").write_text(recipients, encoding="utf-8")
    return Project(root)
