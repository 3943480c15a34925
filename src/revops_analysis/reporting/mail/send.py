"""Sending a run, from folder to answer: what the command and the schedule call."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from revops_analysis.errors import ConfigurationError, DeliveryError
from revops_analysis.project import Project
from revops_analysis.reporting.mail.cuts import Share, shares_of
from revops_analysis.reporting.mail.dispatch import Dispatch, Outcome
from revops_analysis.reporting.mail.message import Mailing, as_bytes
from revops_analysis.reporting.mail.recipients import choose
from revops_analysis.reporting.mail.run_folder import read_run
from revops_analysis.reporting.mail.settings import Letter, Server, letter_settings, server_settings
from revops_analysis.reporting.preparation import Watcher

EXAMPLE_SENDER = "Revenue Operations <reports@example.com>"
"""Who a dry run is from when the environment names no sender."""

_UNSAFE = re.compile(r"[^A-Za-z0-9@._+-]+")


@dataclass(frozen=True)
class MailRequest:
    """Which run goes to whom: addresses, lists of `params/recipients.yml`, or with neither the environment's."""

    folder: Path
    to: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


def send_run(request: MailRequest, project: Project, watcher: Watcher, *, resend: bool = False) -> list[Outcome]:
    """Send a run to everybody chosen who has not got it, and return what became of each, by address.

    Who may see a part only gets a run of that part, rendered if need be; where that fails, its readers get nothing and
    their outcome says why. Raises ConfigurationError, before anything is sent, for a run that may not be sent, wrong
    settings or recipients.
    """
    server, letter = server_settings(), letter_settings()
    outcomes: list[Outcome] = []
    for share in _shares(request, project, letter, watcher):
        outcomes += _sent(share, (server, letter), project, watcher, resend=resend)
    return sorted(outcomes, key=lambda one: one.address.casefold())


def _sent(
    share: Share, settings: tuple[Server, Letter], project: Project, watcher: Watcher, *, resend: bool
) -> list[Outcome]:
    server, letter = settings
    if share.run is None:
        note = " ".join(str(share.problem).split())
        return [Outcome(one.person.address, "queued", before=False, note=note) for one in share.recipients]
    return Dispatch(Mailing(share.run, letter), server, project.state_file, watcher.say).send(
        share.recipients, resend=resend
    )


def write_messages(request: MailRequest, project: Project, folder: Path, watcher: Watcher) -> list[Path]:
    """Write what would be sent as `.eml` files into `folder`, one a recipient; the ledger is not asked nor told.

    Without a sender in the environment they are from `EXAMPLE_SENDER`. Raises ConfigurationError as `send_run` does,
    and whatever keeps somebody's part from being made.
    """
    letter = letter_settings(EXAMPLE_SENDER)
    shares = _shares(request, project, letter, watcher)
    moment = dt.datetime.now(dt.UTC).replace(microsecond=0)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for share in shares:
        if share.run is None:
            raise share.problem or ConfigurationError("The run cannot be sent.")
        mailing = Mailing(share.run, letter)
        for one in share.recipients:
            path = folder / f"{_UNSAFE.sub('-', f'{mailing.run.place} {one.person.address}')}.eml"
            path.write_bytes(as_bytes(mailing.to(one, moment)))
            written.append(path)
    return written


def require_delivered(outcomes: Sequence[Outcome]) -> None:
    """Raise DeliveryError if somebody has not got the report, or if nobody knows."""
    missing = [one for one in outcomes if not one.is_delivered]
    if not missing:
        return
    unknown = [one.address for one in missing if one.state == "unknown"]
    fix = "send again when the cause is gone: whoever has the report gets no second one"
    if unknown:
        fix = f"ask {', '.join(unknown[:3])} whether it arrived; if not: the same command with --to ADDRESS --resend"
    raise DeliveryError(
        f"{len(missing)} of {len(outcomes)} mails {'was' if len(missing) == 1 else 'were'} not delivered for certain.",
        found="; ".join(f"{one.address}: {one.note}" for one in missing[:3]) + (" …" if len(missing) > 3 else ""),
        fix=fix,
    )


def _shares(request: MailRequest, project: Project, letter: Letter, watcher: Watcher) -> list[Share]:
    run = read_run(request.folder)
    to, lists = request.to, request.lists
    if not to and not lists:
        to = tuple(name for name in letter.recipients if "@" in name)
        lists = tuple(name for name in letter.recipients if "@" not in name)
    return shares_of(run, choose(project, to, lists), project, watcher)
