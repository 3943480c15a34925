"""Whether one word is another one mistyped: what typists do, and what separates words that only look alike.

Typists leave a letter out, double one, swap two neighbours or hit the next key; they seldom get the first letter wrong
(Damerau 1964, Communications of the ACM 7(3); Pollock and Zamora 1984, Communications of the ACM 27(4)). So one such
slip is allowed, in a long word also two letters left out, and nothing else. Words that differ in a number or in a word
of one or two letters (Tier 1 and Tier 2, Series A and Series B) mean different things.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Slip = Literal["spelling", "typing", "near", "none"]
"""`spelling`: only case, blanks or punctuation differ; `typing`: one slip; `near`: alike, but it may be a word of its
own; `none`: another word."""

SHORTEST = 5
"""Letters that a word must have before a slip in it can be told from another word."""
LONG = 8
"""From so many letters on, one slip hardly ever makes another word."""
VERY_LONG = 10
"""From so many letters on, two letters may be left out."""

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_DROPPED = set(" \t-_.,;:'’/\\()\"")


def slip(word: str, right: str) -> Slip:
    """What may have made `word` out of `right`.

    >>> slip("technolgy", "Technology"), slip("Retial", "Retail"), slip("Health care", "Healthcare")
    ('typing', 'typing', 'spelling')
    >>> slip("Tier 2", "Tier 1"), slip("Rental", "Retail"), slip("South", "North"), slip("Gambia", "Zambia")
    ('none', 'none', 'none', 'none')
    >>> slip("Marina", "Marine")
    'near'
    """
    if word == right:
        return "none"
    if _marks(word) != _marks(right) or _short_parts(word) != _short_parts(right):
        return "spelling" if _only_case_or_blanks(word, right) else "none"
    ours, theirs = plain(word), plain(right)
    if ours == theirs:
        return "spelling" if len(ours) >= SHORTEST - 1 or _only_case_or_blanks(word, right) else "near"
    if min(len(ours), len(theirs)) < SHORTEST - 1 or len(theirs) < SHORTEST or ours[0] != theirs[0]:
        return "none"
    return _typed(ours, theirs)


def _typed(ours: str, theirs: str) -> Slip:
    from rapidfuzz.distance import OSA, Indel

    distance = OSA.distance(ours, theirs, score_cutoff=2)
    if distance == 1:
        return "typing" if len(theirs) >= LONG or _is_likely_slip(ours, theirs) else "near"
    if distance > 2:
        return "none"
    left_out = len(theirs) - len(ours) == 2 and Indel.distance(ours, theirs) == 2
    if left_out and len(theirs) >= VERY_LONG:
        return "typing"
    return "near" if len(theirs) >= LONG else "none"


def _is_likely_slip(ours: str, theirs: str) -> bool:
    """Whether one slip in a short word is one that typists make, and not the letter that makes another word."""
    from rapidfuzz.distance import Levenshtein

    edits = list(Levenshtein.editops(theirs, ours))
    if len(edits) == 2:
        return True  # two neighbours swapped
    edit = edits[0]
    kind, place, at = edit.tag, edit.src_pos, edit.dest_pos
    if kind == "delete":
        return True
    if kind == "insert":
        letter = ours[at]
        is_doubled = letter in (ours[at - 1 : at], ours[at + 1 : at + 2])
        return is_doubled or (letter == "s" and at == len(ours) - 1)
    return _are_neighbours(theirs[place], ours[at])


@lru_cache
def _are_neighbours(one: str, other: str) -> bool:
    for number, row in enumerate(_ROWS):
        if one in row:
            at = row.index(one)
            near = row[max(at - 1, 0) : at + 2]
            below = _ROWS[number + 1][max(at - 1, 0) : at + 1] if number + 1 < len(_ROWS) else ""
            above = _ROWS[number - 1][at : at + 2] if number else ""
            return other in near + below + above
    return False


@lru_cache(maxsize=4096)
def plain(word: str) -> str:
    """The letters and digits of a word, without case and accents.

    >>> plain("Closed won."), plain("Zürich")
    ('closedwon', 'zurich')
    """
    return "".join(letter for letter in _folded(word) if letter.isalnum())


def _folded(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


@lru_cache(maxsize=4096)
def _marks(word: str) -> str:
    """Signs that carry meaning, such as + or < or &, in order."""
    return "".join(letter for letter in word if not letter.isalnum() and letter not in _DROPPED)


@lru_cache(maxsize=4096)
def _short_parts(word: str) -> tuple[str, ...]:
    """Numbers and parts of one or two letters: what may not differ."""
    parts = re.findall(r"\d+|[^\W\d_]+", _folded(word))
    return tuple(part for part in parts if part.isdigit() or len(part) <= 2)


def _only_case_or_blanks(word: str, right: str) -> bool:
    return "".join(word.casefold().split()) == "".join(right.casefold().split())
