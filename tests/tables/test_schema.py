"""The canonical tables hold together: keys exist, references point somewhere, rules are complete."""

from __future__ import annotations

import pytest

from revops_analysis.tables.schema import IBIS_TYPES, TABLES, TableSchema

tables = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


@tables
def test_key_columns_exist_and_names_are_unique(table: TableSchema) -> None:
    assert set(table.key) <= set(table.names)
    assert len(set(table.names)) == len(table.names)


@tables
def test_references_point_to_tables_with_a_single_key(table: TableSchema) -> None:
    for column in table.columns:
        if column.references:
            assert len(TABLES[column.references].key) == 1, column.name


@tables
def test_events_are_dated_by_a_moment_of_the_same_table(table: TableSchema) -> None:
    for column in table.columns:
        if column.rule == "event":
            dated_by = table.column(column.dated_by or column.name)
            assert dated_by.kind in {"date", "timestamp"}, column.name


@tables
def test_visibility_is_a_date_of_the_table(table: TableSchema) -> None:
    if table.visible_from:
        assert table.column(table.visible_from).kind in {"date", "timestamp"}


@tables
def test_every_kind_has_a_type_and_every_column_a_description(table: TableSchema) -> None:
    assert set(table.ibis_types().values()) <= set(IBIS_TYPES.values())
    assert all(column.description for column in table.columns)


def test_history_columns_have_their_counterpart_in_the_history() -> None:
    history = TABLES["opportunity_history"]
    for column in TABLES["opportunities"].columns:
        if column.rule == "history":
            assert history.column(column.name).kind == column.kind


def test_personal_data_is_marked_and_the_companys_own_people_are_exempt() -> None:
    assert TABLES["contacts"].personal == ("name", "email", "phone")
    assert TABLES["leads"].personal == ("email",)
    assert TABLES["users"].personal == ()


def test_an_unknown_column_names_the_ones_there_are() -> None:
    with pytest.raises(KeyError, match="stage"):
        TABLES["opportunities"].column("stag")
