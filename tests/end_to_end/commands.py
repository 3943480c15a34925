"""Running the command as its entry point does, in a project of its own; libraries are imported once for all runs."""

from __future__ import annotations

import contextlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from revops_analysis.cli import main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    code: int
    stdout: str
    stderr: str


def copy_project(root: Path) -> None:
    """Copy what a run depends on, so that warehouse and reports of the checkout are not touched."""
    for name in ("params", "notebooks", "expectations"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copy(ROOT / "requirements.lock", root)


def company_of(root: Path, scale: float) -> Path:
    """Copy the project to `root`, with a sample company of a scale; it is made on first use."""
    copy_project(root)
    profile = root / "params" / "sources" / "sample.yml"
    profile.write_text(profile.read_text().replace("scale: 1\n", f"scale: {scale:g}\n"))
    return root


def revops(root: Path, *arguments: str, **environment: str) -> Answer:
    """Run `revops` in the project at `root`."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.delenv("REVOPS_DEBUG", raising=False)
        for name, value in {"REVOPS_HOME": str(root), **environment}.items():
            patch.setenv(name, value)
        patch.setattr("sys.argv", ["revops", *arguments])
        try:
            main()
        except SystemExit as ending:
            code = ending.code or 0
    return Answer(int(str(code)), out.getvalue(), err.getvalue())
