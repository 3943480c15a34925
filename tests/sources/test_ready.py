"""The ready profiles on exports as Salesforce and HubSpot write them, and on a warehouse as Fivetran fills it."""

# ruff: noqa: E501 - rows of data files read best on one line

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

SALESFORCE = {
    "Account.csv": "Id,IsDeleted,Name,Website,Industry,BillingCountry,NumberOfEmployees,AnnualRevenue,OwnerId,CreatedDate\n"
    "001A,false,Acme,https://www.acme.example/home,Retail,US,250,1000000,005U,2025-01-05T10:00:00.000Z\n"
    "001B,true,Gone,,,,,,,2025-01-05T10:00:00.000Z\n",
    "Contact.csv": "Id,IsDeleted,AccountId,Name,Email,Phone,Title,CreatedDate\n"
    "003C,false,001A,Ann Lee,ann@acme.example,555,CFO,2025-02-01T00:00:00.000Z\n",
    "User.csv": "Id,Name,Email,Title,ManagerId,Department,Division\n005U,Sam Seller,sam@us.example,AE,,West,US\n",
    "Lead.csv": "Id,IsDeleted,Email,Company,Website,LeadSource,Status,CreatedDate,ConvertedDate,LastModifiedDate,OwnerId,"
    "ConvertedAccountId,ConvertedContactId,ConvertedOpportunityId\n"
    "00Q1,false,a@b.example,Acme,,Web,Closed - Converted,2026-01-02T00:00:00.000Z,2026-01-09,2026-01-09T09:00:00.000Z,"
    "005U,001A,003C,006D\n"
    "00Q2,false,c@d.example,Other,,Web,Closed - Not Converted,2026-01-02T00:00:00.000Z,,2026-01-08T08:00:00.000Z,005U,,,\n",
    "Opportunity.csv": "Id,IsDeleted,AccountId,OwnerId,Name,Type,LeadSource,CampaignId,CreatedDate,CloseDate,StageName,"
    "Amount,ForecastCategory,Probability,NextStep,SystemModstamp\n"
    "006D,false,001A,005U,Deal,New Business,Web,701P,2026-01-09T10:00:00.000Z,2026-03-31,Closed Won,1000.50,Closed,100,,"
    "2026-03-30T10:00:00.000Z\n"
    "006E,true,001A,005U,Dup,Existing Customer - Upgrade,Web,,2026-02-01T10:00:00.000Z,2026-05-31,Qualification,10,"
    "BestCase,20,,2026-02-03T10:00:00.000Z\n",
    "OpportunityHistory.csv": "Id,IsDeleted,OpportunityId,CreatedDate,StageName,Amount,CloseDate,ForecastCategory,Probability\n"
    "008A,false,006D,2026-01-09T10:00:00.000Z,Qualification,900,2026-03-31,Forecast,10\n"
    "008B,false,006D,2026-03-30T10:00:00.000Z,Closed Won,1000.50,2026-03-31,Closed,100\n",
    "OpportunityContactRole.csv": "OpportunityId,ContactId,Role,IsPrimary,CreatedDate,IsDeleted\n"
    "006D,003C,Decision Maker,true,2026-01-10T10:00:00.000Z,false\n",
    "Task.csv": "Id,IsDeleted,WhatId,WhoId,AccountId,OwnerId,TaskSubtype,ActivityDate,CreatedDate\n"
    "00T1,false,006D,003C,001A,005U,Call,2026-02-02,2026-02-01T10:00:00.000Z\n"
    "00T2,false,001A,00Q1,001A,005U,Email,,2026-02-05T10:00:00.000Z\n",
    "Campaign.csv": "Id,IsDeleted,Name,Type,StartDate,EndDate\n701P,false,Expo,Event,2026-01-01,2026-01-31\n",
    "CampaignMember.csv": "Id,IsDeleted,CampaignId,ContactId,LeadId,CreatedDate,FirstRespondedDate\n"
    "00v1,false,701P,003C,,2026-01-03T10:00:00.000Z,2026-01-04\n",
}

HUBSPOT = {
    "deals.csv": '"Record ID","Deal Name","Deal Stage","Amount","Close Date","Create Date","Deal owner","Deal Type",'
    '"Associated Company IDs","Deal probability","Forecast category"\n'
    '"11","Deal","Closed Won","1,200.00","2026-03-31 10:00","2026-01-05 09:30","Sam Seller","New Business","77;78","1.0",'
    '"Closed won"\n'
    '"12","Talk","contractsent","50","2026-10-15 10:00","2026-08-05 09:30","","Renewal","","0.9","Not forecasted"\n',
    "companies.csv": '"Record ID","Company name","Company Domain Name","Industry"\n"77","Acme","acme.example","Retail"\n',
    "contacts.csv": '"Record ID","First Name","Last Name","Email","Associated Company IDs","Create Date"\n'
    '"91","Ann","Lee","ann@acme.example","77","2026-01-05 09:30"\n',
}


@pytest.fixture
def ready(lab, project_root: Path):
    shutil.copytree(project_root / "params" / "sources" / "ready", lab.profiles / "ready")

    def load(profile: str, **settings: str):
        lines = [f"extends: ready/{profile}.yml", "data_through: 2026-09-30"]
        lines += [f"{key}: {value}" for key, value in settings.items()]
        (lab.profiles / "crm.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return lab.load()

    return load


def test_a_full_salesforce_export_fills_ten_tables(lab, ready, counts) -> None:
    lab.write(SALESFORCE)
    result = ready("salesforce_export", root="../../data")
    assert int(result.counts.quarantined.sum()) == 0
    assert counts(result, "accounts") == {"read": 2, "loaded": 1, "collapsed": 0, "quarantined": 0, "filtered": 1}
    assert lab.rows(result, "accounts", "account_id", "domain", "employees") == [("001A", "acme.example", 250)]
    deals = lab.rows(result, "opportunities", "opportunity_id", "type", "amount", "forecast_category", "probability")
    assert deals == [
        ("006D", "new", Decimal("1000.50"), "Closed", 1.0),
        ("006E", "expansion", Decimal("10.00"), "Best Case", 0.2),
    ]
    assert lab.rows(result, "opportunities", "deleted_at") == [(dt.datetime(2026, 2, 3, 10),), (None,)]
    assert [row[0] for row in lab.rows(result, "opportunity_history", "forecast_category")] == ["Closed", "Commit"]
    assert lab.rows(result, "activities", "activity_id", "opportunity_id", "contact_id", "kind") == [
        ("00T1", "006D", "003C", "call"),
        ("00T2", None, None, "email"),
    ]
    leads = lab.rows(result, "leads", "lead_id", "opportunity_id", "disqualified_reason")
    assert leads == [("00Q1", "006D", None), ("00Q2", None, "Closed - Not Converted")]
    assert lab.rows(result, "touchpoints", "contact_id", "campaign_id", "kind") == [("003C", "701P", "campaign")]
    assert lab.rows(result, "opportunity_contacts", "role", "is_primary") == [("Decision Maker", True)]
    assert lab.rows(result, "campaigns", "channel") == [("Event",)]


def test_deals_alone_are_enough_and_what_is_absent_is_said(lab, ready) -> None:
    lab.write({"Opportunity.csv": "Id,StageName,CloseDate,Amount,CreatedDate\n1,Closed Won,2026-03-31,5,2026-01-01\n"})
    result = ready("salesforce_export", root="../../data")
    assert lab.rows(result, "opportunities", "opportunity_id", "amount") == [("1", Decimal("5.00"))]
    assert any("Account.csv" in line for line in result.notes)
    assert any("AccountId" in line for line in result.notes)


def test_a_hubspot_export_with_labels_or_internal_stage_names(lab, ready) -> None:
    lab.write(HUBSPOT)
    result = ready("hubspot_export", root="../../data")
    assert int(result.counts.quarantined.sum()) == 0
    deals = lab.rows(result, "opportunities", "opportunity_id", "stage", "amount", "type", "account_id", "close_date")
    assert deals == [
        ("11", "Closed Won", Decimal("1200.00"), "new", "77", dt.date(2026, 3, 31)),
        ("12", "Contract Sent", Decimal("50.00"), "renewal", None, dt.date(2026, 10, 15)),
    ]
    assert lab.rows(result, "contacts", "name", "account_id") == [("Ann Lee", "77")]


def _warehouse(path: Path, statements: str) -> str:
    with duckdb.connect(str(path)) as connection:
        connection.execute(statements)
    return f"duckdb://{path}"


def test_salesforce_in_a_warehouse(lab, ready) -> None:
    url = _warehouse(
        lab.data / "wh.duckdb",
        """
        CREATE SCHEMA salesforce;
        CREATE TABLE salesforce.account AS SELECT '001A' AS id, 'Acme' AS name, false AS is_deleted;
        CREATE TABLE salesforce.opportunity AS SELECT * FROM (VALUES
          ('006D', '001A', 100.0, DATE '2026-03-31', TIMESTAMP '2026-01-09 10:00', 'Signed!', true, true, false),
          ('006E', '001A', 50.0, DATE '2026-12-31', TIMESTAMP '2026-02-09 10:00', 'Qualification', false, false, false)
        ) t(id, account_id, amount, close_date, created_date, stage_name, is_won, is_closed, is_deleted);
        CREATE TABLE salesforce.opportunity_history AS SELECT id, TIMESTAMP '2026-01-09 10:00' AS _fivetran_start,
          stage_name, is_won, is_closed, amount, close_date FROM salesforce.opportunity;
        """,
    )
    result = ready("salesforce_fivetran", url=url)
    assert int(result.counts.quarantined.sum()) == 0
    assert [row[0] for row in lab.rows(result, "opportunities", "stage")] == ["Closed Won", "Qualification"]
    assert len(lab.rows(result, "opportunity_history", "stage")) == 2


def test_hubspot_in_a_warehouse_takes_labels_from_the_pipeline_and_knows_merges(lab, ready) -> None:
    url = _warehouse(
        lab.data / "wh.duckdb",
        """
        CREATE SCHEMA hubspot;
        CREATE TABLE hubspot.deal AS SELECT * FROM (VALUES
          (1, 's1', 100.0, TIMESTAMP '2026-03-31 10:00', TIMESTAMP '2026-01-09 10:00', false),
          (2, 's2', 50.0, TIMESTAMP '2026-12-31 10:00', TIMESTAMP '2026-02-09 10:00', false)
        ) t(deal_id, deal_pipeline_stage_id, property_amount, property_closedate, property_createdate, is_deleted);
        CREATE TABLE hubspot.deal_pipeline_stage AS SELECT * FROM (VALUES
          ('s1', 'Signed!', true, true, TIMESTAMP '2026-01-01'), ('s2', 'Contract Sent', false, false, TIMESTAMP '2026-01-01')
        ) t(stage_id, label, closed_won, is_closed, _fivetran_synced);
        CREATE TABLE hubspot.merged_deal AS SELECT 1 AS deal_id, 2 AS merged_deal_id, TIMESTAMP '2026-05-01' AS _fivetran_synced;
        CREATE TABLE hubspot.deal_company AS SELECT 1 AS deal_id, 77 AS company_id;
        CREATE TABLE hubspot.company AS SELECT 77 AS id, 'Acme' AS property_name, false AS is_deleted;
        CREATE TABLE hubspot.deal_stage AS SELECT 1 AS deal_id, TIMESTAMP '2026-03-31 10:00' AS date_entered, 's1' AS value;
        """,
    )
    result = ready("hubspot_fivetran", url=url)
    assert int(result.counts.quarantined.sum()) == 0
    deals = lab.rows(result, "opportunities", "opportunity_id", "stage", "account_id", "deleted_at")
    assert deals == [("1", "Closed Won", "77", None), ("2", "Contract Sent", None, dt.datetime(2026, 5, 1))]
    assert lab.rows(result, "opportunity_history", "stage") == [("Closed Won",)]
