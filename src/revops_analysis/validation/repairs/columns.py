"""Which columns hold words out of a short list, which of them share a list, and the words that the definitions know.

Names of people and companies, addresses, titles and free text are never looked at: a rare name beside a frequent one
is another person, and no mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from revops_analysis.tables.schema import DEAL_TYPES

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions

Place = tuple[str, str]
"""A table and its column."""

FAMILIES: dict[str, tuple[Place, ...]] = {
    "stage": (("opportunities", "stage"), ("opportunity_history", "stage")),
    "forecast category": (
        ("opportunities", "forecast_category"),
        ("opportunity_history", "forecast_category"),
        ("forecast_submissions", "category"),
    ),
    "deal type": (("opportunities", "type"),),
    "segment": (("accounts", "segment"), ("opportunities", "segment")),
    "industry": (("accounts", "industry"),),
    "region": (("accounts", "region"), ("users", "region")),
    "country": (("accounts", "country"),),
    "source": (("opportunities", "source"), ("leads", "source")),
    "product": (("opportunities", "product"), ("subscriptions", "product"), ("revenue_ledger", "product")),
    "competitor": (("opportunities", "competitor"),),
    "loss reason": (("opportunities", "loss_reason"),),
    "reason of refusal": (("leads", "disqualified_reason"),),
    "reason of churn": (("subscriptions", "churn_reason"),),
    "channel": (("touchpoints", "channel"), ("campaigns", "channel"), ("spend", "channel")),
    "kind of touch": (("touchpoints", "kind"),),
    "kind of activity": (("activities", "kind"),),
    "role in the purchase": (("opportunity_contacts", "role"),),
    "role of a user": (("users", "role"),),
    "team": (("users", "team"),),
    "function": (("spend", "function"),),
}
"""Families of words: the columns of one family mean the same, so their words are counted together."""

PLACES: tuple[Place, ...] = tuple(place for places in FAMILIES.values() for place in places)

FAMILY_OF: dict[Place, str] = {place: family for family, places in FAMILIES.items() for place in places}


@dataclass(frozen=True)
class KnownWords:
    """Words of the definitions: `right` are what others can be mistaken for; `handled` are mapped by them already."""

    right: frozenset[str] = frozenset()
    handled: frozenset[str] = frozenset()


def known_words(family: str, definitions: Definitions) -> KnownWords:
    """The words of a family that the definitions know; none for a family of which they say nothing.

    >>> from types import SimpleNamespace
    >>> known_words("industry", SimpleNamespace()).right
    frozenset()
    """
    if family == "channel":
        right = {*definitions.channel_teams, *definitions.channel_map.values()}
        return KnownWords(frozenset(right), frozenset(word.casefold() for word in definitions.channel_map))
    words = {
        "stage": lambda: definitions.stage_names,
        "forecast category": lambda: definitions.category_names,
        "deal type": lambda: DEAL_TYPES,
        "segment": lambda: definitions.segment_names,
        "source": lambda: definitions.source_teams,
    }.get(family)
    return KnownWords() if words is None else KnownWords(frozenset(words()))
