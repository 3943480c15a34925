"""Errors a user can act on: what happened, what was expected, what was found, where, and the repair."""

from __future__ import annotations

import os
import traceback


class RevopsError(Exception):
    """Base of every error this package raises on purpose.

    The message reads as one sentence, followed by the parts that are known, a line each. `exit_code` is what the
    `revops` command ends with.

    >>> print(ConfigurationError("Unknown stage.", found="Won!", where="deals.csv row 7", fix="map it to Closed Won"))
    Unknown stage.
      found: Won!
      where: deals.csv row 7
      fix: map it to Closed Won
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        where: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what = what
        self.expected = expected
        self.found = found
        self.where = where
        self.fix = fix
        super().__init__(self._render())

    def _render(self) -> str:
        parts = {"expected": self.expected, "found": self.found, "where": self.where, "fix": self.fix}
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in parts.items() if text)])

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows, by IPython's convention: the message alone, as it names what to change.

        REVOPS_DEBUG=1 shows where it was raised, as it does for the command.
        """
        if os.environ.get("REVOPS_DEBUG") == "1":
            return "".join(traceback.format_exception(self)).splitlines()
        first, *rest = str(self).splitlines()
        return [f"\x1b[31m{type(self).__name__}\x1b[0m: {first}", *rest]

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the trip back from a worker process, which a keyword-only signature would not."""
        return (_rebuild, (type(self), self.what, self.expected, self.found, self.where, self.fix))


def _rebuild(kind: type[RevopsError], what: str, *parts: str | None) -> RevopsError:
    expected, found, where, fix = parts
    return kind(what, expected=expected, found=found, where=where, fix=fix)


class ConfigurationError(RevopsError):
    """Wrong use or wrong configuration: a parameter, a definition, a profile, a command (exit code 2)."""


class UnknownNameError(ConfigurationError, AttributeError):
    """An attribute that a menu does not have, such as a metric: what the language expects to be raised for one."""


class UnreachableError(ConfigurationError):
    """Something beyond a network could not be reached: another try may succeed (exit code 2)."""


class DataRefusedError(RevopsError):
    """The data did not pass its checks (exit code 3)."""

    exit_code = 3


class ChapterFailedError(RevopsError):
    """A chapter of a report could not be computed (exit code 4)."""

    exit_code = 4


class DeliveryError(RevopsError):
    """A finished report could not be delivered (exit code 5)."""

    exit_code = 5
