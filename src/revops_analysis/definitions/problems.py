"""How a validator says what is wrong: each problem with its place inside the value and its repair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic_core import PydanticCustomError


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a definitions file. `at` is the path below the value that was checked."""

    what: str
    fix: str
    at: tuple[str | int, ...] = ()


def refuse(problems: Sequence[Problem]) -> None:
    """Raise what pydantic collects, carrying every problem; nothing when there is none."""
    if problems:
        text = "; ".join(problem.what for problem in problems).replace("{", "(").replace("}", ")")
        raise PydanticCustomError("definitions", text, {"problems": tuple(problems)})


def repeated(names: Sequence[str], kind: str) -> list[Problem]:
    """Return a problem for each name that stands twice, ignoring case and outer spaces."""
    counts = Counter(name.strip().casefold() for name in names)
    seen: set[str] = set()
    problems = []
    for position, name in enumerate(names):
        key = name.strip().casefold()
        if counts[key] > 1 and key in seen:
            problems.append(
                Problem(f"{kind} {name!r} is named twice", "give it another name or remove it", (position,))
            )
        seen.add(key)
    return problems


def nearest(name: str, allowed: Sequence[str]) -> str:
    """Return advice for an unknown name: the nearest allowed one, or all of them.

    >>> nearest("Smb", ["SMB", "Enterprise"])
    'write SMB'
    """
    folded = {item.casefold(): item for item in allowed}
    close = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"write {folded[close[0]]}" if close else f"write one of: {', '.join(allowed)}"
