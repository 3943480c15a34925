"""Suggesting repairs for the words of one family: rare words beside frequent or known ones that they resemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from revops_analysis.validation.repairs.columns import KnownWords
from revops_analysis.validation.repairs.likeness import plain, slip

MOST_WORDS = 400
"""More different words than this are no short list, so none of them is a mistake by being rare."""


@dataclass(frozen=True)
class SuggestOptions:
    """When a word counts as rare and another as established.

    `rare_share`: at most this many rows for each row of the word that it resembles. `established_rows`: so many rows
    make a word one that others can be mistaken for; a word of the definitions needs none.
    """

    rare_share: float = 0.1
    established_rows: int = 10


@dataclass(frozen=True)
class Suggestion:
    """One word, what it should be, and what kind of slip made it."""

    value: str
    replacement: str
    kind: str


@dataclass(frozen=True)
class Doubt:
    """One word that resembles others, and why nothing is suggested for it."""

    value: str
    candidates: tuple[str, ...]
    why: str


def suggest(
    rows: Mapping[str, int], known: KnownWords, options: SuggestOptions | None = None
) -> tuple[list[Suggestion], list[Doubt]]:
    """Suggest what rare words should be.

    `rows`: word → rows that have it. A word of the definitions is never suggested to be another. A word that resembles
    two others equally, or is too frequent to be a mistake, is a doubt and no suggestion.

    >>> words = {"Technology": 400, "technolgy": 6, "Retail": 200, "Rental": 2}
    >>> suggest(words, KnownWords())
    ([Suggestion(value='technolgy', replacement='Technology', kind='typing')], [])
    """
    asked = options or SuggestOptions()
    left = {word: count for word, count in rows.items() if word.casefold() not in known.handled}
    names = sorted(left)
    if len(names) > MOST_WORDS:
        return [], []
    spelt, doubts = _spellings(left, known)
    rights = [word for word in (*names, *sorted(known.right - left.keys())) if word not in spelt]
    found = [Suggestion(word, right, "spelling") for word, right in spelt.items()]
    unclear = {doubt.value for doubt in doubts}
    for word in names:
        if word in known.right or word in spelt or word in unclear:
            continue
        answer = _judge(word, [right for right in rights if right not in unclear], left, (known, asked))
        if isinstance(answer, Suggestion):
            found.append(answer)
        elif answer is not None:
            doubts.append(answer)
    wrong = {suggestion.value for suggestion in found}
    return [each for each in found if each.replacement not in wrong], doubts


def _spellings(rows: Mapping[str, int], known: KnownWords) -> tuple[dict[str, str], list[Doubt]]:
    """Words that differ in case, blanks or punctuation only → the known one of them, else the most frequent."""
    groups: dict[str, list[str]] = {}
    for word in sorted({*rows, *known.right}):
        groups.setdefault(plain(word) or word, []).append(word)
    spelt: dict[str, str] = {}
    doubts: list[Doubt] = []
    for group in (group for group in groups.values() if len(group) > 1):
        fixed = [word for word in group if word in known.right]
        most = max(rows.get(word, 0) for word in group)
        best = fixed or [word for word in group if rows.get(word, 0) == most]
        others = [word for word in group if word in rows and word not in best]
        if len(best) > 1 and not fixed:
            doubts += [Doubt(word, tuple(w for w in best if w != word), "both are as frequent") for word in best]
        for word in others:
            rights = [right for right in best if slip(word, right) == "spelling"]
            if len(rights) == 1:
                spelt[word] = rights[0]
            elif rights:
                doubts.append(Doubt(word, tuple(rights), "it could be any of them"))
    return spelt, doubts


def _judge(
    word: str, rights: Sequence[str], rows: Mapping[str, int], rules: tuple[KnownWords, SuggestOptions]
) -> Suggestion | Doubt | None:
    known, options = rules
    alike = {right: slip(word, right) for right in rights if right != word}
    typed = [right for right, kind in alike.items() if kind == "typing"]
    near = [right for right, kind in alike.items() if kind == "near"]
    strong = [right for right in typed if _is_established(right, word, rows, rules)]
    if len(strong) == 1 and len(typed) == 1:
        return Suggestion(word, strong[0], "typing")
    if len(typed) > 1 and strong:
        return Doubt(word, tuple(sorted(typed)), "it could be any of them")
    if len(typed) == 1 and rows[word] < rows.get(typed[0], 0):
        return Doubt(word, tuple(typed), "too frequent for a mistake, or the other too rare to say")
    established = [right for right in near if _is_established(right, word, rows, (known, options))]
    if established:
        return Doubt(word, tuple(sorted(established)), "it may be a word of its own")
    return None


def _is_established(right: str, word: str, rows: Mapping[str, int], rules: tuple[KnownWords, SuggestOptions]) -> bool:
    known, options = rules
    if right in known.right:
        return True
    there = rows.get(right, 0)
    return there >= options.established_rows and rows[word] <= options.rare_share * there
