"""Which rows are usable, which are not, and why: one small bad file for each rule."""

import pytest

HEAD = "opportunity_id,stage,type,forecast_category,amount,close_date,created_at,name\n"
GOOD = "1,Discovery,new,Pipeline,10,2026-01-31,2026-01-01,a\n"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",Discovery,new,Pipeline,10,2026-01-31,2026-01-01,a", "opportunity_id: missing"),
        ("2,,new,Pipeline,10,2026-01-31,2026-01-01,a", "stage: missing"),
        ("2,closed won,new,Pipeline,10,2026-01-31,2026-01-01,a", "stage: unknown (closed won)"),
        ("2,Discovery,New Business,Pipeline,10,2026-01-31,2026-01-01,a", "type: unknown (New Business)"),
        ("2,Discovery,new,Upside,10,2026-01-31,2026-01-01,a", "forecast_category: unknown (Upside)"),
        ("2,Discovery,new,Pipeline,12O0,2026-01-31,2026-01-01,a", "amount: not an amount (12O0)"),
        ("2,Discovery,new,Pipeline,10,2026-02-30,2026-01-01,a", "close_date: not a date (2026-02-30)"),
        ("2,Discovery,new,Pipeline,10,2206-01-31,2026-01-01,a", "close_date: impossible date (2206-01-31)"),
        ("2,Discovery,new,Pipeline,10,2026-01-31,1970-01-01,a", "created_at: impossible date (1970-01-01)"),
        ("2,Discovery,new,Pipeline,10,2026-01-31,never,a", "created_at: not a date and time (never)"),
    ],
)
def test_a_row_that_cannot_be_used_is_kept_with_its_reason(lab, counts, row, reason):
    result = lab.deals(HEAD + GOOD + row + "\n")
    assert counts(result, "opportunities") == {"read": 2, "loaded": 1, "collapsed": 0, "quarantined": 1, "filtered": 0}
    (bad,) = lab.quarantine(result, "opportunities")
    assert bad["reasons"] == [reason]
    assert bad["row_number"] == 3
    assert bad["row"]["name"] == "a"
    assert list(result.reasons["reason"]) == [reason.split(" (")[0]]


def test_every_reason_of_a_row_is_kept_and_first_reasons_add_up(lab):
    result = lab.deals(HEAD + GOOD + "2,Nonsense,gift,Pipeline,x,soon,2026-01-01,a\n3,Nonsense,new,,1,,,b\n")
    first, second = lab.quarantine(result, "opportunities")
    assert len(first["reasons"]) == 4
    assert second["reasons"] == ["stage: unknown (Nonsense)"]
    assert int(result.reasons["first_rows"].sum()) == int(result.counts["quarantined"].sum()) == 2
    assert int(result.reasons["rows"].sum()) == 5


def test_an_unknown_segment_is_loaded_for_the_gate_to_report(lab):
    result = lab.deals("opportunity_id,stage,segment\n1,Discovery,Galactic\n")
    assert lab.rows(result, "opportunities", "segment") == [("Galactic",)]


def test_exact_duplicates_collapse_and_differing_ones_are_all_quarantined(lab, counts):
    rows = "1,Discovery,5\n1,Discovery,5.00\n2,Discovery,5\n2,Discovery,6\n2,Discovery,5\n3,Discovery,7\n"
    result = lab.deals("opportunity_id,stage,amount\n" + rows)
    assert counts(result, "opportunities") == {"read": 6, "loaded": 2, "collapsed": 1, "quarantined": 3, "filtered": 0}
    assert lab.rows(result, "opportunities", "opportunity_id", "amount::INT") == [("1", 5), ("3", 7)]
    bad = lab.quarantine(result, "opportunities")
    assert [row["row_number"] for row in bad] == [4, 5, 6]
    assert {tuple(row["reasons"]) for row in bad} == {("opportunity_id: conflicting rows (2)",)}


def test_a_broken_row_beside_a_sound_one_with_its_key_conflicts(lab, counts):
    result = lab.deals("opportunity_id,stage,amount\n1,Discovery,5\n1,Discovery,x5\n")
    assert counts(result, "opportunities")["quarantined"] == 2


def test_broken_rows_that_are_alike_are_quarantined_each(lab, counts):
    result = lab.deals("opportunity_id,stage\n1,Nonsense\n1,Nonsense\n,Discovery\n,Discovery\n")
    assert counts(result, "opportunities") == {"read": 4, "loaded": 0, "collapsed": 0, "quarantined": 4, "filtered": 0}


def subscriptions(lab, accounts="account_id\nA\n", rows="s1,A,2026-01-01,5\n"):
    lab.write(
        {
            "deals.csv": "opportunity_id,stage\n1,Discovery\n",
            "accounts.csv": accounts,
            "subs.csv": "subscription_id,account_id,started_on,mrr\n" + rows,
        }
    )
    tables = {"opportunities": {"file": "deals.csv"}, "subscriptions": {"file": "subs.csv"}}
    if accounts:
        tables["accounts"] = {"file": "accounts.csv"}
    lab.profile(tables=tables)
    return lab.load()


def test_a_required_reference_must_lead_to_a_loaded_row(lab, counts):
    accounts = "account_id,created_at\nA,2026-01-01\nB,1800-01-01\n"
    result = subscriptions(lab, accounts, "s1,A,2026-01-01,5\ns2,B,2026-01-01,5\ns3,C,2026-01-01,5\n")
    assert counts(result, "subscriptions") == {"read": 3, "loaded": 1, "collapsed": 0, "quarantined": 2, "filtered": 0}
    reasons = [row["reasons"] for row in lab.quarantine(result, "subscriptions")]
    assert reasons == [["account_id: quarantined in accounts (B)"], ["account_id: not in accounts (C)"]]


def test_a_reference_into_a_table_that_is_not_supplied_cannot_be_checked(lab, counts):
    assert counts(subscriptions(lab, accounts=""), "subscriptions")["loaded"] == 1


def test_a_reference_that_is_not_required_stays_as_it_is(lab):
    lab.write({"deals.csv": "opportunity_id,stage,account_id\n1,Discovery,Z\n", "accounts.csv": "account_id\nA\n"})
    lab.profile(tables={"opportunities": {"file": "deals.csv"}, "accounts": {"file": "accounts.csv"}})
    assert lab.rows(lab.load(), "opportunities", "account_id") == [("Z",)]


def test_a_key_with_an_empty_part_is_a_key(lab, counts):
    lab.write(
        {
            "deals.csv": "opportunity_id,stage\n1,Discovery\n",
            "spend.csv": "month,function,channel,campaign_id,amount\n2026-01-01,sales,,,5\n2026-01-01,sales,,,5\n"
            "2026-02-01,sales,,,5\n2026-02-01,sales,,,6\n",
        }
    )
    lab.profile(tables={"opportunities": {"file": "deals.csv"}, "spend": {"file": "spend.csv"}})
    found = counts(lab.load(), "spend")
    assert found == {"read": 4, "loaded": 1, "collapsed": 1, "quarantined": 2, "filtered": 0}


def history(lab, rows, head="opportunity_id,changed_at,stage", **mapping):
    lab.write({"deals.csv": "opportunity_id,stage\n1,Discovery\n", "history.csv": f"{head}\n{rows}"})
    tables = {"opportunities": {"file": "deals.csv"}, "opportunity_history": {"file": "history.csv", **mapping}}
    lab.profile(tables=tables)
    return lab.load()


MOMENT = "2026-01-01 10:00:00"


def test_changes_of_one_moment_are_numbered_in_the_order_of_the_source(lab):
    result = history(lab, f"1,{MOMENT},Solution\n1,{MOMENT},Discovery\n1,2026-01-02 00:00:00,Proposal\n")
    rows = lab.rows(result, "opportunity_history", "changed_at::DATE::VARCHAR", "change_number", "stage")
    assert rows == [("2026-01-01", 1, "Solution"), ("2026-01-01", 2, "Discovery"), ("2026-01-02", 1, "Proposal")]


def test_a_declared_order_numbers_them_instead_and_nine_comes_before_ten(lab):
    columns = {"opportunity_id": "opportunity_id", "changed_at": "changed_at", "stage": "stage"}
    rows = f"1,{MOMENT},Solution,10\n1,{MOMENT},Discovery,9\n"
    result = history(lab, rows, "opportunity_id,changed_at,stage,Id", columns=columns, order_by="Id")
    assert lab.rows(result, "opportunity_history", "change_number", "stage") == [(1, "Discovery"), (2, "Solution")]


def test_the_last_of_equal_changes_stays_so_that_the_state_after_the_moment_is_right(lab, counts):
    result = history(lab, f"1,{MOMENT},Solution\n1,{MOMENT},Discovery\n1,{MOMENT},Solution\n")
    assert counts(result, "opportunity_history")["collapsed"] == 1
    assert lab.rows(result, "opportunity_history", "change_number", "stage") == [(1, "Discovery"), (2, "Solution")]


def test_numbered_changes_keep_their_numbers_and_may_conflict(lab, counts):
    rows = f"1,{MOMENT},Solution,2\n1,{MOMENT},Discovery,1\n1,{MOMENT},Proposal,3\n1,{MOMENT},Negotiation,3\n"
    result = history(lab, rows, "opportunity_id,changed_at,stage,change_number")
    assert counts(result, "opportunity_history")["quarantined"] == 2
    assert lab.rows(result, "opportunity_history", "change_number", "stage") == [(1, "Discovery"), (2, "Solution")]


def test_the_quarantined_amount_is_counted_in_the_reporting_currency(lab):
    lab.write(
        {
            "deals.csv": "opportunity_id,stage,amount,currency\n"
            "1,Discovery,100,EUR\n2,Nonsense,10,EUR\n3,Nonsense,1,USD\n",
            "rates.csv": "currency,day,rate_to_reporting\nEUR,2026-01-01,1.5\nEUR,2026-02-01,2\nEUR,2027-01-01,9\n",
        }
    )
    lab.profile(tables={"opportunities": {"file": "deals.csv"}, "exchange_rates": {"file": "rates.csv"}})
    result = lab.load()
    row = result.counts.set_index("table").loc["opportunities"]
    assert (float(row["amount_loaded"]), float(row["amount_quarantined"])) == (200.0, 21.0)
    assert float(result.reasons["amount"].iloc[0]) == 21.0
