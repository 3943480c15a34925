"""Loading as a whole: the numbers add up, nothing is dropped, equal content gives the equal hash."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.tables.warehouse import latest_warehouse, load_counts, quarantine_reasons

KEYS = st.sampled_from(["1", "2", "3", "4", "", " 5 ", "NULL"])
CELLS = {
    "opportunity_id": KEYS,
    "stage": st.sampled_from(["Discovery", "Closed Won", "Proposal ", "Won?", "", "'; --"]),
    "amount": st.sampled_from(["1", "$1,000", "2.50", "abc", "", "(3)", "1e2"]),
    "close_date": st.sampled_from(["2026-01-31", "2026-02-30", "1066-10-14", "", "31/01/2026", "Jan 3, 2026"]),
    "name": st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=6),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), max_size=25)
HISTORY = st.lists(
    st.tuples(KEYS, st.sampled_from(["2026-01-01 10:00:00", "2026-01-02", "x"]), CELLS["stage"]), max_size=20
)


def quoted_line(values):
    return ",".join('"' + value.replace('"', '""') + '"' for value in values) + "\n"


# A load takes half a second: shrinking a failure would take minutes, and the failing file is small as it is.
@settings(max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(rows=ROWS, history=HISTORY, broken=st.integers(0, 3), won_only=st.booleans())
def test_every_row_is_loaded_collapsed_quarantined_or_filtered(lab, rows, history, broken, won_only):
    deals = (
        quoted_line(CELLS) + "".join(quoted_line(row[name] for name in CELLS) for row in rows) + "too,few\n" * broken
    )
    changes = quoted_line(["opportunity_id", "changed_at", "stage"]) + "".join(quoted_line(row) for row in history)
    lab.write({"deals.csv": deals, "history.csv": changes})
    mapping = {"file": "deals.csv", "where": "stage = 'Closed Won'"} if won_only else {"file": "deals.csv"}
    lab.profile(tables={"opportunities": mapping, "opportunity_history": {"file": "history.csv"}})
    result = lab.load()
    frame = result.counts.set_index("table")
    assert (frame["read"] == frame[["loaded", "collapsed", "quarantined", "filtered"]].sum(axis=1)).all()
    assert frame.loc["opportunities", "read"] == len(rows) + broken
    assert frame.loc["opportunity_history", "read"] == len(history)
    first = result.reasons.groupby("table")["first_rows"].sum()
    for table in frame.index:
        kept = lab.quarantine(result, table)
        assert len(lab.rows(result, table, "opportunity_id")) == frame.loc[table, "loaded"]
        assert len(kept) == frame.loc[table, "quarantined"] == first.get(table, 0)
        assert all(row["reasons"] for row in kept)
    for row in lab.quarantine(result, "opportunities"):
        if "line" not in row["row"]:
            given_row = rows[row["row_number"] - 2]
            assert {name: text or "" for name, text in row["row"].items()} == given_row
    keys = [key for (key,) in lab.rows(result, "opportunities", "opportunity_id")]
    assert len(keys) == len(set(keys))


DEALS = (
    "opportunity_id,stage,amount,name\n1,Discovery,10,a\n2,Nonsense,5,b\n3,Proposal,7,c\n3,Proposal,7,c\n4,Proposal,,\n"
)


def test_loading_twice_gives_the_same_hash_and_one_file(lab):
    first = lab.deals(DEALS)
    second = lab.load()
    assert first.warehouse.content_hash == second.warehouse.content_hash
    assert [path.name for path in first.warehouse.path.parent.glob("*.duckdb")] == [first.warehouse.path.name]
    assert latest_warehouse(lab.project, "crm") == second.warehouse


def test_the_order_of_rows_and_files_does_not_matter(lab):
    head, *lines = DEALS.splitlines(keepends=True)
    expected = lab.deals(DEALS).warehouse.content_hash
    lab.write({"d/x.csv": head + "".join(lines[3:1:-1]), "d/a.csv": head + lines[4] + lines[0] + lines[1]})
    lab.profile(tables={"opportunities": {"file": "d/*.csv"}})
    assert lab.load().warehouse.content_hash == expected


def test_other_content_gives_another_hash(lab):
    first = lab.deals(DEALS).warehouse.content_hash
    assert lab.deals(DEALS.replace(",7,c", ",8,c")).warehouse.content_hash != first
    assert lab.deals(DEALS.replace("Nonsense", "Discovery")).warehouse.content_hash != first


def test_what_was_counted_is_kept_in_the_warehouse(lab):
    result = lab.deals(DEALS)
    kept = load_counts(result.warehouse).set_index("table").loc["opportunities"]
    assert [int(kept[name]) for name in ("read", "loaded", "collapsed", "quarantined", "filtered")] == [5, 3, 1, 1, 0]
    assert float(kept["amount_loaded"]) == 17.0
    reasons = quarantine_reasons(result.warehouse)
    assert list(reasons["reason"]) == ["stage: unknown"]
    assert list(reasons["rows"]) == [1]
    assert result.warehouse.data_through.isoformat() == "2026-09-30"


def test_a_failed_load_leaves_nothing_behind_and_the_last_one_in_place(lab):
    good = lab.deals(DEALS)
    with pytest.raises(ConfigurationError):
        lab.deals(DEALS, columns={"opportunity_id": "nothing"})
    folder = lab.project.warehouse / "crm"
    assert {path.name for path in folder.iterdir()} == {good.warehouse.path.name, good.warehouse.quarantine.name}
    assert latest_warehouse(lab.project, "crm") == good.warehouse


def test_a_source_without_deals_is_refused(lab):
    lab.write({"users.csv": "user_id\n1\n"})
    lab.profile(tables={"users": {"file": "users.csv"}})
    with pytest.raises(ConfigurationError, match="no opportunities"):
        lab.load()


def test_definitions_of_the_source_decide_which_stages_are_known(lab):
    text = (lab.project.definitions_file).read_text().replace("name: Discovery", "name: Hello")
    (lab.profiles / "own.definitions.yml").write_text(text)
    lab.write({"deals.csv": "opportunity_id,stage\n1,Hello\n2,Discovery\n"})
    lab.profile(tables={"opportunities": {"file": "deals.csv"}}, definitions="own.definitions.yml")
    result = lab.load()
    assert lab.rows(result, "opportunities", "stage") == [("Hello",)]
    assert result.warehouse.definitions_file == "params/sources/own.definitions.yml"


def test_progress_is_told_step_by_step(lab):
    from revops_analysis.sources.load import load_source
    from revops_analysis.sources.profile import load_profile

    lab.deals(DEALS)
    told = []
    load_source(load_profile("crm", lab.project), lab.project, progress=lambda *step: told.append(step))
    assert [what for what, _, _ in told] == ["opportunities", "finish", "done"]
    assert all(done <= total for _, done, total in told)
    assert told[-1][1] == told[-1][2]
