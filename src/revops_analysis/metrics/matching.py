"""Which metrics a question is about: plain matching of its words, near spellings included. No language model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

from revops_analysis.metrics.registry import Metric, metrics

_WORD = re.compile(r"[a-zà-ÿ0-9]+")
_SILENT = frozenset(
    _WORD.findall(
        "a about all an and any are as at be by did do does for from had has have how i in is it its last many more "
        "most much my no not of on one or our says than that the their there these they this to up us was we were "
        "what when where which who why will with year quarter month week per number rate value total"
    )
)
_NEAR = 0.82
_SAME_THING = {
    "answered": ("unanswered", "response", "slow"),
    "churn": ("retention", "nrr", "grr", "logo"),
    "churned": ("retention", "nrr", "grr", "logo"),
    "closed": ("won", "lost"),
    "closing": ("won", "cycle"),
    "conversion": ("converted", "win"),
    "create": ("created", "creation"),
    "created": ("creation",),
    "customer": ("retention", "paying"),
    "fast": ("days", "velocity"),
    "forecast": ("expected", "coverage", "target"),
    "gross": ("grr",),
    "marketing": ("lead", "sourced", "sourcing", "programme"),
    "mql": ("lead", "qualified"),
    "net": ("nrr",),
    "plan": ("target",),
    "revenue": ("mrr", "arr", "bookings"),
    "size": ("amount", "deal"),
    "slipped": ("slippage", "overdue"),
    "slow": ("days", "duration", "stalled"),
    "sourced": ("source", "sourcing", "disputed", "pipeline"),
    "winning": ("win", "won"),
}
"""What people say, and the words under which metrics and findings speak of it."""


def words_of(text: str) -> frozenset[str]:
    """The words of a text that say what it is about, in the singular.

    >>> sorted(words_of("Why did enterprise win rates fall in Q3?"))
    ['enterprise', 'fall', 'q3', 'win']
    """
    found = {_singular(word) for word in _WORD.findall(text.lower().replace("_", " "))}
    return frozenset(word for word in found if word not in _SILENT and len(word) > 1)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def likeness(
    question: str, things: Mapping[str, Mapping[str, float]], *, weak: Mapping[str, float] | None = None
) -> dict[str, float]:
    """How much each thing has to do with a question; `things` are texts with their weights, by the thing's name.

    Of each word of the question that a thing's texts have, it gets the weight of the weightiest such text, times how
    rare the word is: 1 for a word that one thing has, 0 for one that all have. A word spelt nearly the same counts a
    little less. A word that no weightiest text has is also looked for under what else it is called. `weak` are words
    that count by their factor, and not at all for a thing that has no other word of the question.

    >>> found = likeness("Which deals are stalled?", {"stalled deals": {"stalled deals": 1}, "deal size": {"deals": 1}})
    >>> found["stalled deals"], found["deal size"]
    (1.0, 0.0)
    """
    weights = {name: _weighed(texts) for name, texts in things.items()}
    having = Counter(word for words in weights.values() for word in words)
    scores = dict.fromkeys(weights, 0.0)
    strong = set()
    for word, alike in _meant(words_of(question), having, _leading(weights)).items():
        factor = 1.0 if weak is None else weak.get(word, 1.0)
        rarity = 1 - math.log(having[word]) / math.log(len(weights)) if len(weights) > 1 else 1.0
        for name, words in weights.items():
            if word in words:
                scores[name] += words[word] * rarity * alike * factor
                strong |= {name} if factor >= 1 else set()
    return {name: score if name in strong else 0.0 for name, score in scores.items()}


def _weighed(texts: Mapping[str, float]) -> dict[str, float]:
    """The words of texts, each with the weight of the weightiest text that has it."""
    found: dict[str, float] = {}
    for text, weight in texts.items():
        for word in words_of(text):
            found[word] = max(found.get(word, 0.0), weight)
    return found


def _leading(weights: Mapping[str, Mapping[str, float]]) -> frozenset[str]:
    """The words of the weightiest texts."""
    top = max((weight for words in weights.values() for weight in words.values()), default=0.0)
    return frozenset(word for words in weights.values() for word, weight in words.items() if weight == top)


def _meant(asked: Iterable[str], known: Iterable[str], leading: frozenset[str]) -> dict[str, float]:
    """The known words that asked ones stand for, each with how alike they are; synonyms only of what does not lead."""
    found: dict[str, float] = {}
    for word in asked:
        same = _nearest(word, known)
        if not any(other in leading for other, _ in same):
            same += [near for name in _SAME_THING.get(word, ()) for near in _nearest(_singular(name), known)]
        for other, alike in same:
            found[other] = max(found.get(other, 0.0), alike)
    return found


def _nearest(word: str, known: Iterable[str]) -> list[tuple[str, float]]:
    """The known words that are spelt most like this one, none if all are too far from it."""
    likely = [(other, _alike(word, other)) for other in known]
    best = max((alike for _, alike in likely), default=0.0)
    return [(other, alike) for other, alike in likely if alike == best > 0]


def _alike(one: str, two: str) -> float:
    if one == two:
        return 1.0
    if abs(len(one) - len(two)) > 2 or min(len(one), len(two)) < 4:
        return 0.0
    ratio = SequenceMatcher(None, one, two, autojunk=False).ratio()
    return ratio if ratio >= _NEAR else 0.0


def metrics_about(question: str, most: int = 6) -> list[Metric]:
    """The metrics that a question's words point to, most likely first; those of a board summary if they point nowhere.

    Words count most in a metric's name, then in its title, then in its description. What has less than a third of
    the points of the best is left out.

    >>> [metric.name for metric in metrics_about("Why did enterprise win rate fall in Q3?", 1)]
    ['win_rate']
    """
    known = metrics()
    scores = likeness(question, {name: {m.description: 0.5, m.title: 2.0, name: 3.0} for name, m in known.items()})
    best = max(scores.values())
    # Of two metrics with the words asked for, the plainer one is meant.
    order = sorted(known, key=lambda name: (-round(scores[name], 6), len(words_of(name)), name))
    found = [known[name] for name in order if scores[name] >= max(_POINTS, best / 3)]
    return found[:most] or [known[name] for name in _USUAL]


_POINTS = 1.0
_USUAL = ("bookings", "open_pipeline", "win_rate", "nrr")
