"""The records that are compared: a row a contact, lead or account, in normal forms, in an engine of their own."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.validation.duplicates import normalising as norm
from revops_analysis.validation.duplicates.words import PLACES, SUFFIXES, given_names

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

    from revops_analysis.tables.snapshot import Snapshot

TABLES = ("contacts", "accounts", "leads", "leads-contacts")
"""What can be looked through; the last compares leads with contacts."""

COMPANIES_OF_A_PROVIDER = 10
"""A domain that people of more companies write from belongs to a provider of mail, whatever its name."""

SHARED_BY = 25
"""An address or a telephone number that more records have is a shared one, and says nothing about a person."""


@dataclass(frozen=True)
class Records:
    """Normalised records on a connection (DuckDB): the table `records`, `count` rows, of persons or companies.

    Person columns: unique_id, source_dataset, created_at, filled (number of fields with a value), given, surname,
    given_forms, given_initials, middle, suffix, is_from_address, given_n, surname_n, is_known_name, address, local,
    mail_domain, name_addresses, is_private, phone, account_id, company, domain.
    Company columns: unique_id, source_dataset, created_at, filled, company, compact, words, places, domain, stem,
    country, industry, employees, parent.
    """

    con: Any
    table: str
    count: int

    @property
    def is_person(self) -> bool:
        """Whether the records are people; otherwise they are companies."""
        return self.table != "accounts"

    @property
    def is_link(self) -> bool:
        """Whether records of one table are compared with those of another, and not among themselves."""
        return self.table == "leads-contacts"

    @property
    def has_pairs(self) -> bool:
        """Whether there are two records to compare; where tables are compared, one on each side."""
        if not self.is_link:
            return self.count >= 2
        (sides,) = self.con.execute("SELECT count(DISTINCT source_dataset) FROM records").fetchone()
        return int(sides) == len(self.table.split("-"))


def read_records(snapshot: Snapshot, table: str) -> Records:
    """Read and normalise the records that exist at the end of the snapshot's day.

    Raises ConfigurationError for a name that is none of `TABLES`. A table that the source lacks has no records.
    """
    if table not in TABLES:
        raise ConfigurationError(
            "Duplicates cannot be looked for there.",
            expected=", ".join(TABLES),
            found=repr(table),
            fix="name one of these tables",
        )
    from revops_analysis.tables.warehouse import connect

    con = connect(Path(tempfile.gettempdir())).con
    con.execute("SET preserve_insertion_order = false")
    parts = {name: _raw(snapshot, name) for name in table.split("-")}
    for name, rows in parts.items():
        con.register(f"given_{name}", rows)
    raw = " UNION ALL BY NAME ".join(f"SELECT *, '{name}' AS source_dataset FROM given_{name}" for name in parts)
    con.execute(f"CREATE TABLE raw AS {raw}")
    for statement in _COMPANIES if table == "accounts" else _PERSONS:
        con.execute(statement)
    for name in parts:
        con.unregister(f"given_{name}")
    (count,) = con.execute("SELECT count(*) FROM records").fetchone()
    return Records(con, table, int(count))


def _raw(snapshot: Snapshot, name: str) -> pa.Table:
    """The columns that are compared, as the source has them."""
    rows = snapshot.table(name)
    if name == "contacts":
        accounts = snapshot.table("accounts").select("account_id", company="name", web="domain")
        joined = rows.left_join(accounts, "account_id")
        return _text(
            joined.select("contact_id", "name", "email", "phone", "account_id", "company", "web", "title", "created_at")
        )
    if name == "leads":
        named = rows.mutate(name=_null(), phone=_null(), title=_null(), web=rows.domain)
        return _text(
            named.select("lead_id", "name", "email", "phone", "account_id", "company", "web", "title", "created_at")
        )
    columns = ("account_id", "name", "domain", "country", "industry", "employees", "parent_account_id", "created_at")
    return _text(rows.select(*columns))


def _null() -> Any:
    import ibis

    return ibis.null("string")


def _text(rows: ibis.Table) -> pa.Table:
    return rows.rename(unique_id=rows.columns[0]).to_pyarrow()


def _filled(*columns: str) -> str:
    return " + ".join(f"(nullif(trim({column}), '') IS NOT NULL)::INT" for column in columns)


_FORMS = ", ".join(f"('{form}', '{full}')" for form, full in given_names())
_GIVEN_TABLE = f"""
    CREATE TABLE given_names AS
    SELECT form, list(DISTINCT full_name ORDER BY full_name) AS full_names
    FROM (VALUES {_FORMS}) AS t(form, full_name) GROUP BY form
    """

_PERSONS = (
    _GIVEN_TABLE,
    f"""
    CREATE TABLE spelled AS
    WITH plain AS (
        SELECT unique_id, source_dataset, created_at, account_id,
            {_filled("name", "email", "phone", "title")} AS filled, {norm.folded("name")} AS folded_name,
            {norm.address("email")} AS any_address, {norm.local_part("email")} AS typed_local,
            {norm.phone("phone")} AS any_phone,
            {norm.folded("company")} AS folded_company, {norm.web_domain("web")} AS own_domain
        FROM raw
    ), parts AS (
        SELECT *, split_part(any_address, '@', 1) AS any_local, split_part(any_address, '@', 2) AS mail_domain,
            {norm.person_tokens("folded_name")} AS all_tokens, {norm.company_key("folded_company")} AS company
        FROM plain
    )
    SELECT * EXCLUDE (all_tokens),
        coalesce({norm.is_role("any_local")}, false) AS is_role,
        list_filter(all_tokens, t -> t NOT IN {norm.listed(SUFFIXES)}) AS tokens,
        list_filter(all_tokens, t -> t IN {norm.listed(SUFFIXES)})[1] AS suffix,
        list_filter(string_split_regex(typed_local, '[._-]+'), t -> regexp_matches(t, '^[a-z]+$')) AS local_parts
    FROM parts
    """,
    f"""
    CREATE TABLE providers AS
    SELECT mail_domain FROM spelled WHERE mail_domain <> ''
    GROUP BY mail_domain
    HAVING count(DISTINCT coalesce(company, account_id)) > {COMPANIES_OF_A_PROVIDER}
        OR bool_or(mail_domain IN {norm.listed(norm.FREE_MAIL)})
    """,
    f"CREATE TABLE shared_phones AS SELECT any_phone FROM spelled GROUP BY any_phone HAVING count(*) > {SHARED_BY}",
    f"CREATE TABLE shared_mail AS SELECT any_address FROM spelled GROUP BY any_address HAVING count(*) > {SHARED_BY}",
    """
    CREATE TABLE named AS
    WITH named AS (
        SELECT *, mail_domain IN (SELECT mail_domain FROM providers) AS is_private,
            -- Without a name, or with an initial only, the address tells it: dan.miller@…
            len(local_parts) >= 2 AND NOT is_role AND (len(coalesce(tokens, [])) = 0 OR (length(tokens[1]) = 1
                AND len(tokens) >= 2 AND starts_with(local_parts[1], tokens[1])
                AND local_parts[-1] = tokens[-1])) AS takes_address
        FROM spelled
    )
    SELECT *, CASE WHEN takes_address THEN local_parts[1] ELSE tokens[1] END AS given,
        CASE WHEN takes_address THEN local_parts[-1] WHEN len(tokens) >= 2 THEN tokens[-1] END AS surname,
        CASE WHEN len(tokens) >= 3 THEN left(tokens[2], 1) END AS middle
    FROM named
    """,
    """
    CREATE TABLE records AS
    WITH given_counts AS (SELECT given, count(*) AS given_n FROM named GROUP BY given),
        surname_counts AS (SELECT surname, count(*) AS surname_n FROM named GROUP BY surname)
    SELECT n.unique_id, n.source_dataset, n.created_at, n.filled, n.given, n.surname, n.middle, n.suffix,
        takes_address AS is_from_address,
        list_distinct(list_append(coalesce(g.full_names, []), n.given)) AS given_forms,
        list_distinct(list_transform(list_append(coalesce(g.full_names, []), n.given), f -> left(f, 1)))
            AS given_initials,
        g.form IS NOT NULL AS is_known_name, gc.given_n, sc.surname_n,
        CASE WHEN NOT is_role AND any_address NOT IN (SELECT any_address FROM shared_mail WHERE any_address IS NOT NULL)
            THEN any_address END AS address,
        CASE WHEN NOT is_role THEN regexp_replace(any_local, '[^a-z0-9]', '', 'g') END AS local,
        nullif(mail_domain, '') AS mail_domain, is_private,
        [n.given || n.surname, left(n.given, 1) || n.surname, n.surname || n.given, n.surname || left(n.given, 1),
            n.given || left(n.surname, 1), n.surname, n.given] AS name_addresses,
        CASE WHEN any_phone NOT IN (SELECT any_phone FROM shared_phones WHERE any_phone IS NOT NULL)
            THEN any_phone END AS phone,
        account_id, company, coalesce(own_domain, CASE WHEN NOT is_private THEN nullif(mail_domain, '') END) AS domain
    FROM named n
    LEFT JOIN given_names g ON g.form = n.given
    LEFT JOIN given_counts gc ON gc.given = n.given
    LEFT JOIN surname_counts sc ON sc.surname = n.surname
    """,
    "DROP TABLE raw; DROP TABLE spelled; DROP TABLE named",
)

_COMPANIES = (
    f"""
    CREATE TABLE records AS
    WITH plain AS (
        SELECT unique_id, source_dataset, created_at, employees, parent_account_id AS parent,
            {_filled("name", "domain", "country", "industry")} + (employees IS NOT NULL)::INT AS filled,
            {norm.folded("name")} AS folded_name, {norm.web_domain("domain")} AS domain,
            {norm.folded("country")} AS country, {norm.folded("industry")} AS industry
        FROM raw
    ), keyed AS (
        SELECT *, {norm.company_key("folded_name")} AS company, {norm.domain_stem("domain")} AS stem FROM plain
    )
    SELECT * EXCLUDE (folded_name), replace(company, ' ', '') AS compact, string_split(company, ' ') AS words,
        list_sort(list_filter(string_split(company, ' '),
            t -> t IN {norm.listed(PLACES)} OR regexp_matches(t, '[0-9]'))) AS places
    FROM keyed
    """,
    "DROP TABLE raw",
)
