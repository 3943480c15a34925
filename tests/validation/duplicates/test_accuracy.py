"""How right the clusters are on the simulated company, and what must hold for any records."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revops_analysis.validation.duplicates import duplicate_accounts, duplicate_people, duplicates_in
from revops_analysis.validation.duplicates.accuracy import accuracy
from revops_analysis.validation.duplicates.clusters import SAME, cluster
from revops_analysis.validation.duplicates.explain import START, explain, sentences, waterfall
from revops_analysis.validation.duplicates.find import find_duplicates
from revops_analysis.validation.duplicates.merge_plan import plan_tables
from revops_analysis.validation.duplicates.model import model_of
from revops_analysis.validation.duplicates.records import read_records
from revops_analysis.validation.duplicates.scoring import pair_columns
from validation.duplicates.people import company, contact, crowd, identity, simulated


@pytest.fixture(scope="module")
def simulated_company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    return folder, simulated(folder, seed=3, scale=0.1)


def test_contacts_are_told_apart_and_put_together(simulated_company: tuple[Path, object]):
    folder, snapshot = simulated_company
    found = duplicate_people(snapshot)
    scored = accuracy(identity(folder, snapshot, "contacts"), found.clusters)
    assert scored.precision >= 0.99
    assert scored.recall >= 0.95
    assert scored.cluster_precision >= 0.98
    assert found.summary["basis"].iloc[0] == "trained on these records"
    figures = found.figures.set_index("metric")["value"]
    assert figures["duplicate_share"] == pytest.approx(found.found.copies / found.found.records)
    assert f"{found.found.copies:,} of" in found.headline and "USD" in found.headline
    assert duplicate_people(snapshot) is found, "found once a snapshot"


def test_accounts_are_told_apart_even_where_nothing_could_be_trained(simulated_company):
    folder, snapshot = simulated_company
    found = duplicate_accounts(snapshot)
    scored = accuracy(identity(folder, snapshot, "accounts"), found.clusters)
    assert scored.precision >= 0.99
    assert scored.recall >= 0.9
    assert "default weights" in found.summary["basis"].iloc[0]


def test_the_plan_for_the_simulated_company_can_be_taken_back(simulated_company):
    _, snapshot = simulated_company
    plan, before = duplicate_people(snapshot).merge_plan(), plan_tables(snapshot, "contacts")
    after = plan.apply(before)
    copies = len(before["contacts"]) - len(after["contacts"])
    assert copies == duplicate_people(snapshot).found.copies
    back = plan.undo(after)
    assert all(back[name].equals(before[name]) for name in before)
    assert not set(after["touchpoints"]["contact_id"].dropna()) - set(after["contacts"]["contact_id"])


def test_what_speaks_for_a_pair_adds_up_to_its_weight_and_names_no_value(simulated_company):
    _, snapshot = simulated_company
    found = duplicate_people(snapshot).found
    rows = explain(found)
    sums = rows.groupby(["left", "right"])["weight"].sum()
    expected = found.pairs.set_index(["left", "right"])["weight"].astype(float)
    pd.testing.assert_series_equal(sums.sort_index(), expected.sort_index(), check_names=False)
    assert set(rows.loc[rows["field"] == "start", "agreement"]) == {START}
    first = found.pairs.iloc[0]
    mine = waterfall(found, first["right"], first["left"])
    assert mine["field"].tolist() == ["start", *(field.name for field in found.model.fields)]
    text = " ".join(sentences(found))
    assert "@" not in text and "same last name +" in text


def test_the_order_of_rows_makes_no_difference():
    rows = [
        *crowd(80),
        *[
            contact(f"d{n}{k}", f"Twin{n} Abel", email=f"t{n}.x@d.example", account_id="d")
            for n in range(30)
            for k in "ab"
        ],
        contact("j1", "Jane Miller", email="jane.miller@acme.example", account_id="acme"),
        contact("j2", "Jack Miller", email="jack.miller@acme.example", account_id="acme"),
        contact("j3", "J. Miller", account_id="acme"),
    ]
    first = find_duplicates(company(contacts=rows), "contacts")
    Random(5).shuffle(rows)  # noqa: S311
    second = find_duplicates(company(contacts=rows), "contacts")
    pd.testing.assert_frame_equal(first.clusters, second.clusters)
    pd.testing.assert_frame_equal(first.pairs, second.pairs)
    pd.testing.assert_frame_equal(first.weights.frame, second.weights.frame)


NAMES = ["Jane Miller", "Jane Miller", "Jack Miller", "Jack Miller", "J. Miller", "J. Miller", "Jane Smith", None, None]


@pytest.fixture(scope="module")
def nine():
    """Nine people, normalised, of whom some cannot be one."""
    records = read_records(company(contacts=[contact(f"p{n}", name) for n, name in enumerate(NAMES)]), "contacts")
    records.con.execute("CREATE TABLE blocked AS SELECT * FROM records")
    yield records
    records.con.close()


def given_names(records) -> set[str]:
    return {str(NAMES[int(record[1:])]).split()[0] for record in records} - {"None", "J."}


LINKS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 9)), max_size=20, unique_by=lambda link: link[:2]
)


@settings(max_examples=30)
@given(LINKS, st.integers(0, 99))
def test_clusters_are_groups_with_a_member_as_survivor_and_nobody_who_clashes(nine, links, order):
    model = model_of("contacts")
    fixed = {"probability": 0.99, "is_identified": True, "clash": None}
    rows = [
        {"left": f"p{a}", "right": f"p{b}", "weight": float(weight), **fixed}
        for a, b, weight in links
        if a < b and len(given_names([f"p{a}", f"p{b}"])) < 2
    ]
    pairs = pd.DataFrame(rows, columns=pair_columns(model)).astype({"weight": "float64"})
    made = cluster(nine, model, pairs, 0.95)
    shuffled = pairs.sample(frac=1, random_state=order).reset_index(drop=True)
    pd.testing.assert_frame_equal(made.clusters, cluster(nine, model, shuffled, 0.95).clusters)
    clusters = made.clusters
    assert clusters["record"].is_unique, "every record is in one cluster at most"
    groups = clusters.groupby("cluster")["record"]
    assert all((records == survivor).sum() == 1 and len(records) >= 2 for survivor, records in groups)
    assert (clusters["is_survivor"].astype(bool) == (clusters["record"] == clusters["cluster"])).all()
    of = dict(zip(clusters["record"], clusters["cluster"], strict=True))
    linked = pairs[made.verdicts["verdict"] == SAME]
    assert all(of[left] == of[right] for left, right in zip(linked["left"], linked["right"], strict=True))
    assert all(len(given_names(records)) < 2 for _, records in groups)


@pytest.mark.parametrize("table", ["contacts", "accounts", "leads", "leads-contacts"])
def test_a_company_without_records_has_an_answer(table):
    found = duplicates_in(company(contacts=[]), table)
    assert (found.found.records, found.found.copies) == (0, 0)
    assert found.merge_plan().frame.empty
    assert found.review.empty and found.examples().empty
    assert found.figures["reason"].notna()[found.figures["value"].isna()].all()
