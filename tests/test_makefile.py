"""The Makefile is the first thing a newcomer meets: every target says what it does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

TARGET = re.compile(r"^([a-z][\w-]*):(?!=)(.*)$", re.MULTILINE)


def _targets(root: Path) -> dict[str, str]:
    return dict(TARGET.findall((root / "Makefile").read_text(encoding="utf-8")))


def test_every_target_has_a_description(project_root: Path) -> None:
    missing = [name for name, rest in _targets(project_root).items() if "##" not in rest]
    assert not missing, f"targets without a ## line: {missing}"


def test_every_target_is_phony(project_root: Path) -> None:
    text = (project_root / "Makefile").read_text(encoding="utf-8")
    phony = set(" ".join(re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)).split())
    assert set(_targets(project_root)) == phony


def test_help_prints_every_target(project_root: Path) -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=project_root, capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[1] for line in printed.splitlines()} == set(_targets(project_root))


def test_as_of_has_a_default_for_the_sample_only(project_root: Path) -> None:
    run = subprocess.run(
        ["make", "--no-print-directory", "-n", "quarterly-report", "SOURCE=acme"],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 'test -n ""' in run.stdout
    sample = subprocess.run(
        ["make", "--no-print-directory", "-n", "quarterly-report"],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--as-of 2026-09-30" in sample.stdout


def test_the_lock_names_no_registry(project_root: Path) -> None:
    lock = (project_root / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", lock)
