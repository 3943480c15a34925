"""Guessing, from names alone, which file is which canonical table and which column is which: a first draft to edit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from revops_analysis.tables.schema import TABLES, TableSchema

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "account_id": ("account", "company_id", "company", "customer", "customer_id", "client", "client_id"),
    "owner_id": ("sales_agent", "owner", "sales_rep", "rep", "seller", "deal_owner", "account_owner"),
    "user_id": ("sales_agent", "rep", "seller", "rep_id", "employee_id", "owner_id"),
    "opportunity_id": ("deal_id", "opp_id", "opportunity", "deal"),
    "contact_id": ("person_id", "contact"),
    "stage": ("deal_stage", "stage_name", "status", "pipeline_stage", "opportunity_stage"),
    "amount": ("close_value", "value", "deal_value", "total", "price", "deal_amount", "opportunity_amount"),
    "close_date": ("closed_date", "expected_close_date", "close_on", "closedate"),
    "created_at": ("created_date", "create_date", "created", "created_on", "engage_date", "open_date", "date_created"),
    "changed_at": ("change_date", "changed_on", "modified_at", "timestamp", "date_entered"),
    "industry": ("sector", "vertical"),
    "country": ("office_location", "billing_country"),
    "region": ("regional_office", "territory", "state"),
    "employees": ("number_of_employees", "employee_count", "headcount"),
    "annual_revenue": ("revenue", "turnover"),
    "parent_account_id": ("subsidiary_of", "parent", "parent_id", "parent_account"),
    "manager_id": ("manager", "reports_to"),
    "source": ("lead_source", "origin", "original_source"),
    "type": ("deal_type", "opportunity_type"),
    "probability": ("win_probability", "deal_probability"),
    "forecast_category": ("forecast",),
    "next_step": ("next_steps",),
    "loss_reason": ("lost_reason", "closed_lost_reason"),
    "phone": ("phone_number", "telephone"),
    "title": ("job_title",),
    "domain": ("website", "web_domain", "company_domain_name"),
    "mrr": ("monthly_recurring_revenue", "monthly_amount"),
    "started_on": ("start_date", "started", "term_start"),
    "ended_on": ("end_date", "ended", "term_end"),
    "occurred_at": ("date", "activity_date", "touch_date", "occurred_on"),
    "currency": ("currency_code", "currency_iso_code"),
    "quota": ("quota_amount",),
    "target": ("target_amount", "goal"),
    "team": ("department",),
    "hired_on": ("hire_date", "start_date"),
}
_TABLE_WORDS: dict[str, tuple[str, ...]] = {
    "accounts": ("account", "compan", "customer", "client"),
    "contacts": ("contact", "person", "people"),
    "users": ("user", "sales_team", "rep", "owner", "seller", "employee"),
    "leads": ("lead",),
    "opportunities": ("opportunit", "deal", "pipeline"),
    "opportunity_history": ("history", "stage_event", "stage_change"),
    "activities": ("activit", "task", "event", "call"),
    "touchpoints": ("touch", "campaign_member", "interaction"),
    "campaigns": ("campaign",),
    "spend": ("spend", "cost"),
    "subscriptions": ("subscription", "contract"),
    "revenue_ledger": ("ledger", "mrr", "revenue"),
    "targets": ("target", "plan"),
    "quotas": ("quota",),
    "exchange_rates": ("exchange", "fx", "rate"),
}
_NAMED = 2
"""What a file name that fits weighs, in columns."""


@dataclass(frozen=True)
class Guess:
    """One file taken for one table: canonical column → source column, and the source columns left over."""

    file: str
    table: str
    columns: dict[str, str]
    left_over: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Required canonical columns for which no source column was found."""
        return tuple(name for name in TABLES[self.table].required if name not in self.columns)


def plain(name: str) -> str:
    """A column or file name in lower case with single underscores.

    >>> plain("Deal Stage "), plain("CloseDate"), plain("account.csv")
    ('deal_stage', 'close_date', 'account_csv')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def guess_tables(headers: Mapping[str, Sequence[str]]) -> tuple[Guess, ...]:
    """Return the files that look like a canonical table, each table at most once, in the tables' order.

    `headers` maps file names to their column names. A file that fits no table is left out.

    >>> guess_tables({"deals.csv": ["deal_id", "deal_stage", "close_value"]})[0].columns
    {'opportunity_id': 'deal_id', 'stage': 'deal_stage', 'amount': 'close_value'}
    """
    scored = [
        (_score(file, guess), guess)
        for file, names in headers.items()
        for guess in (_match(file, names, TABLES[table]) for table in _TABLE_WORDS)
    ]
    taken: dict[str, Guess] = {}
    files: set[str] = set()
    for score, guess in sorted(scored, key=lambda item: (-item[0], item[1].file, item[1].table)):
        if score > _NAMED and guess.table not in taken and guess.file not in files:
            taken[guess.table] = guess
            files.add(guess.file)
    return tuple(taken[name] for name in TABLES if name in taken)


def _score(file: str, guess: Guess) -> int:
    words = _TABLE_WORDS[guess.table]
    named = _NAMED if any(word in plain(file) for word in words) else 0
    return named + len(guess.columns) - _NAMED * len(guess.missing)


def _match(file: str, names: Sequence[str], schema: TableSchema) -> Guess:
    """Match canonical columns to source columns: the same name first, then known synonyms, then a bare `id`."""
    free = {plain(name): name for name in names}
    columns: dict[str, str] = {}
    for canonical in schema.names:
        for wanted in (canonical, *_SYNONYMS.get(canonical, ()), *_bare(canonical, schema)):
            if wanted in free:
                columns[canonical] = free.pop(wanted)
                break
    return Guess(file, schema.name, columns, tuple(free.values()))


def _bare(canonical: str, schema: TableSchema) -> tuple[str, ...]:
    """The key of a table is often just called `id` or `key`."""
    return ("id", "key", "record_id") if schema.key == (canonical,) else ()
