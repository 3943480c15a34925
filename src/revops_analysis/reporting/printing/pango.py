"""Whether a PDF can be made here: WeasyPrint needs Pango, which belongs to the system and not to our packages."""

from __future__ import annotations

import contextlib
import io

INSTALL = (
    "install Pango: `apt install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0` (Debian, Ubuntu), "
    "`dnf install pango` (Fedora), `brew install pango` (macOS)"
)
"""What to do where it is missing, by system."""

_PACKAGES_OF_OURS = "run `make setup`, which installs weasyprint"


def why_no_pdf() -> str:
    """Return why no PDF can be made on this machine, with the package to install; empty where one can be.

    Loads WeasyPrint, and with it Pango, which takes about half a second.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints advice of its own among our results
            import weasyprint  # noqa: F401 - loading it is the question
    except ImportError as problem:
        return f"WeasyPrint cannot be imported ({_first_line(problem)}): {_PACKAGES_OF_OURS}"
    except OSError as problem:
        return f"a library of the system is missing ({_first_line(problem)}): {INSTALL}"
    return ""


def _first_line(problem: Exception) -> str:
    """What went wrong in one line, without the advice that the loader adds."""
    return str(problem).strip().split("\n", maxsplit=1)[0].split(".  Additionally")[0].rstrip(".")
