"""Who a customer is, and since when."""

from __future__ import annotations

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention.customers import customers
from revops_analysis.metrics.retention.ledger import require_revenue


def test_cohort_and_first_product_are_those_of_the_first_month() -> None:
    history = [
        term("old", "2025-01-01", None, 10),
        term("a", "2025-03-02", None, 10, "Core"),
        term("a", "2025-03-20", None, 30, "Analytics"),
        term("a", "2025-05-01", None, 900, "Connect"),
        term("tie", "2025-04-02", None, 10, "Core"),
        term("tie", "2025-04-02", None, 10, "Analytics"),
        term("nameless", "2025-04-02", None, 10, None),
        term("credit", "2025-04-02", None, -10),
    ]
    accounts = [{"account_id": "a", "segment": "SMB"}]
    snapshot = company(history, "2025-06-30", tables={"accounts": accounts})
    rows = customers(snapshot, require_revenue(snapshot)).to_pandas().set_index("account_id").sort_index()
    assert rows["cohort"].to_dict() == {
        "a": "2025-Q1",
        "credit": "2025-Q2",
        "nameless": "2025-Q2",
        "old": "before 2025-01",
        "tie": "2025-Q2",
    }
    assert rows["is_opening"].to_dict() == {name: name == "old" for name in rows.index}
    assert rows.loc[["a", "tie"], "first_product"].to_list() == ["Analytics", "Analytics"]
    assert rows["first_product"].isna().to_dict()["nameless"]
    assert rows.loc["a", "segment"] == "SMB"
    assert rows["segment"].isna().sum() == 4  # an account that the table does not know keeps its revenue
