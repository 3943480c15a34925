"""The entry for a scheduler that is there already: it calls `revops schedule run`, which knows what is due.

One entry that comes every few minutes does for all reports. The scheduler need not know zones, nor what was missed.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from revops_analysis.project import Project

EVERY_MINUTES = 5
_MOMENT = "+%Y-%m-%dT%H:%M:%SZ"


def cron_entry(project: Project) -> str:
    """A line for `crontab -e`: every five minutes, heard of only when something is done or wrong.

    In a crontab `%` is a line end unless it is escaped.
    """
    command = f'{_command()} schedule run --at "$(date -u {_MOMENT})"'.replace("%", r"\%")
    root = shlex.quote(str(project.root)).replace("%", r"\%")
    return f"*/{EVERY_MINUTES} * * * * cd {root} && REVOPS_HOME={root} {command} > /dev/null\n"


def systemd_units(project: Project) -> str:
    """A service unit that stays (`revops schedule service`), to be written to a file of the name it begins with."""
    return f"""# /etc/systemd/system/revops-schedule.service; then: systemctl enable --now revops-schedule
[Unit]
Description=Reports of revops-analysis, as params/schedule.yml says
Wants=network-online.target
After=network-online.target

[Service]
WorkingDirectory={_unit_path(project.root)}
Environment={_unit_quoted(f"REVOPS_HOME={project.root}")}
# The mail settings, readable by their owner alone (chmod 600), see docs/email.md:
# Environment=REVOPS_SECRETS_FILE=/etc/revops/secrets.env
ExecStart={_unit_quoted(str(_program())).replace("$", "$$")} schedule service
Restart=on-failure
KillMode=mixed
TimeoutStopSec=15min

[Install]
WantedBy=multi-user.target
"""


def _program() -> Path:
    """The `revops` beside the Python that runs now."""
    return Path(sys.executable).with_name("revops")


def _command() -> str:
    return shlex.quote(str(_program()))


def _unit_path(path: Path) -> str:
    """A path in a unit file: `%` begins a specifier there."""
    return str(path).replace("%", "%%")


def _unit_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
