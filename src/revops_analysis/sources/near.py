"""Suggestions for a misspelt name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 40


def near(word: str, words: Iterable[str]) -> str:
    """Return `; did you mean …?` with the closest of `words`, or the words themselves when none is close.

    >>> near("acounts", ["accounts", "users"])
    '; did you mean accounts?'
    >>> near("x", ["accounts", "users"])
    '; there are accounts, users'
    """
    known = list(words)
    lower = {name.lower(): name for name in known}
    close = [lower[match] for match in get_close_matches(word.lower(), lower, n=3, cutoff=0.6)]
    if close:
        return f"; did you mean {' or '.join(close)}?"
    shown = ", ".join(known[:_SHOWN]) + (" …" if len(known) > _SHOWN else "")
    return f"; there are {shown}" if known else "; there are none"
