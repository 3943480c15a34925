"""Which run a command is about: named outright, or the newest of a report."""

from __future__ import annotations

from pathlib import Path


def run_folder(run: Path | None, latest: str, source: str, reports: Path) -> Path:
    """The run's folder, by itself or a page in it, or the newest run of a report.

    Raises ConfigurationError unless it is said in exactly one of these ways.
    """
    from revops_analysis.errors import ConfigurationError
    from revops_analysis.reporting.mail.run_folder import latest_run

    if (run is None) == (not latest) or bool(latest) != bool(source):
        raise ConfigurationError("Say which run.", expected="its folder, or --latest REPORT --source SOURCE, not both")
    if run is None:
        return latest_run(reports, latest, source)
    return run.parent if run.suffix == ".html" else run
