"""Loads are written aside, named by their content, and found again."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pytest

from builders import moment
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.tables.load_log import load_log
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.states import STATES
from revops_analysis.tables.store import open_store
from revops_analysis.tables.warehouse import (
    CATALOG,
    LoadRecord,
    WarehouseInfo,
    WarehouseWriter,
    attach,
    find_warehouse,
    latest_warehouse,
    load_counts,
    previous_warehouse,
    quarantine_reasons,
    read_info,
)

THROUGH = dt.date(2026, 9, 30)
USERS = [{"user_id": "u1", "name": "Ada"}, {"user_id": "u2", "name": None}, {"user_id": "u3", "name": ""}]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def load(project: Project, rows: list[dict], through: dt.date = THROUGH, **record: object) -> WarehouseInfo:
    with WarehouseWriter(project, "crm") as writer:
        writer.insert("users", ibis.memtable(pd.DataFrame(rows), schema={"user_id": "string", "name": "string"}))
        return writer.commit(LoadRecord(through, ("users",), **record))


def test_every_canonical_table_exists_with_its_types(project: Project) -> None:
    store = open_store(load(project, USERS))
    for name, schema in TABLES.items():
        assert store.table(name).schema() == ibis.schema(schema.ibis_types()), name
    assert store.table("users").count().execute() == 3
    assert store.table("leads").count().execute() == 0


def test_the_same_content_has_the_same_hash_whatever_its_order(project: Project) -> None:
    first, second = load(project, USERS), load(project, USERS[::-1])
    assert first == second
    assert [path.name for path in project.warehouse.joinpath("crm").iterdir()] == [f"{first.content_hash}.duckdb"]


@pytest.mark.parametrize(
    "rows",
    [
        [*USERS[:2], {"user_id": "u3", "name": None}],  # empty text is not missing
        [*USERS, USERS[0]],  # a row twice
        [{"user_id": "Ada", "name": "u1"}, *USERS[1:]],  # values in other columns
        [{"user_id": 'u1","x', "name": "Ada"}, *USERS[1:]],
    ],
)
def test_other_content_has_another_hash(project: Project, rows: list[dict]) -> None:
    assert load(project, rows).content_hash != load(project, USERS).content_hash


def test_the_day_and_the_counts_are_part_of_the_content(project: Project) -> None:
    counts = pd.DataFrame({"table": ["users"], "read": [4], "loaded": [3], "quarantined": [1]})
    hashes = {
        load(project, USERS).content_hash,
        load(project, USERS, dt.date(2026, 8, 31)).content_hash,
        load(project, USERS, counts=counts).content_hash,
    }
    assert len(hashes) == 3


def test_counts_and_reasons_come_back_as_written(project: Project) -> None:
    counts = pd.DataFrame(
        {
            "table": ["users", "opportunities"],
            "read": [4, 2],
            "loaded": [3, 2],
            "collapsed": [0, 0],
            "quarantined": [1, 0],
            "amount_loaded": [None, Decimal("12.50")],
            "amount_quarantined": [None, Decimal("0.00")],
        }
    )
    reasons = pd.DataFrame({"table": ["users"], "reason": ["no key"], "rows": [1], "amount": [None]})
    info = load(project, USERS, counts=counts, reasons=reasons)
    read = load_counts(info)
    assert read.table.tolist() == ["opportunities", "users"]
    assert read.amount_loaded.tolist()[0] == Decimal("12.50")
    assert pd.isna(read.amount_loaded.tolist()[1])
    assert read.quarantined.tolist() == [0, 1]
    assert quarantine_reasons(info).drop(columns="amount").to_dict("records") == [
        {"table": "users", "reason": "no key", "rows": 1}
    ]


def test_a_load_that_fails_leaves_nothing(project: Project) -> None:
    earlier = load(project, USERS)
    with pytest.raises(RuntimeError, match="halfway"), WarehouseWriter(project, "crm") as writer:
        writer.insert("users", ibis.memtable({"user_id": ["u9"]}))
        raise RuntimeError("halfway")
    assert latest_warehouse(project, "crm") == earlier
    assert [path.name for path in project.warehouse.joinpath("crm").iterdir()] == [f"{earlier.content_hash}.duckdb"]


def test_the_latest_and_the_previous_load_are_known(project: Project) -> None:
    assert latest_warehouse(project, "crm") is None
    assert load_log(project, "crm") == []
    first = load(project, USERS[:2])
    assert previous_warehouse(project, first) is None
    second = load(project, USERS, dt.date(2026, 10, 31))
    assert latest_warehouse(project, "crm") == second
    assert previous_warehouse(project, second) == first
    assert load(project, USERS[:2]) == first
    assert latest_warehouse(project, "crm") == first
    assert load_log(project, "crm") == [first.content_hash, second.content_hash, first.content_hash]
    assert previous_warehouse(project, first) == second
    assert previous_warehouse(project, second) == first  # and not what was loaded after it
    assert first.path is not None
    first.path.unlink()
    assert latest_warehouse(project, "crm") == second


def test_a_load_is_found_by_the_beginning_of_its_hash(project: Project) -> None:
    info = load(project, USERS)
    assert find_warehouse(project, "crm", info.content_hash[:6]) == info
    with pytest.raises(ConfigurationError, match=r"0000.*") as caught:
        find_warehouse(project, "crm", "0000")
    assert info.content_hash in str(caught.value)
    assert "revops load crm" in str(caught.value)


@pytest.mark.parametrize("pattern", ["", "*", "../*"])
def test_a_hash_is_no_pattern(project: Project, pattern: str) -> None:
    load(project, USERS)
    with pytest.raises(ConfigurationError):
        find_warehouse(project, "crm", pattern)


def test_an_unknown_column_is_refused_and_others_are_null(project: Project) -> None:
    with WarehouseWriter(project, "crm") as writer:
        with pytest.raises(ConfigurationError, match="nickname"):
            writer.insert("users", ibis.memtable({"user_id": ["u1"], "nickname": ["A"]}))
        writer.insert("users", ibis.memtable({"user_id": ["u1"]}))
        info = writer.commit(LoadRecord(THROUGH, ("users",)))
    assert open_store(info).table("users").team.to_pyarrow().to_pylist() == [None]


def test_readers_cannot_write(project: Project) -> None:
    con = attach(load(project, USERS))
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        con.raw_sql(f"DELETE FROM {CATALOG}.main.users")


def test_many_readers_at_once_while_the_same_content_is_loaded_again(project: Project) -> None:
    info = load(project, USERS)
    readers = [open_store(info), open_store(info)]
    assert load(project, USERS) == info
    assert [reader.table("users").count().execute() for reader in readers] == [3, 3]


def test_quarantine_moves_beside_the_load(project: Project, tmp_path: Path) -> None:
    for content in ("old", "new"):
        aside = tmp_path / "aside"
        aside.mkdir()
        (aside / "users.parquet").write_text(content)
        info = load(project, USERS, quarantine=aside)
        assert not aside.exists()
    assert info.quarantine is not None
    assert (info.quarantine / "users.parquet").read_text() == "new"


def test_a_file_that_is_no_warehouse_is_refused(project: Project) -> None:
    path = project.root / "other.duckdb"
    duckdb.connect(str(path)).execute("CREATE TABLE t (a INT)").close()
    with pytest.raises(ConfigurationError, match="Not a finished warehouse"):
        read_info(path)


def test_states_are_prepared_when_there_is_history(project: Project) -> None:
    with WarehouseWriter(project, "crm") as writer:
        writer.insert(
            "opportunity_history",
            ibis.memtable({"opportunity_id": ["o1"], "changed_at": [moment("2026-01-01")], "stage": ["Proposal"]}),
        )
        info = writer.commit(LoadRecord(THROUGH, ("opportunities", "opportunity_history")))
    store = open_store(info)
    assert STATES in store.con.list_tables(database=store.database)
    assert store.states.stage_entered_at.to_pyarrow().to_pylist() == [moment("2026-01-01")]
    assert info.has_history
