"""The entries for other schedulers: read by those, or by the shell that they call."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from revops_analysis.project import Project
from revops_analysis.reporting.schedule.export import cron_entry, systemd_units


def test_the_cron_line_calls_run_with_the_moment_in_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is given to a shell as cron gives it: up to the first bare %, with the escapes taken away."""
    root = tmp_path / "100% of it's here"
    (root / ".venv" / "bin").mkdir(parents=True)
    program = root / ".venv" / "bin" / "revops"
    program.write_text('#!/bin/sh\nprintf "%s|" "$PWD" "$REVOPS_HOME" "$@" >&2\n')
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program.with_name("python")))
    line = cron_entry(Project(root))
    fields, command = line.split(" ", 5)[:5], line.split(" ", 5)[5]
    assert fields == ["*/5", "*", "*", "*", "*"]
    assert "%" not in command.replace(r"\%", "")
    answer = subprocess.run(["sh", "-c", command.replace(r"\%", "%")], capture_output=True, text=True, check=True)
    where, home, *arguments = answer.stderr.split("|")
    assert (where, home) == (str(root), str(root))
    assert arguments[:3] == ["schedule", "run", "--at"]
    assert arguments[3].endswith("Z")
    assert len(arguments[3]) == len("2026-10-01T11:00:00Z")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_reads_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "100% here"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "revops").write_text("#!/bin/sh\n")
    (root / "bin" / "revops").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(root / "bin" / "python"))
    unit = tmp_path / "revops-schedule.service"
    unit.write_text(systemd_units(Project(root)))
    answer = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    about = [line for line in answer.stderr.splitlines() if "revops-schedule" in line]
    assert about == []
