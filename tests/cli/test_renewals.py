"""`revops renewals` on a small simulated company, as its users run it."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

from end_to_end.commands import revops

ASKED = ("--source", "sample", "--as-of", "2026-09-30")


def test_json_and_csv_list_the_same_renewals_and_their_sums(home: Path) -> None:
    answer = revops(home, "renewals", *ASKED, "--days", "180", "--format", "json")
    assert answer.code == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["command"], document["period"]) == ("renewals", "next 180 days")
    rows = {row["metric"]: row for row in document["rows"]}
    accounts = document["accounts"]
    assert rows["renewals_due_arr"]["n"] == len(accounts) > 0
    total = sum(Decimal(account["arr"]) for account in accounts)
    assert abs(total - Decimal(rows["renewals_due_arr"]["value"])) <= Decimal("0.01") * len(accounts)
    assert all(0 < account["days"] <= 180 and 0 <= account["probability"] <= 1 for account in accounts)
    written = revops(home, "renewals", *ASKED, "--days", "180", "--format", "csv")
    read = list(csv.DictReader(io.StringIO(written.stdout)))
    assert [row["account_id"] for row in read] == [account["account_id"] for account in accounts]


def test_the_table_begins_with_the_finding_and_says_what_it_rests_on(home: Path) -> None:
    table = revops(home, "renewals", *ASKED)
    assert table.code == 0, table.stderr
    first = table.stdout.splitlines()[0]
    assert "is up for renewal within 90 days" in first
    assert "Rates by segment are used: a model needs 150 decided renewals" in table.stdout


def test_a_wrong_number_of_days_is_refused(home: Path) -> None:
    answer = revops(home, "renewals", *ASKED, "--days", "0")
    assert answer.code == 2
    assert "--days" in answer.stderr
