"""The canonical tables: one place for every column, its type, its key and its as-of rule (see `tables.columns`)."""

from __future__ import annotations

from revops_analysis.tables.columns import IBIS_TYPES, Column, TableSchema, column_of

__all__ = ["DEAL_TYPES", "IBIS_TYPES", "TABLES", "Column", "TableSchema"]

_text = column_of("text")
_date = column_of("date")
_moment = column_of("timestamp")
_money = column_of("money")
_rate = column_of("rate")
_number = column_of("number")
_integer = column_of("integer")
_flag = column_of("boolean")
_json = column_of("json")

_ACCOUNTS = TableSchema(
    "accounts",
    "account",
    ("account_id",),
    (
        _text("account_id", "fixed", "key", required=True),
        _text("name", "current", "the company's name"),
        _text("domain", "current", "web domain, without protocol"),
        _text("parent_account_id", "current", "the account that owns this one", references="accounts"),
        _text("segment", "current", "one of the segments of the definitions"),
        _text("industry", "current", "industry in the company's own words"),
        _text("region", "current", "sales region"),
        _text("country", "current", "country"),
        _integer("employees", "current", "number of employees"),
        _money("annual_revenue", "current", "the account's own revenue a year, reporting currency"),
        _text("owner_id", "current", "who owns the account today", references="users"),
        _moment("created_at", "fixed", "when the account entered the CRM (UTC)"),
    ),
    "created_at",
    "Companies that are, were or may become customers.",
)

_CONTACTS = TableSchema(
    "contacts",
    "person",
    ("contact_id",),
    (
        _text("contact_id", "fixed", "key", required=True),
        _text("account_id", "current", "the person's company", references="accounts"),
        _text("name", "current", "full name", personal=True),
        _text("email", "current", "email address", personal=True),
        _text("phone", "current", "telephone number", personal=True),
        _text("title", "current", "job title"),
        _moment("created_at", "fixed", "when the person entered the CRM (UTC)"),
    ),
    "created_at",
    "People at accounts.",
)

_USERS = TableSchema(
    "users",
    "seller or other owner",
    ("user_id",),
    (
        _text("user_id", "fixed", "key", required=True),
        _text("name", "current", "full name; the company's own people are not masked"),
        _text("email", "current", "email address"),
        _text("role", "current", "AE, SDR, CSM, Manager …"),
        _text("manager_id", "current", "the user's manager", references="users"),
        _text("team", "current", "team"),
        _text("region", "current", "sales region"),
        _date("hired_on", "fixed", "first day at the company"),
        _date("left_on", "event", "last day at the company; null while employed"),
    ),
    "hired_on",
    "The company's own sellers, managers and other owners.",
)

_LEADS = TableSchema(
    "leads",
    "lead",
    ("lead_id",),
    (
        _text("lead_id", "fixed", "key", required=True),
        _text("email", "current", "email address", personal=True),
        _text("company", "current", "company as the lead wrote it"),
        _text("domain", "current", "web domain, without protocol"),
        _text("source", "fixed", "where the lead came from"),
        _text("campaign_id", "fixed", "campaign that brought the lead", references="campaigns"),
        _moment("created_at", "fixed", "when the lead was created (UTC)", required=True),
        _moment("qualified_at", "event", "marketing qualified, MQL (UTC)"),
        _moment("accepted_at", "event", "accepted by sales, SAL (UTC)"),
        _moment("converted_at", "event", "converted to a deal, SQL (UTC)"),
        _moment("first_response_at", "event", "first human response (UTC)"),
        _moment("disqualified_at", "event", "refused (UTC)"),
        _text("disqualified_reason", "event", "why it was refused", dated_by="disqualified_at"),
        _text("owner_id", "current", "who works the lead", references="users"),
        _text("account_id", "event", "account it became", references="accounts", dated_by="converted_at"),
        _text("contact_id", "event", "person it became", references="contacts", dated_by="converted_at"),
        _text("opportunity_id", "event", "deal it became", references="opportunities", dated_by="converted_at"),
        _json("attributes", "current", "anything else known of the lead, as a JSON object"),
    ),
    "created_at",
    "Inbound and passed leads.",
)

_OPPORTUNITIES = TableSchema(
    "opportunities",
    "deal, current state",
    ("opportunity_id",),
    (
        _text("opportunity_id", "fixed", "key", required=True),
        _text("account_id", "fixed", "the buying account", references="accounts"),
        _text("owner_id", "history", "seller who owns the deal", references="users"),
        _text("name", "current", "the deal's name"),
        _text("type", "fixed", "new, expansion or renewal"),
        _text("segment", "current", "one of the segments of the definitions"),
        _text("product", "current", "product sold"),
        _text("source", "current", "origin of the deal as the CRM field says"),
        _text("primary_campaign_id", "current", "the CRM's primary campaign", references="campaigns"),
        _moment("created_at", "fixed", "when the deal was created (UTC)"),
        _date("close_date", "history", "expected or actual day of closing"),
        _text("stage", "history", "one of the stages of the definitions", required=True),
        _money("amount", "history", "amount on the basis the definitions name, in `currency`"),
        _text("currency", "history", "ISO code of `amount`; null means the reporting currency"),
        _money("arr", "current", "annual recurring revenue of the deal, in `currency`"),
        _money("renewed_arr", "current", "recurring revenue up for renewal, in `currency`"),
        _money("one_time_amount", "current", "services and other one-time amounts, in `currency`"),
        _integer("term_months", "current", "length of the contract in months"),
        _text("forecast_category", "history", "one of the forecast categories of the definitions"),
        _number("probability", "history", "the CRM's win probability, 0 to 1"),
        _text("next_step", "current", "the seller's next step"),
        _moment("last_activity_at", "derived", "last activity on the deal, from activities on or before D (UTC)"),
        _text("competitor", "current", "main competitor"),
        _text("loss_reason", "event", "why the deal was lost", dated_by="closed_at"),
        _moment("closed_at", "derived", "when the deal reached the closed stage it is in (UTC)"),
        _moment("deleted_at", "event", "when the deal was deleted or merged away (UTC)"),
    ),
    "created_at",
    "Deals. The only table without which no report can be made.",
)

_HISTORY = TableSchema(
    "opportunity_history",
    "deal × change",
    ("opportunity_id", "changed_at", "change_number"),
    (
        _text("opportunity_id", "fixed", "the deal", required=True, references="opportunities"),
        _moment("changed_at", "fixed", "when the change was made (UTC)", required=True),
        _integer("change_number", "fixed", "order of the changes of one deal within one moment, from 1"),
        _text("stage", "fixed", "stage after the change"),
        _money("amount", "fixed", "amount after the change, in `currency`"),
        _text("currency", "fixed", "ISO code of `amount`"),
        _date("close_date", "fixed", "close date after the change"),
        _text("forecast_category", "fixed", "forecast category after the change"),
        _number("probability", "fixed", "CRM probability after the change, 0 to 1"),
        _text("owner_id", "fixed", "owner after the change", references="users"),
    ),
    "changed_at",
    "Every change of a deal: the full state after it, not only what changed.",
)

_DEAL_CONTACTS = TableSchema(
    "opportunity_contacts",
    "deal × person",
    ("opportunity_id", "contact_id"),
    (
        _text("opportunity_id", "fixed", "the deal", required=True, references="opportunities"),
        _text("contact_id", "fixed", "the person", required=True, references="contacts"),
        _text("role", "current", "decision maker, champion …"),
        _flag("is_primary", "current", "the deal's main contact"),
        _moment("created_at", "fixed", "when the person was added to the deal (UTC)"),
    ),
    "created_at",
    "Who takes part in the purchase.",
)

_SPLITS = TableSchema(
    "opportunity_splits",
    "deal × seller",
    ("opportunity_id", "user_id", "kind"),
    (
        _text("opportunity_id", "fixed", "the deal", required=True, references="opportunities"),
        _text("user_id", "fixed", "the seller", required=True, references="users"),
        _text("kind", "fixed", "revenue or overlay", required=True),
        _rate("share", "current", "share of the deal credited, 0 to 1; revenue shares of a deal add up to 1"),
    ),
    None,
    "How the credit of a deal is shared between sellers.",
)

_ACTIVITIES = TableSchema(
    "activities",
    "activity",
    ("activity_id",),
    (
        _text("activity_id", "fixed", "key", required=True),
        _text("opportunity_id", "fixed", "deal it was logged on", references="opportunities"),
        _text("account_id", "fixed", "account it was logged on", references="accounts"),
        _text("contact_id", "fixed", "person it was with", references="contacts"),
        _text("user_id", "fixed", "who did it", references="users"),
        _text("kind", "fixed", "call, email, meeting …"),
        _moment("occurred_at", "fixed", "when it happened (UTC)", required=True),
    ),
    "occurred_at",
    "What sellers did.",
)

_TOUCHPOINTS = TableSchema(
    "touchpoints",
    "marketing or sales touch",
    ("touchpoint_id",),
    (
        _text("touchpoint_id", "fixed", "key", required=True),
        _text("account_id", "fixed", "account touched", references="accounts"),
        _text("contact_id", "fixed", "person touched", references="contacts"),
        _text("lead_id", "fixed", "lead touched", references="leads"),
        _text("opportunity_id", "fixed", "deal touched", references="opportunities"),
        _text("user_id", "fixed", "seller who made the touch", references="users"),
        _text("kind", "fixed", "form, event, email reply, outbound call …"),
        _moment("occurred_at", "fixed", "when it happened (UTC)"),
        _moment("responded_at", "event", "when the person responded (UTC); null: no response"),
        _text("channel", "fixed", "channel as recorded"),
        _text("campaign_id", "fixed", "campaign", references="campaigns"),
    ),
    "occurred_at",
    "Contacts between the company and its market, for attribution.",
)

_CAMPAIGNS = TableSchema(
    "campaigns",
    "campaign",
    ("campaign_id",),
    (
        _text("campaign_id", "fixed", "key", required=True),
        _text("name", "current", "the campaign's name"),
        _text("channel", "current", "channel"),
        _date("started_on", "fixed", "first day"),
        _date("ended_on", "event", "last day; null while it runs"),
    ),
    "started_on",
    "Marketing campaigns.",
)

_SPEND = TableSchema(
    "spend",
    "month × function × channel × campaign",
    ("month", "function", "channel", "campaign_id"),
    (
        _date("month", "fixed", "first day of the month", required=True),
        _text("function", "fixed", "marketing, sales …", required=True),
        _text("channel", "fixed", "channel; null for spend of no channel"),
        _text("campaign_id", "fixed", "campaign; null for spend of no campaign", references="campaigns"),
        _money("amount", "fixed", "spend in `currency`", required=True),
        _text("currency", "fixed", "ISO code of `amount`; null means the reporting currency"),
    ),
    "month",
    "What marketing and sales cost.",
    whole_month=True,
)

_SUBSCRIPTIONS = TableSchema(
    "subscriptions",
    "subscription term",
    ("subscription_id",),
    (
        _text("subscription_id", "fixed", "key: one term of one subscription", required=True),
        _text("account_id", "fixed", "the customer", required=True, references="accounts"),
        _text("opportunity_id", "fixed", "deal that booked the term", references="opportunities"),
        _text("product", "fixed", "product"),
        _date("started_on", "fixed", "first day of the term", required=True),
        _date("ended_on", "fixed", "last day of the term, inclusive; null: open-ended"),
        _rate("mrr", "fixed", "monthly recurring revenue during the term, in `currency`", required=True),
        _text("currency", "fixed", "ISO code of `mrr`; null means the reporting currency"),
        _moment("booked_at", "fixed", "when the term was booked (UTC); null: on `started_on`"),
        _moment("cancelled_at", "event", "when the customer gave notice (UTC)"),
        _text("renews_subscription_id", "fixed", "the term that this one renews", references="subscriptions"),
        _flag("auto_renews", "fixed", "the term renews by itself unless cancelled"),
        _text("churn_reason", "event", "why the customer left", dated_by="cancelled_at"),
    ),
    "booked_at",
    "Contracted recurring revenue, a row a term.",
    visible_else="started_on",
)

_LEDGER = TableSchema(
    "revenue_ledger",
    "account × product × month",
    ("account_id", "product", "month"),
    (
        _text("account_id", "fixed", "the customer", required=True, references="accounts"),
        _text("product", "fixed", "product"),
        _date("month", "fixed", "first day of the month", required=True),
        _rate("mrr", "fixed", "monthly recurring revenue on the last day of the month, in `currency`", required=True),
        _text("currency", "fixed", "ISO code of `mrr`; null means the reporting currency"),
    ),
    "month",
    "Monthly recurring revenue as billing recorded it: an alternative to subscriptions.",
    whole_month=True,
)

_TARGETS = TableSchema(
    "targets",
    "measure × scope × period",
    ("measure", "scope_kind", "scope", "period_start"),
    (
        _text("measure", "fixed", "what the target is of: bookings, pipeline_created …", required=True),
        _text("scope_kind", "fixed", "company, segment, region or team", required=True),
        _text("scope", "fixed", "which one; null for the company"),
        _date("period_start", "fixed", "first day", required=True),
        _date("period_end", "fixed", "last day, inclusive", required=True),
        _money("target", "fixed", "target in `currency`", required=True),
        _text("currency", "fixed", "ISO code of `target`; null means the reporting currency"),
    ),
    None,
    "The company's plan.",
)

_QUOTAS = TableSchema(
    "quotas",
    "owner × period",
    ("user_id", "period_start"),
    (
        _text("user_id", "fixed", "the seller", required=True, references="users"),
        _date("period_start", "fixed", "first day", required=True),
        _date("period_end", "fixed", "last day, inclusive", required=True),
        _money("quota", "fixed", "quota in `currency`", required=True),
        _text("currency", "fixed", "ISO code of `quota`; null means the reporting currency"),
    ),
    None,
    "What each seller was asked to book.",
)

_SUBMISSIONS = TableSchema(
    "forecast_submissions",
    "owner × period × category × moment",
    ("user_id", "period_start", "submitted_at", "category", "scope"),
    (
        _text("user_id", "fixed", "who submitted", required=True, references="users"),
        _date("period_start", "fixed", "first day of the period forecast", required=True),
        _moment("submitted_at", "fixed", "when (UTC)", required=True),
        _text("category", "fixed", "forecast category", required=True),
        _text("scope", "fixed", "own or team", required=True),
        _text("override_of", "fixed", "user whose submission a manager overrides", references="users"),
        _money("amount", "fixed", "amount in `currency`", required=True),
        _text("currency", "fixed", "ISO code of `amount`; null means the reporting currency"),
    ),
    "submitted_at",
    "What sellers and managers said they would book.",
)

_RATES = TableSchema(
    "exchange_rates",
    "currency × day",
    ("currency", "day"),
    (
        _text("currency", "fixed", "ISO code", required=True),
        _date("day", "fixed", "day of the rate", required=True),
        _number("rate_to_reporting", "fixed", "reporting currency for one unit of `currency`", required=True),
    ),
    "day",
    "Rates to the reporting currency.",
)

TABLES: dict[str, TableSchema] = {
    table.name: table
    for table in (
        _ACCOUNTS,
        _CONTACTS,
        _USERS,
        _LEADS,
        _OPPORTUNITIES,
        _HISTORY,
        _DEAL_CONTACTS,
        _SPLITS,
        _ACTIVITIES,
        _TOUCHPOINTS,
        _CAMPAIGNS,
        _SPEND,
        _SUBSCRIPTIONS,
        _LEDGER,
        _TARGETS,
        _QUOTAS,
        _SUBMISSIONS,
        _RATES,
    )
}
"""Every canonical table by name, in the order in which they are loaded and listed."""

DEAL_TYPES = ("new", "expansion", "renewal")
"""What a deal can be: a first purchase, more from a customer, or the same again."""
