"""`revops flags` on a small simulated company, as its users run it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from end_to_end.commands import revops

ASKED = ("--source", "sample", "--as-of", "2026-09-30")


def test_json_lists_the_deals_and_their_sums(home: Path) -> None:
    answer = revops(home, "flags", *ASKED, "--format", "json")
    assert answer.code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["command"], document["period"]) == ("flags", "within 90 days")
    effects = {row["dims"]["flag"]: row for row in document["rows"] if row["metric"] == "flag_effect"}
    assert len(effects) == 14
    assert effects["no_next_step"]["value"] is None
    assert "next_step" in effects["no_next_step"]["reason"]
    lost = sum(Decimal(deal["expected_loss"]) for deal in document["deals"] if deal["expected_loss"])
    whole = next(row for row in document["rows"] if row["metric"] == "warned_expected_loss")
    assert lost == Decimal(whole["value"])


def test_the_table_begins_with_the_finding_and_says_what_is_not_used(home: Path) -> None:
    table = revops(home, "flags", *ASKED)
    assert table.code == 0, table.stderr
    assert "have a warning" in table.stdout.splitlines()[0]
    assert "“No next step” is not used" in table.stdout
    assert revops(home, "flags", *ASKED, "--by", "planet").code == 2
