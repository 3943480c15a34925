"""`revops email` from end to end: a run's folder, settings in the environment, a real server, and an exit code."""

from __future__ import annotations

import email
import email.policy
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from end_to_end.commands import revops
from reporting.mail.runs import make_home, make_run
from reporting.mail.servers import PASSWORD, USER, Certificates, Mailbox, make_certificates, serving

RECIPIENTS = """
recipients:
  - {name: Ana, address: ana@example.com, lists: [board]}
  - {name: Bob, address: bob@example.com, lists: [board]}
  - {name: Head of EMEA, address: emea@example.com, lists: [regions], cut: {region: EMEA}}
"""
Email = Callable[..., tuple[int, str, str]]
LATEST = ("--latest", "quarterly", "--source", "sample")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("REVOPS_")]:
        monkeypatch.delenv(name)
    project = make_home(tmp_path / "home", RECIPIENTS)
    make_run(project.reports)
    monkeypatch.setenv("REVOPS_HOME", str(project.root))
    return project.root


@pytest.fixture
def send(home: Path) -> Email:
    def run(*arguments: str) -> tuple[int, str, str]:
        answer = revops(home, "email", *arguments)
        return answer.code, answer.stdout, answer.stderr

    return run


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def server(home: Path, mailbox: Mailbox, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with serving(mailbox, certificates.good) as port:
        settings = {
            "REVOPS_SMTP_HOST": "localhost",
            "REVOPS_SMTP_PORT": str(port),
            "REVOPS_SMTP_CA_FILE": str(certificates.ca_file),
            "REVOPS_SMTP_USER": USER,
            "REVOPS_SMTP_PASSWORD": PASSWORD,
            "REVOPS_SMTP_FIRST_WAIT_SECONDS": "0",
            "REVOPS_MAIL_SENDER": "Revenue Operations <reports@example.com>",
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield


def test_a_list_gets_the_newest_run_once(send: Email, server: None, mailbox: Mailbox) -> None:
    code, out, _ = send(*LATEST, "--list", "board")
    assert code == 0
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]
    assert all(word in out for word in ("ana@example.com", "bob@example.com", "sent"))
    code, out, _ = send(*LATEST, "--list", "board", "--to", "Eva <eva@example.com>")
    assert code == 0
    assert mailbox.addresses == ["ana@example.com", "bob@example.com", "eva@example.com"]
    assert out.count("sent before") == 2


def test_a_folder_or_its_first_page_and_recipients_of_the_environment(
    send: Email, server: None, mailbox: Mailbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVOPS_MAIL_RECIPIENTS", "board, eva@example.com")
    folder = home / "reports" / "sample" / "quarterly" / "2026-09-30" / "2026-Q3" / "10e070f6"
    assert send(str(folder / "index.html"))[0] == 0
    assert send(str(folder))[0] == 0
    assert mailbox.addresses == ["ana@example.com", "bob@example.com", "eva@example.com"]


def test_what_was_not_delivered_is_exit_code_5(send: Email, server: None, mailbox: Mailbox) -> None:
    mailbox.always["RCPT"] = lambda argument: "550 no such user" if "bob@" in argument else None
    code, out, err = send(*LATEST, "--list", "board")
    assert code == 5
    assert "1 of 2 mails was not delivered" in err
    assert "550 no such user" in err
    assert "550 no such user" in out


def test_unknown_is_reported_and_resent_only_on_demand(send: Email, server: None, mailbox: Mailbox) -> None:
    mailbox.orders["CONTENT"] = ["DROP"]
    assert send(*LATEST, "--to", "ana@example.com")[0] == 5
    code, out, err = send(*LATEST, "--to", "ana@example.com")
    assert (code, mailbox.messages) == (5, [])
    assert "unknown before" in out
    assert "ask ana@example.com whether it arrived; if not: the same command with --to ADDRESS --resend" in err
    assert send(*LATEST, "--to", "ana@example.com", "--resend")[0] == 0
    assert mailbox.addresses == ["ana@example.com"]


def test_a_dry_run_writes_and_sends_nothing(send: Email, home: Path) -> None:
    code, out, _ = send(*LATEST, "--list", "board", "--dry-run")
    assert code == 0
    paths = [Path(line) for line in out.splitlines()]
    assert [path.name for path in paths] == [
        f"sample-quarterly-2026-09-30-2026-Q3-10e070f6-{name}@example.com.eml" for name in ("ana", "bob")
    ]
    message = email.message_from_bytes(paths[0].read_bytes(), policy=email.policy.default)
    assert (message["To"], message["From"]) == ("Ana <ana@example.com>", "Revenue Operations <reports@example.com>")
    assert not (home / "warehouse").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Say which run"),
        (("--latest", "quarterly"), "Say which run"),
        (("somewhere", *LATEST), "Say which run"),
        (("somewhere", "--to", "a@example.com"), "no rendered run"),
        (("--latest", "monthly", "--source", "sample", "--to", "a@example.com"), "revops report monthly"),
        (LATEST, "Nobody was named"),
        ((*LATEST, "--to", "nobody"), "not a mail address"),
    ],
)
def test_wrong_use_is_exit_code_2_and_sends_nothing(
    send: Email, server: None, mailbox: Mailbox, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = send(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert mailbox.connections <= 0  # the look of the controller itself may still be on its way


def test_who_may_see_a_part_that_cannot_be_made_gets_nothing_and_the_others_theirs(
    send: Email, server: None, mailbox: Mailbox
) -> None:
    code, out, err = send(*LATEST, "--list", "board", "--to", "emea@example.com")
    assert code == 5
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]
    assert "There is no such report" in out + err  # this run was made by hand, and nothing can render it again
    code, _, err = send(*LATEST, "--list", "regions", "--dry-run")
    assert (code, "There is no such report" in err) == (2, True)


def test_without_a_server_nothing_is_sent(send: Email) -> None:
    code, _, err = send(*LATEST, "--list", "board")
    assert code == 2
    assert "REVOPS_SMTP_HOST is not set" in err


def test_the_password_is_nowhere(server: None, mailbox: Mailbox, home: Path) -> None:
    """All that the command prints, logs and leaves on the disk, when all goes well, when not, and with a traceback."""
    mailbox.always["AUTH"] = lambda argument: f"535 not with {argument} or {PASSWORD}"
    mailbox.orders["AUTH"] = [None]
    asked = ("email", *LATEST, "--to", "eva@example.com")
    answers = [revops(home, "email", *LATEST, "--list", "board"), revops(home, *asked)]
    assert [answer.code for answer in answers] == [0, 5]
    command = [sys.executable, "-c", "from revops_analysis.cli import main; main()", *asked]
    debugged = subprocess.run(command, env={**os.environ, "REVOPS_DEBUG": "1"}, capture_output=True, check=False)
    assert debugged.returncode == 1
    assert b"Traceback" in debugged.stderr
    left = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    said = "".join(answer.stdout + answer.stderr for answer in answers).encode() + debugged.stdout + debugged.stderr
    for secret in (
        PASSWORD,
        "Y29ycmVjdCBob3JzZStiYXR0ZXJ5L3N0YXBsZQ==",
        "AHJlcG9ydHNAZXhhbXBsZS5jb20AY29ycmVjdCBob3JzZS",
    ):
        assert secret.encode() not in left + said
    assert "•••".encode() in said
