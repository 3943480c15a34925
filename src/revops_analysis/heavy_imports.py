"""Importing large libraries in less time: nothing is collected meanwhile, and what nobody here uses stays out."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = ("rfc3987_syntax",)
"""Optional libraries of libraries. `rfc3987_syntax` compiles a grammar for a second when it is imported, with which
`jsonschema` would check the format of international web addresses; it does without where it is not installed."""


@contextmanager
def heavy_imports() -> Iterator[None]:
    """While open, import as if the libraries of `UNUSED` were not installed, and let garbage lie.

    Modules are made of many small objects that live as long as the process: looking for garbage among them takes a
    tenth of the time of importing them. Afterwards everything can be imported and is collected as before.

    >>> with heavy_imports():
    ...     import decimal
    """
    hidden = [name for name in UNUSED if name not in sys.modules]
    collects = gc.isenabled()
    gc.disable()
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is how Python marks what cannot be had
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if collects:
            gc.enable()


MADE_BEFORE_LOOKING = 50_000
"""A query is thousands of small objects while it is written down; by default garbage is looked for after every 700."""


def keep_for_good() -> None:
    """Never look for garbage among the objects that there are now: for a process that has just imported its modules.

    With several hundred thousand of them, looking would take a tenth of the time of all that follows. Among the objects
    made afterwards it is looked for less often than by default, which is a tenth more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(MADE_BEFORE_LOOKING, 20, 100)
