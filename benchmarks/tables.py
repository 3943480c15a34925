"""The results as one table, and the cost curve: how time grows with size."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.measure import Measurement

PEER = "pandas: "


def as_markdown(results: Sequence[Measurement]) -> str:
    """One row a step: for each scale seconds, CPU seconds and peak MB, beside them plain pandas; last, the growth."""
    scales = sorted({result.scale for result in results})
    found = {(result.step, result.scale): result for result in results}
    steps = list(dict.fromkeys(result.step for result in results if not result.step.startswith(PEER)))
    sides = [f"{who}{unit}" for who in ("", "pandas ") for unit in ("s", "CPU s", "MB")]
    head = ["step", *(f"×{scale:g} {side}" for scale in scales for side in sides)]
    rows = [[step, *_cells(found, step, scales), _growth(found, step, scales)] for step in steps]
    lines = [[*head, "growth"], ["---", *["---:"] * (len(head))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(found: dict[tuple[str, float], Measurement], step: str, scales: Sequence[float]) -> list[str]:
    cells = []
    for scale in scales:
        for name in (step, PEER + step):
            result = found.get((name, scale))
            cells += ["", "", ""] if result is None else _three(result)
    return cells


def _three(result: Measurement) -> list[str]:
    memory = f"{result.peak_mb or 0:,.0f}"
    if result.seconds is None or result.cpu_seconds is None:
        return ["out of memory" if result.failed == "out of memory" else "failed", "", memory]
    return [_shown(result.seconds), _shown(result.cpu_seconds), memory]


def _shown(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"


def _growth(found: dict[tuple[str, float], Measurement], step: str, scales: Sequence[float]) -> str:
    """Exponent of time in size between the two largest scales measured: 1 is proportional, below it is better."""
    known = [(scale, found[step, scale].seconds) for scale in scales if (step, scale) in found]
    timed = [(scale, seconds) for scale, seconds in known if seconds]
    if len(timed) < 2:
        return ""
    (small, first), (large, last) = timed[-2:]
    return f"{math.log(last / first) / math.log(large / small):.2f}"


def write(results: Sequence[Measurement], folder: Path) -> Path:
    """Write `latest.md` and `latest.json` to `folder`; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    failed = [f"- {result.step} ×{result.scale:g}: {result.failed}" for result in results if result.failed]
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    text = [f"# Speed and memory ({machine})", "", as_markdown(results), ""]
    text += ["Failed:", "", *failed, ""] if failed else []
    page = folder / "latest.md"
    page.write_text("\n".join(text), encoding="utf-8")
    (folder / "latest.json").write_text(json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8")
    return page
