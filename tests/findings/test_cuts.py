"""Many cuts in one pass: the same sums as one at a time, what changed and what departs, and one finding a cause."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from revops_analysis.findings.cuts import Cases, changes, clearest, departures, relevance_of, stratum_of, weights_for
from revops_analysis.statistics.stratified import compare_shares

EIGHT_BEFORE = 12


def cases(seed=0, fallen=None, n=12_000):
    """Closed deals of three segments and two products over twelve slices; in `fallen` fewer win in the last two."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "segment": rng.choice(["A", "B", None], n, p=[0.5, 0.3, 0.2]),
            "product": rng.choice(["x", "y"], n),
            "slice": rng.integers(0, EIGHT_BEFORE, n),
            "amount": 100.0,
        }
    )
    chance = np.where(frame["product"] == "x", 0.5, 0.3)
    if fallen is not None:
        inside = np.logical_and.reduce([(frame[name] == value).to_numpy() for name, value in fallen])
        chance = np.where(inside & (frame["slice"] < 2), chance - 0.25, chance)
    return Cases(frame, (rng.random(n) < chance).astype(float), np.ones(n), stratum_of(frame, ["product"]))


def test_every_row_is_the_comparison_of_its_members_alone():
    made = cases(fallen=(("segment", "A"),))
    rows = changes(made, [(), ("segment",), ("segment", "product")], compare_shares)
    back = made.frame["slice"].to_numpy()
    for row in rows.sample(8, random_state=1).to_dict("records"):
        members = made.members(row["dims"])
        later, before = members & (back < row["span"]), members & (back >= row["span"]) & (back < row["span"] + 8)
        assert (row["hits"], row["size"]) == (made.hit[later].sum(), later.sum())
        assert (row["hits_before"], row["size_before"]) == (made.hit[before].sum(), before.sum())
        assert row["amount"] == 100 * later.sum()
    parts = rows[[len(dims) == 1 for dims in rows["dims"]]].groupby("span")["size"].sum()
    assert parts.tolist() == rows[rows["dims"] == ()].set_index("span")["size"].tolist()
    assert (("segment", None),) in set(rows["dims"])


def test_a_cut_that_holds_the_same_cases_is_looked_at_once():
    made = cases()
    made.frame["twin"] = made.frame["product"]
    once, twice = (changes(made, cuts, compare_shares) for cuts in ([("product",)], [("product",), ("twin",)]))
    assert len(once) == len(twice) == 8


def test_departures_compare_with_the_others_of_the_same_slices():
    made = cases()
    rows = departures(made, [("segment",)], 4, compare_shares)
    inside = made.frame["slice"] < 4
    one = rows[[dims == (("segment", "B"),) for dims in rows["dims"]]].iloc[0]
    assert one["size"] == ((made.frame["segment"] == "B") & inside).sum()
    assert one["size"] + one["size_before"] == inside.sum()


@pytest.mark.parametrize(
    "fallen", [(("segment", "A"),), (("segment", "B"), ("product", "x")), ()], ids=["segment", "pair", "everything"]
)
def test_one_cause_is_said_once_and_by_its_own_name(fallen):
    made = cases(1, fallen)
    rows = changes(made, [(), ("segment",), ("product",), ("segment", "product")], compare_shares)
    rows = rows.assign(effect=rows["difference"], p_value=rows["p_lower"])
    held = rows[rows["p_value"] < 1e-3].sort_values("p_value")
    held = held[~held["dims"].duplicated()]
    assert len(held) >= 2
    assert held[clearest(made, held, compare_shares)]["dims"].tolist() == [fallen]


def test_weights_go_where_power_is_and_leave_something_everywhere():
    rows = pd.DataFrame({"spread": [0.01, 0.03, 0.04, 1.0]})
    weights = weights_for(rows, 0.1)
    assert weights.mean() == pytest.approx(1)
    assert weights[2] == weights.max() > 1.5
    assert weights.min() > 0.1
    assert weights_for(rows, 0.1, [2, 1, 1, 1])[0] == pytest.approx(2 * weights[0] / (1 + weights[0] / 4), rel=1e-6)
    assert len(weights_for(rows.iloc[:0], 0.1)) == 0
    assert relevance_of(pd.Series([(), (("segment", "A"),), (("source", "b"),)], dtype=object)) == [6.0, 6.0, 1.0]


def test_no_cases_are_no_comparisons():
    made = cases()
    none = Cases(made.frame.iloc[:0], made.hit[:0], made.size[:0], made.stratum[:0])
    assert changes(none, [(), ("segment",)], compare_shares).empty
