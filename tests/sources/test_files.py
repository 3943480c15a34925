"""Files of every promised kind, and what is wrong with them."""

import gzip

import duckdb
import pandas as pd
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources.staging import Staging

PLAIN = "opportunity_id,stage,name\n1,Discovery,Ada\n2,Discovery,Żółć\n"
NAMES = [("1", "Ada"), ("2", "Żółć")]


def loaded(lab, name, content, **settings):
    lab.write({name: content})
    lab.profile(tables={"opportunities": {"file": name, **settings}})
    return lab.load()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deals.csv", PLAIN.encode()),
        ("deals.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
        ("deals.csv", PLAIN.replace("opportunity_id", '"opportunity_id"').encode("utf-8-sig")),
        ("deals.csv", PLAIN.encode("utf-16")),
        ("deals.csv", PLAIN.replace("\n", "\r\n").encode()),
        ("deals.csv", PLAIN.replace("\n", "\r").encode()),
        ("deals.csv", PLAIN.replace("\n", "\r\n", 1).encode()),
        ("deals.csv", PLAIN.replace(",", ";").encode()),
        ("deals.txt", PLAIN.replace(",", "|").encode()),
        ("deals.tsv", PLAIN.replace(",", "\t").encode()),
        ("deals.csv.gz", gzip.compress(PLAIN.encode())),
        ("deals [1].csv", PLAIN.encode()),
        ("deals.csv", PLAIN.rstrip("\n").encode()),
    ],
    ids=[
        "plain",
        "bom",
        "bom-quoted",
        "utf-16",
        "crlf",
        "cr",
        "mixed",
        "semicolon",
        "bar",
        "tab",
        "gzip",
        "brackets",
        "no-end",
    ],
)
def test_text_files_are_told_apart(lab, name, content):
    assert lab.rows(loaded(lab, name, content), "opportunities", "opportunity_id", "name") == NAMES


def test_another_encoding_must_be_declared(lab):
    content = "opportunity_id,stage,name\n1,Discovery,Müller\n".encode("cp1252")
    with pytest.raises(ConfigurationError) as caught:
        loaded(lab, "deals.csv", content)
    assert "Müller" in caught.value.found
    assert caught.value.where == "deals.csv line 2"
    assert "encoding: cp1252" in caught.value.fix
    result = loaded(lab, "deals.csv", content, format={"encoding": "cp1252"})
    assert lab.rows(result, "opportunities", "name") == [("Müller",)]


def test_an_unknown_or_wrong_encoding_is_refused(lab):
    with pytest.raises(ConfigurationError, match="no encoding cp1253x"):
        loaded(lab, "deals.csv", PLAIN, format={"encoding": "cp1253x"})
    with pytest.raises(ConfigurationError, match="not written in ascii"):
        loaded(lab, "deals.csv", PLAIN, format={"encoding": "ascii"})


def test_a_separator_that_cannot_be_told_is_refused(lab):
    with pytest.raises(ConfigurationError, match="separator cannot be told"):
        loaded(lab, "deals.csv", "opportunity_id,stage;name\n1,Discovery;x\n")
    result = loaded(lab, "deals.csv", "opportunity_id~stage~name\n1~Discovery~Ada\n", format={"separator": "~"})
    assert lab.rows(result, "opportunities", "name") == [("Ada",)]


def test_rows_above_the_column_names_are_skipped_and_rows_keep_their_numbers(lab):
    text = "Deals export\n\nopportunity_id,stage\n1,Discovery\n2,Nonsense\n"
    result = loaded(lab, "deals.csv", text, format={"header_row": 3})
    assert lab.rows(result, "opportunities", "opportunity_id") == [("1",)]
    assert lab.quarantine(result, "opportunities")[0]["row_number"] == 5


def test_lines_with_too_few_or_too_many_fields_are_quarantined_and_shift_no_row_number(lab, counts):
    text = 'opportunity_id,stage,name\n1,Discovery,"two\nlines"\n2,Discovery\n3,Discovery,a,b\n'
    text += "4,Nonsense,x\n5,Discovery,x\n"
    result = loaded(lab, "deals.csv", text)
    assert counts(result, "opportunities") == {"read": 5, "loaded": 2, "collapsed": 0, "quarantined": 3, "filtered": 0}
    bad = {row["row_number"]: (row["reasons"], row["row"]) for row in lab.quarantine(result, "opportunities")}
    assert bad[3] == (["line: missing columns"], {"line": "2,Discovery"})
    assert bad[4] == (["line: too many columns"], {"line": "3,Discovery,a,b"})
    assert bad[5][0] == ["stage: unknown (Nonsense)"]


def test_a_quote_that_is_never_closed_is_refused(lab):
    with pytest.raises(ConfigurationError) as caught:
        loaded(lab, "deals.csv", 'opportunity_id,stage,name\n1,Discovery,x\n2,Discovery,"open\n3,Discovery,y\n')
    assert caught.value.where == "deals.csv row 3"
    text = 'opportunity_id,stage,name\n1,Discovery,3" pipe\n2,Discovery,"open\n'
    result = loaded(lab, "deals.csv", text, format={"quote": ""})
    assert lab.rows(result, "opportunities", "name") == [('"open',), ('3" pipe',)]


@pytest.mark.parametrize("content", ["", "\n1,Discovery\n"])
def test_a_file_without_column_names_is_refused(lab, content):
    with pytest.raises(ConfigurationError, match="empty"):
        loaded(lab, "deals.csv", content)


def test_a_file_with_column_names_only_is_a_table_without_rows(lab, counts):
    result = loaded(lab, "deals.csv", "opportunity_id,stage\n")
    assert counts(result, "opportunities")["read"] == 0
    assert result.warehouse.supplied_tables == ("opportunities",)


def test_repeated_column_names_are_numbered(lab):
    text = "opportunity_id,stage,Name,name\n1,Discovery,a,b\n"
    columns = {"opportunity_id": "opportunity_id", "stage": "stage", "name": "name (2)"}
    assert lab.rows(loaded(lab, "deals.csv", text, columns=columns), "opportunities", "name") == [("b",)]


def test_parquet_keeps_its_types_and_its_dirt(lab, counts):
    frame = pd.DataFrame(
        {
            "opportunity_id": [1.0, 2.0, None],
            "stage": ["Discovery", " Discovery ", "Discovery"],
            "amount": [1234.565, float("nan"), 1.0],
            "created_at": pd.to_datetime(["2026-01-01 10:00", None, None], utc=True),
            "close_date": ["2026-02-30", "2026-03-01", "2026-03-01"],
        }
    )
    frame.to_parquet(lab.data / "deals.parquet")
    lab.profile(tables={"opportunities": {"file": "deals.parquet"}})
    result = lab.load()
    rows = lab.rows(result, "opportunities", "opportunity_id", "stage", "amount", "close_date::VARCHAR")
    assert rows == [("2", "Discovery", None, "2026-03-01")]
    assert counts(result, "opportunities")["quarantined"] == 2
    reasons = {row["row_number"]: row["reasons"] for row in lab.quarantine(result, "opportunities")}
    assert reasons == {1: ["close_date: not a date (2026-02-30)"], 3: ["opportunity_id: missing"]}


def test_excel_sheets(lab):
    frame = pd.DataFrame(
        {"opportunity_id": [1, 2], "stage": ["Discovery"] * 2, "close_date": pd.to_datetime(["2026-04-03", None])}
    )
    with pd.ExcelWriter(lab.data / "deals.xlsx") as book:
        frame.to_excel(book, sheet_name="Deals", index=False)
        frame.to_excel(book, sheet_name="Old", index=False)
    lab.profile(tables={"opportunities": {"file": "deals.xlsx"}})
    with pytest.raises(ConfigurationError, match="several sheets"):
        lab.load()
    lab.profile(tables={"opportunities": {"file": "deals.xlsx", "format": {"sheet": "Deels"}}})
    with pytest.raises(ConfigurationError, match="did you mean Deals"):
        lab.load()
    lab.profile(tables={"opportunities": {"file": "deals.xlsx", "format": {"sheet": "Deals"}}})
    rows = lab.rows(lab.load(), "opportunities", "opportunity_id", "close_date::VARCHAR")
    assert rows == [("1", "2026-04-03"), ("2", None)]


def test_a_broken_excel_file_and_an_unknown_kind_are_refused(lab):
    with pytest.raises(ConfigurationError, match="cannot be read as Excel"):
        loaded(lab, "deals.xlsx", b"PK no book")
    with pytest.raises(ConfigurationError, match="kind cannot be read"):
        loaded(lab, "deals.pdf", b"%PDF")


def test_a_pattern_reads_all_files_in_the_order_of_their_names(lab, counts):
    lab.write(
        {"d/b.csv": "opportunity_id,stage\n2,Nonsense\n", "d/a.csv": "stage,opportunity_id,name\nDiscovery,1,x\n"}
    )
    lab.profile(tables={"opportunities": {"file": "d/*.csv"}})
    result = lab.load()
    assert lab.rows(result, "opportunities", "opportunity_id", "name") == [("1", "x")]
    assert lab.quarantine(result, "opportunities")[0]["source_file"] == "d/b.csv"


@pytest.mark.parametrize("pattern", ["../secret.csv", "/etc/passwd", "d/../../secret*.csv", "..\\secret.csv"])
def test_nothing_outside_the_root_is_read(lab, pattern):
    (lab.data.parent / "secret.csv").write_text("opportunity_id,stage\n1,Discovery\n")
    lab.profile(tables={"opportunities": {"file": pattern}})
    with pytest.raises(ConfigurationError, match="outside its root"):
        lab.load()


@pytest.mark.parametrize("pattern", ["link.csv", "*.csv", "folder/secret.csv"])
def test_a_link_that_leads_out_of_the_root_is_not_followed(lab, pattern):
    secret = lab.data.parent / "outside" / "secret.csv"
    secret.parent.mkdir()
    secret.write_text("opportunity_id,stage\n1,Discovery\n")
    (lab.data / "link.csv").symlink_to(secret)
    (lab.data / "folder").symlink_to(secret.parent)
    lab.profile(tables={"opportunities": {"file": pattern}})
    with pytest.raises(ConfigurationError, match="lies outside its folder"):
        lab.load()


@pytest.mark.parametrize("sql", ["read_text('{0}')", "glob('{0}')", "'{0}'", "read_csv('{0}')"])
def test_the_engine_itself_reaches_nothing_outside_while_it_loads(lab, tmp_path, sql):
    """Should an expression ever slip through the parser, there is nothing to reach."""
    (tmp_path / "scratch").mkdir()
    staging = Staging(duckdb.connect(), tmp_path / "scratch")
    staging.close_the_outside([lab.data])
    secret = lab.data.parent / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    with pytest.raises(duckdb.Error, match="disabled by configuration"):
        staging.rows(f"SELECT * FROM {sql.format(secret)}")
    for statement in (f"ATTACH '{secret}.db'", f"COPY (SELECT 1) TO '{secret}'", "INSTALL httpfs"):
        with pytest.raises(duckdb.Error):
            staging.execute(statement)
    with pytest.raises(duckdb.Error):
        staging.execute("SET enable_external_access = true")


def test_a_file_that_is_not_there_is_named_with_the_nearest(lab):
    lab.write({"deals.csv": PLAIN})
    lab.profile(tables={"opportunities": {"file": "deal.csv"}})
    with pytest.raises(ConfigurationError, match=r"did you mean deals\.csv"):
        lab.load()


def test_an_optional_file_that_is_not_there_is_left_out_and_said_so(lab):
    lab.write({"deals.csv": PLAIN})
    lab.profile(tables={"opportunities": {"file": "deals.csv"}, "accounts": {"file": "accounts.csv", "optional": True}})
    result = lab.load()
    assert result.warehouse.supplied_tables == ("opportunities",)
    assert result.notes == ("accounts: accounts.csv is not there and was left out.",)
