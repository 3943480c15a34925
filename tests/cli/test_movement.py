"""`revops movement` on a small simulated company, as its users run it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

from end_to_end.commands import revops

ASKED = ("--source", "sample", "--as-of", "2026-09-30", "--from", "2026-06-30", "--to", "2026-08-15")


def test_lines_add_up_and_the_deals_of_a_line_are_that_line(home: Path) -> None:
    answer = revops(home, "movement", *ASKED, "--format", "json")
    assert answer.code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["command"], document["period"]) == ("movement", "2026-06-30..2026-08-15")
    lines = {row["dims"]["line"]: Decimal(row["value"]) for row in document["rows"]}
    closing = lines.pop("closing")
    assert sum(lines.values()) == closing > 0
    text = revops(home, "movement", *ASKED, "--line", "lost", "--format", "csv").stdout
    deals = list(csv.DictReader(io.StringIO(text)))
    assert sum(Decimal(deal["value"]) for deal in deals) == lines["lost"] < 0


def test_a_day_that_is_none_and_a_span_that_runs_backwards_are_said(home: Path) -> None:
    wrong = revops(home, "movement", *ASKED[:4], "--from", "June")
    assert (wrong.code, "not a day" in wrong.stderr) == (2, True)
    backwards = revops(home, "movement", *ASKED[:4], "--from", "2026-09-30")
    assert (backwards.code, "earlier day" in backwards.stderr) == (2, True)
