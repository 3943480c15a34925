"""Columns, constants, maps, expressions, keys, look-ups and queries: where canonical values come from."""

import pytest

from revops_analysis.errors import ConfigurationError

BASE = {"opportunity_id": "Id", "stage": {"constant": "Discovery"}}


def deals(lab, text, columns, **mapping):
    return lab.deals(text, columns={**BASE, **columns}, **mapping)


def one(lab, text, columns, name, **mapping):
    rows = lab.rows(deals(lab, text, columns, **mapping), "opportunities", "opportunity_id", name)
    return [value for _, value in rows]


def test_source_columns_are_found_whatever_their_case(lab):
    assert one(lab, "ID,Deal Name\n1,a\n", {"name": "deal name"}, "name") == ["a"]


def test_an_unknown_source_column_is_named_with_the_nearest(lab):
    with pytest.raises(ConfigurationError) as caught:
        deals(lab, "Id,DealName\n1,a\n", {"name": "DealNme"})
    assert "did you mean DealName" in str(caught.value)
    assert caught.value.where == "tables.opportunities, deals.csv, column name"


def test_value_maps_map_and_leave_the_rest(lab):
    text = "Id,Product\n1,GTXPro\n2, GTXPro \n3,MG\n4,\n5,none\n"
    columns = {"product": {"column": "Product", "value_map": {"GTXPro": "GTX Pro", "none": None}}}
    assert one(lab, text, columns, "product") == ["GTX Pro", "GTX Pro", "MG", None, None]
    columns = {
        "product": {"column": "Product", "value_map": {"GTXPro": "GTX Pro", "": "No product"}, "otherwise": "Other"}
    }
    assert one(lab, text, columns, "product") == ["GTX Pro", "GTX Pro", "Other", "No product", "Other"]


def test_stages_are_mapped_and_unmapped_ones_are_quarantined(lab, counts):
    text = "Id,Phase\n1,Won!\n2,Almost\n"
    result = lab.deals(
        text, columns={"opportunity_id": "Id", "stage": {"column": "Phase", "value_map": {"Won!": "Closed Won"}}}
    )
    assert lab.rows(result, "opportunities", "stage") == [("Closed Won",)]
    assert lab.quarantine(result, "opportunities")[0]["reasons"] == ["stage: unknown (Almost)"]


def test_scale_turns_percentages_into_shares_and_millions_into_money(lab):
    result = deals(
        lab,
        "Id,P,M\n1,60,1.25\n",
        {"probability": {"column": "P", "scale": 0.01}, "amount": {"column": "M", "scale": 1e6}},
    )
    assert lab.rows(result, "opportunities", "probability", "amount::INT") == [(0.6, 1250000)]


def test_expressions_compute_with_the_row(lab):
    columns = {"name": {"sql": "concat_ws(' / ', A, B)"}, "amount": {"sql": "try_cast(A AS DOUBLE) * 2"}}
    result = deals(lab, "Id,A,B\n1,10,x\n2,y,\n", columns)
    assert lab.rows(result, "opportunities", "name", "amount::INT") == [("10 / x", 20), ("y", None)]


def test_an_expression_that_fails_on_a_row_says_what_to_use(lab):
    with pytest.raises(ConfigurationError, match="try_cast"):
        deals(lab, "Id,A\n1,10\n2,y\n", {"amount": {"sql": "CAST(A AS DOUBLE) * 2"}})


def test_an_expression_cannot_read_a_file(lab):
    with pytest.raises(ConfigurationError, match="not allowed"):
        deals(lab, "Id\n1\n", {"name": {"sql": "read_text('deals.csv')"}})


def test_keys_are_made_of_columns(lab, counts):
    lab.write({"deals.csv": "Account,Day\nA,2026-01-01\nA,2026-01-02\n,\n"})
    columns = {"opportunity_id": {"key": ["Account", "Day"]}, "stage": {"constant": "Discovery"}}
    lab.profile(tables={"opportunities": {"file": "deals.csv", "columns": columns}})
    result = lab.load()
    assert lab.rows(result, "opportunities", "opportunity_id") == [("A|2026-01-01",), ("A|2026-01-02",)]
    assert counts(result, "opportunities")["quarantined"] == 1


def test_filtered_rows_are_counted_never_dropped_in_silence(lab, counts):
    result = deals(lab, "Id,Deleted\n1,FALSE\n2,TRUE\n3,\n", {}, where="Deleted = 'FALSE'")
    assert counts(result, "opportunities") == {"read": 3, "loaded": 1, "collapsed": 0, "quarantined": 0, "filtered": 2}


def test_a_required_column_that_is_not_mapped_quarantines_every_row(lab, counts):
    lab.write({"deals.csv": "Id\n1\n2\n"})
    lab.profile(tables={"opportunities": {"file": "deals.csv", "columns": {"opportunity_id": "Id"}}})
    result = lab.load()
    assert counts(result, "opportunities")["quarantined"] == 2
    assert list(result.reasons["reason"]) == ["stage: missing"]


def test_several_parts_make_one_table(lab, counts):
    lab.write({"a.csv": "Id\n1\n2\n", "b.csv": "Key,Name\n2,x\n3,y\n"})
    parts = [
        {"file": "a.csv", "columns": BASE},
        {"file": "b.csv", "columns": {"opportunity_id": "Key", "stage": {"constant": "Discovery"}, "name": "Name"}},
    ]
    lab.profile(tables={"opportunities": parts})
    result = lab.load()
    assert counts(result, "opportunities") == {"read": 4, "loaded": 2, "collapsed": 0, "quarantined": 2, "filtered": 0}
    assert {row["source_file"] for row in lab.quarantine(result, "opportunities")} == {"a.csv", "b.csv"}


COMPANIES = "deal,company,seen\n1,A,2026-01-01\n1,B,2026-02-01\n2,C,2026-01-01\n"


def test_a_look_up_neither_drops_nor_multiplies_rows(lab, counts):
    lab.write({"links.csv": COMPANIES})
    join = {"links": {"file": "links.csv", "on": {"Id": "deal"}, "order_by": "seen desc"}}
    result = deals(lab, "Id\n1\n2\n3\n", {"account_id": "links.company"}, join=join)
    assert lab.rows(result, "opportunities", "opportunity_id", "account_id") == [("1", "B"), ("2", "C"), ("3", None)]
    assert counts(result, "opportunities")["read"] == 3


def test_several_matches_without_an_order_are_refused(lab):
    lab.write({"links.csv": COMPANIES})
    join = {"links": {"file": "links.csv", "on": {"Id": "deal"}}}
    with pytest.raises(ConfigurationError, match="Several rows match") as caught:
        deals(lab, "Id\n1\n", {"account_id": "links.company"}, join=join)
    assert caught.value.found == "keys 1"
    join["links"]["where"] = "seen < '2026-01-15'"
    assert one(lab, "Id\n1\n", {"account_id": "links.company"}, "account_id", join=join) == ["A"]


def test_a_query_over_declared_inputs_keeps_the_rows_of_its_source(lab):
    lab.write({"deals.csv": "Id,Stage\n1,x\n2,Discovery\n", "links.csv": COMPANIES})
    part = {
        "sql": "WITH last AS (SELECT deal, max(company) AS company FROM l GROUP BY deal) "
        "SELECT d.*, last.company FROM d LEFT JOIN last ON last.deal = d.Id",
        "inputs": {"d": "deals.csv", "l": "links.csv"},
        "columns": {"opportunity_id": "Id", "stage": "Stage", "account_id": "company"},
    }
    lab.profile(tables={"opportunities": part})
    result = lab.load()
    assert lab.rows(result, "opportunities", "opportunity_id", "account_id") == [("2", "C")]
    (bad,) = lab.quarantine(result, "opportunities")
    assert (bad["source_file"], bad["row_number"]) == ("deals.csv", 2)


def test_a_query_that_the_engine_refuses_says_why(lab):
    lab.write({"deals.csv": "Id\n1\n"})
    part = {"sql": "SELECT nothing FROM d", "inputs": {"d": "deals.csv"}, "columns": BASE}
    lab.profile(tables={"opportunities": part})
    with pytest.raises(ConfigurationError, match="SQL of the profile failed"):
        lab.load()


def test_columns_that_an_export_lacks_are_empty_where_allowed_and_named(lab):
    columns = {"name": "Name", "next_step": {"sql": "upper(Step)"}}
    result = deals(lab, "Id\n1\n", columns, absent_columns="empty")
    assert lab.rows(result, "opportunities", "name", "next_step") == [(None, None)]
    assert result.notes == ("opportunities: deals.csv has no column Name, Step; left empty.",)


def test_identifiers_and_values_are_data(lab):
    name = 'a"; DROP TABLE x; --'
    text = 'Id,"a""; DROP TABLE x; --"\n1,\'); DROP TABLE y; --\n'
    assert one(lab, text, {"name": name}, "name") == ["'); DROP TABLE y; --"]
    columns = {"name": {"column": name, "value_map": {"'); DROP TABLE y; --": "it's"}}}
    assert one(lab, text, columns, "name") == ["it's"]


def test_a_file_without_any_canonical_name_needs_columns(lab):
    with pytest.raises(ConfigurationError, match="No source column bears a canonical name"):
        lab.deals("x,y\n1,2\n")
