"""Figures as files that are the same bytes on every run."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PNG_DOTS_PER_INCH = 144


def as_svg(figure: Figure) -> str:
    """The figure as SVG text without date or random ids; texts are outlines, so no font of the reader matters."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "revops-analysis", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    return buffer.getvalue()


def as_png(figure: Figure) -> bytes:
    """The figure as PNG bytes without software or date stamps, for mails and slides."""
    buffer = io.BytesIO()
    metadata: dict[str, str | None] = {"Software": None}
    figure.savefig(buffer, format="png", dpi=PNG_DOTS_PER_INCH, metadata=metadata, bbox_inches="tight")
    return buffer.getvalue()


def close(figure: Figure) -> None:
    """Let pyplot forget the figure, where it knows it, so that a notebook does not show it a second time."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)
