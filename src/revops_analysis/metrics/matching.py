"""Which metrics a question is about: plain matching of its words, near spellings included. No language model."""

from __future__ import annotations

import re
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
    "churn": ("retention", "nrr", "grr", "logo"),
    "net": ("nrr",),
    "gross": ("grr",),
    "closed": ("won", "lost"),
    "closing": ("won", "cycle"),
    "conversion": ("converted", "win"),
    "size": ("amount", "deal"),
    "slow": ("days", "duration", "stalled"),
    "fast": ("days", "velocity"),
    "answered": ("unanswered", "response", "slow"),
    "forecast": ("expected", "coverage", "target"),
    "marketing": ("lead", "source", "programme"),
    "revenue": ("mrr", "arr", "bookings"),
    "sourced": ("source", "sourcing", "disputed", "pipeline"),
    "customers": ("retention", "paying"),
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


def asked_words(question: str) -> frozenset[str]:
    """The words of a question, and what else their things are called."""
    own = words_of(question)
    others = {_singular(other) for word, names in _SAME_THING.items() if _singular(word) in own for other in names}
    return own | others


def likeness(asked: Iterable[str], texts: Mapping[str, float]) -> float:
    """How much texts have to do with the asked words: each word counts by the weightiest text it occurs in.

    `texts` are texts with their weights. A word that is spelt nearly the same counts a little less.

    >>> likeness({"pipline"}, {"open pipeline": 3.0, "pipeline": 1.0}) > 2
    True
    """
    weighed: dict[str, float] = {}
    for text, weight in texts.items():
        for word in words_of(text):
            weighed[word] = max(weighed.get(word, 0.0), weight)
    return sum(max((_alike(word, other) * weight for other, weight in weighed.items()), default=0.0) for word in asked)


def _alike(one: str, two: str) -> float:
    if one == two:
        return 1.0
    if abs(len(one) - len(two)) > 2 or min(len(one), len(two)) < 4:
        return 0.0
    ratio = SequenceMatcher(None, one, two, autojunk=False).ratio()
    return ratio if ratio >= _NEAR else 0.0


def metrics_about(question: str, most: int = 6) -> list[Metric]:
    """The metrics that a question's words point to, most likely first; those of a board summary if they point nowhere.

    Words count most in a metric's name, then in its title, then in its description.

    >>> [metric.name for metric in metrics_about("Why did enterprise win rate fall in Q3?", 1)]
    ['win_rate']
    """
    asked = asked_words(question)
    scored = []
    for metric in metrics().values():
        texts = {metric.description: 0.5, metric.title: 2.0, metric.name: 3.0}
        score = likeness(asked, texts)
        # Of two metrics with the words asked for, the plainer one is meant.
        scored.append((-round(score, 6), len(words_of(metric.name)), metric.name, metric))
    best = [metric for score, _, _, metric in sorted(scored, key=lambda item: item[:3]) if score <= -_POINTS]
    return best[:most] or [metrics()[name] for name in _USUAL]


_POINTS = 1.0
_USUAL = ("bookings", "open_pipeline", "win_rate", "nrr")
