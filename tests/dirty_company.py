"""The same small company twice: with much dirt, and with none, so that what is right is known."""

from __future__ import annotations

from pathlib import Path

from end_to_end.commands import company_of
from revops_analysis import open_workspace
from revops_analysis.workspace import Workspace

AS_OF = "2026-09-30"


def soiled(root: Path, dirt: float, scale: float = 0.2, seed: int = 0) -> Workspace:
    """A workspace on the sample company with this much dirt, in a project of its own below `root`."""
    home = company_of(root / f"dirt_{dirt:g}_{seed}", scale)
    profile = home / "params" / "sources" / "sample.yml"
    text = profile.read_text().replace("dirt: 1.0\n", f"dirt: {dirt:g}\n").replace("seed: 0\n", f"seed: {seed}\n")
    profile.write_text(text)
    return open_workspace("sample", as_of=AS_OF, project=home)
