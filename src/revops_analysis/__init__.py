"""Revenue-operations analytics: one definition a number, as of a stated date, from data that passed its checks.

>>> from revops_analysis import open_workspace
>>> open_workspace.__module__
'revops_analysis.workspace'
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from revops_analysis.workspace import Workspace, open_workspace

__version__ = "0.1.0"
__all__ = ["Workspace", "__version__", "open_workspace"]

_LAZY = ("Workspace", "open_workspace")


def __getattr__(name: str) -> Any:
    """Import the workspace, and with it the engine, only when it is asked for: importing the package stays cheap."""
    if name in _LAZY:
        _show_richly()
        return getattr(importlib.import_module("revops_analysis.workspace"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _show_richly() -> None:
    """In a notebook, let results show themselves as tables with units; a script or a command does without."""
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        importlib.import_module("revops_analysis.reporting.display").activate()


def __dir__() -> list[str]:
    return sorted(__all__)
