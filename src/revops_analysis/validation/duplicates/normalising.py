"""Normal forms in the engine's SQL: what is compared is what was meant, not how it was typed.

Each function returns an expression over the column named in it. What says nothing ("n/a", a telephone number of
zeros) becomes null, because two people without a telephone have nothing in common.
"""

from __future__ import annotations

from collections.abc import Sequence

from revops_analysis.validation.duplicates.words import (
    ARTICLES,
    DEGREES,
    FREE_MAIL,
    LEGAL_FORMS,
    NOTHING,
    ROLE_MAILBOXES,
    TITLES,
)

_LEAST_DIGITS, _COMPARED_DIGITS = 7, 9
"""A shorter telephone number is an extension; the last nine digits are the same with and without country code."""


def listed(words: Sequence[str]) -> str:
    """The words as the engine's list of texts.

    >>> listed(("a", "o'b"))
    "('a', 'o''b')"
    """
    return "(" + ", ".join("'" + word.replace("'", "''") + "'" for word in words) + ")"


def folded(column: str) -> str:
    """Lower case without accents and control characters; null for an empty text and for words that mean nothing."""
    plain = f"lower(strip_accents(nfc_normalize({column})))"
    letters = f"replace(replace(translate({plain}, 'øłđıð', 'oldid'), 'ß', 'ss'), 'æ', 'ae')"
    clean = rf"trim(regexp_replace({letters}, '[\s\p{{C}}]+', ' ', 'g'))"
    return f"CASE WHEN replace({clean}, ' ', '') IN {listed(('', *NOTHING))} THEN NULL ELSE {clean} END"


def person_tokens(folded_name: str) -> str:
    """The parts of a person's name, given name first, without titles, degrees and what stands in brackets."""
    bare = rf"regexp_replace({folded_name}, '\(.*?\)|\[.*?\]|\{{.*?\}}|\".*?\"', ' ', 'g')"
    parts = f"string_split({bare}, ',')"
    # `Miller, Dan` is Dan Miller; after `Miller, PhD` the comma says nothing.
    after = f"replace(trim(coalesce({parts}[2], '')), '.', '')"
    is_swapped = f"len({parts}) >= 2 AND {after} <> '' AND {after} NOT IN {listed((*DEGREES, 'jr', 'sr', 'ii', 'iii'))}"
    ordered = f"CASE WHEN {is_swapped} THEN {parts}[2] || ' ' || {parts}[1] ELSE {bare} END"
    letters = rf"regexp_replace(regexp_replace({ordered}, '[''’`´]', '', 'g'), '[^\p{{L}}\p{{M}}]+', ' ', 'g')"
    dropped = listed(("", *TITLES, *DEGREES))
    return f"list_filter(string_split({letters}, ' '), t -> t NOT IN {dropped})"


def company_key(folded_name: str) -> str:
    """A company's name without legal form, article and punctuation; the whole name where nothing else is left."""
    joined = rf"regexp_replace({folded_name}, '[.''’`´]', '', 'g')"
    words = rf"trim(regexp_replace(replace({joined}, '&', ' and '), '[^\p{{L}}\p{{M}}\p{{N}}]+', ' ', 'g'))"
    forms, articles = "|".join((*LEGAL_FORMS, "and", "und")), "|".join(ARTICLES)
    bare = f"trim(regexp_replace(regexp_replace({words}, '^({articles}) ', ''), '( ({forms}))+$', ''))"
    return f"nullif(CASE WHEN {bare} = '' THEN {words} ELSE {bare} END, '')"


def web_domain(column: str) -> str:
    """A web domain without protocol, www, path and port; null unless it looks like one, and for free mail."""
    plain = f"lower(trim({column}))"
    host = rf"regexp_replace(regexp_replace({plain}, '^[a-z]+://', ''), '[/:?#].*$', '')"
    bare = rf"regexp_replace(regexp_replace({host}, '^www\d?\.', ''), '\.+$', '')"
    looks = rf"regexp_matches({bare}, '^[^\s@.]+(\.[^\s@.]+)+$')"
    return f"CASE WHEN {looks} AND {bare} NOT IN {listed(FREE_MAIL)} THEN {bare} END"


def domain_stem(domain: str) -> str:
    """The name in a domain: `acme` of acme.co.uk and of shop.acme.com."""
    without = rf"regexp_replace({domain}, '(\.(co|com|org|net|ac|gov|edu))?\.[a-z]{{2,}}$', '')"
    return rf"regexp_extract({without}, '[^.]+$')"


def local_part(column: str) -> str:
    """What stands before the @ of an email address, in lower case, without tag."""
    return rf"regexp_replace(split_part({_plain_address(column)}, '@', 1), '\+.*$', '')"


def _plain_address(column: str) -> str:
    return rf"regexp_replace(lower(trim({column})), '^mailto:|[<>\s]', '', 'g')"


def address(column: str) -> str:
    """An email address in lower case, without tag and, at Gmail, without dots; null unless it looks like one."""
    plain, local = _plain_address(column), local_part(column)
    host = f"replace(split_part({plain}, '@', 2), 'googlemail.com', 'gmail.com')"
    bare = f"CASE WHEN {host} = 'gmail.com' THEN replace({local}, '.', '') ELSE {local} END"
    looks = rf"regexp_matches({plain}, '^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$') AND {local} <> ''"
    return f"CASE WHEN {looks} THEN {bare} || '@' || {host} END"


def is_role(local: str) -> str:
    """Whether the part of an address before the @ names a function."""
    return f"regexp_replace({local}, '[^a-z]', '', 'g') IN {listed(ROLE_MAILBOXES)}"


def phone(column: str) -> str:
    """The last digits of a telephone number without extension; null for too few, or for digits that are made up."""
    main = rf"regexp_replace(lower({column}), '(ext|extension|durchwahl|x|#).*$', '')"
    digits = rf"regexp_replace({main}, '[^0-9]', '', 'g')"
    made_up = rf"regexp_matches({digits}, '^(0+|1+|2+|3+|4+|5+|6+|7+|8+|9+|0?123456789?0?\d?)$')"
    return (
        f"CASE WHEN length({digits}) >= {_LEAST_DIGITS} AND NOT {made_up} THEN right({digits}, {_COMPARED_DIGITS}) END"
    )
