"""Groups of companies as one customer."""

from __future__ import annotations

import pandas as pd

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention import mrr_movements, retention_rates
from revops_analysis.metrics.retention.families import topmost

HISTORY = [
    term("parent", "2024-01-01", None, 100),
    term("child", "2024-01-01", "2024-12-31", 60),
    term("grandchild", "2025-01-01", None, 80),
]
ACCOUNTS = [
    {"account_id": "parent", "segment": "Enterprise"},
    {"account_id": "child", "parent_account_id": "parent", "segment": "SMB"},
    {"account_id": "grandchild", "parent_account_id": "child"},
]


def roots(**parents: str | None) -> dict[str, str]:
    frame = pd.DataFrame({"account_id": list(parents), "parent_account_id": list(parents.values())}, dtype=object)
    found = topmost(frame)
    return dict(zip(found["account_id"], found["root_id"], strict=True))


def test_parents_are_followed_to_the_top() -> None:
    chain = {f"a{number:02d}": f"a{number - 1:02d}" if number else None for number in range(40)}
    assert set(roots(**chain).values()) == {"a00"}
    assert len(roots(**chain)) == 39


def test_an_unknown_parent_and_oneself_end_the_way_and_a_circle_is_its_first() -> None:
    assert roots(a="nobody", b="a") == {"b": "a"}
    assert roots(a="a") == {}
    assert roots(a="c", b="a", c="b", d="c") == {"b": "a", "c": "a", "d": "a"}


def test_what_passes_within_a_group_is_neither_churn_nor_new() -> None:
    apart = company(HISTORY, "2025-01-31", tables={"accounts": ACCOUNTS})
    together = company(HISTORY, "2025-01-31", tables={"accounts": ACCOUNTS}, retention_account="parent")
    moved = [mrr_movements(snapshot).frame for snapshot in (apart, together)]
    lines = [frame[frame["month"] == "2025-01"].set_index("line")["cents"].to_dict() for frame in moved]
    assert lines[0] == {"opening": 16000, "new": 8000, "churn": -6000, "closing": 18000}
    assert lines[1] == {"opening": 16000, "expansion": 2000, "closing": 18000}
    rates = retention_rates(together, by=["segment"]).frame.set_index("measure")
    assert rates.loc["nrr", ["segment", "value", "n"]].to_list() == ["Enterprise", 180 / 160, 1]
    assert "accounts.parent_account_id" in together.used_current_columns
