"""Mail against a real server: once to each, again only while that can help, and never when it may have arrived."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reporting.mail.runs import make_run, recipient
from reporting.mail.servers import DROP, PASSWORD, USER, Certificates, Mailbox, make_certificates, serving
from revops_analysis.reporting.mail.addresses import Person
from revops_analysis.reporting.mail.dispatch import Dispatch, Outcome
from revops_analysis.reporting.mail.message import Mailing
from revops_analysis.reporting.mail.recipients import Recipient
from revops_analysis.reporting.mail.run_folder import read_run
from revops_analysis.reporting.mail.settings import Letter, Server

ANA, BOB, EVA = (recipient(f"{name}@example.com", name) for name in ("ana", "bob", "eva"))
WRONG = "wrong-Secret-17"
BEFORE_CONTENT = ("CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def mailing(tmp_path_factory: pytest.TempPathFactory) -> Mailing:
    letter = Letter(sender=Person("Revenue Operations", "reports@example.com"))
    return Mailing(read_run(make_run(tmp_path_factory.mktemp("reports"))), letter)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


class Post:
    """Sends to a server that is there, and keeps what was said meanwhile."""

    def __init__(self, mailing: Mailing, server: Server, ledger: Path) -> None:
        self.said: list[str] = []
        self.ledger = ledger
        self._dispatch = Dispatch(mailing, server, ledger, self.said.append)

    def send(self, *recipients: Recipient, resend: bool = False) -> list[Outcome]:
        return self._dispatch.send(recipients, resend=resend)

    def states(self, *recipients: Recipient, resend: bool = False) -> list[str]:
        return [one.state for one in self.send(*recipients, resend=resend)]


def _server(port: int, ca_file: Path, **other: object) -> Server:
    usual = {"host": "localhost", "port": port, "ca_file": ca_file, "user": USER, "password": PASSWORD}
    waits = {"timeout_seconds": 20, "first_wait_seconds": 0, "attempts": 3}
    return Server(**{**usual, **waits, **other})  # type: ignore[arg-type]


@pytest.fixture
def post(mailing: Mailing, mailbox: Mailbox, certificates: Certificates, tmp_path: Path) -> Iterator[Post]:
    with serving(mailbox, certificates.good) as port:
        yield Post(mailing, _server(port, certificates.ca_file), tmp_path / "state.sqlite")


def test_each_gets_a_mail_of_their_own_over_one_encrypted_connection(post: Post, mailbox: Mailbox) -> None:
    outcomes = post.send(ANA, BOB)
    assert [(one.address, one.state, one.before, one.note) for one in outcomes] == [
        ("ana@example.com", "sent", False, ""),
        ("bob@example.com", "sent", False, ""),
    ]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]
    assert mailbox.connections == 1
    assert all("STARTTLS" in mailbox.asked and mailbox.asked.index(verb) for verb in ("AUTH", "MAIL"))
    for address, message in mailbox.messages:
        assert message["To"].addresses[0].addr_spec == address
        assert message["Subject"] == "Quarterly report 2026-Q3: Open pipeline USD 6,848,223"


def test_tls_from_the_first_byte(
    mailing: Mailing, mailbox: Mailbox, certificates: Certificates, tmp_path: Path
) -> None:
    with serving(mailbox, certificates.good, implicit=True) as port:
        server = _server(port, certificates.ca_file, security="tls")
        assert Post(mailing, server, tmp_path / "state.sqlite").states(ANA) == ["sent"]
    assert "STARTTLS" not in mailbox.asked


def test_nothing_sent_is_sent_again_unless_asked_for(post: Post, mailbox: Mailbox) -> None:
    post.send(ANA)
    again = post.send(ANA, BOB)
    assert [(one.state, one.before) for one in again] == [("sent", True), ("sent", False)]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]
    assert post.states(ANA, resend=True) == ["sent"]
    assert mailbox.addresses == ["ana@example.com", "ana@example.com", "bob@example.com"]
    ids = {str(message["Message-ID"]) for address, message in mailbox.messages if address == "ana@example.com"}
    assert len(ids) == 1


def test_a_refused_recipient_does_not_stop_the_others(post: Post, mailbox: Mailbox) -> None:
    mailbox.always["RCPT"] = lambda argument: "550 no such user" if "bob@" in argument else None
    outcomes = post.send(ANA, BOB, EVA)
    assert [one.state for one in outcomes] == ["sent", "queued", "sent"]
    assert outcomes[1].note == "the server answered RCPT TO with 550 no such user"
    assert mailbox.asked.count("RCPT") == 3  # what is refused for good is not tried again
    del mailbox.always["RCPT"]
    assert post.states(ANA, BOB, EVA) == ["sent", "sent", "sent"]
    assert len(mailbox.messages) == 3


def test_a_message_refused_for_good_is_not_tried_again(post: Post, mailbox: Mailbox) -> None:
    mailbox.orders["CONTENT"] = ["554 looks like spam"]
    outcomes = post.send(ANA, BOB)
    assert [one.state for one in outcomes] == ["queued", "sent"]
    assert "554 looks like spam" in outcomes[0].note


def test_a_wrong_password_is_said_once_and_shows_nothing(
    mailing: Mailing, mailbox: Mailbox, certificates: Certificates, tmp_path: Path
) -> None:
    with serving(mailbox, certificates.good) as port:
        server = _server(port, certificates.ca_file, password=WRONG)
        post = Post(mailing, server, tmp_path / "state.sqlite")
        outcomes = post.send(ANA, BOB)
    assert [one.state for one in outcomes] == ["queued", "queued"]
    assert all("refused the login: 535" in one.note for one in outcomes)
    assert mailbox.connections == 1
    assert "MAIL" not in mailbox.asked
    assert WRONG not in repr((server, outcomes, post.said)) + (tmp_path / "state.sqlite").read_text("latin-1")


def test_a_server_that_echoes_the_password_is_not_quoted(
    mailing: Mailing, mailbox: Mailbox, certificates: Certificates, tmp_path: Path
) -> None:
    mailbox.always["AUTH"] = lambda argument: f"535 what is {argument} and {PASSWORD}?"
    with serving(mailbox, certificates.good) as port:
        post = Post(mailing, _server(port, certificates.ca_file), tmp_path / "state.sqlite")
        note = post.send(ANA)[0].note
    encoded = "AHJlcG9ydHNAZXhhbXBsZS5jb20AY29ycmVjdCBob3JzZStiYXR0ZXJ5L3N0YXBsZQ=="  # \0user\0password
    assert note.startswith(f"localhost:{port} refused the login: 535 what is")
    assert PASSWORD not in note
    assert encoded not in note
    assert "•••" in note


@pytest.mark.parametrize("kind", ["other_name", "unknown_authority"])
def test_a_bad_certificate_ends_it_before_anything_is_said(
    mailing: Mailing, mailbox: Mailbox, certificates: Certificates, tmp_path: Path, kind: str
) -> None:
    with serving(mailbox, getattr(certificates, kind)) as port:
        post = Post(mailing, _server(port, certificates.ca_file), tmp_path / "state.sqlite")
        outcome = post.send(ANA)[0]
    assert outcome.state == "queued"
    assert "certificate of localhost" in outcome.note
    assert "is not trusted" in outcome.note
    assert not {"AUTH", "MAIL"} & set(mailbox.asked)
    assert mailbox.connections == 1


def test_a_server_without_starttls_gets_no_password(post: Post, mailbox: Mailbox) -> None:
    mailbox.always["STARTTLS"] = "454 no TLS today"
    assert post.states(ANA) == ["queued"]
    mailbox.always["STARTTLS"] = "502 never heard of it"
    outcome = post.send(ANA)[0]
    assert "502 never heard of it" in outcome.note
    assert not {"AUTH", "MAIL"} & set(mailbox.asked)


@pytest.mark.parametrize("verb", BEFORE_CONTENT)
def test_a_server_that_hangs_up_once_is_tried_again(post: Post, mailbox: Mailbox, verb: str) -> None:
    mailbox.orders[verb] = [DROP]
    assert post.states(ANA, BOB) == ["sent", "sent"]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]


@pytest.mark.parametrize("verb", BEFORE_CONTENT)
def test_a_server_that_always_hangs_up_is_given_up(post: Post, mailbox: Mailbox, verb: str) -> None:
    mailbox.always[verb] = DROP
    outcomes = post.send(ANA, BOB)
    assert [one.state for one in outcomes] == ["queued", "queued"]
    assert all(one.note for one in outcomes)
    assert mailbox.connections == 3
    assert mailbox.messages == []


def test_hanging_up_after_the_mail_was_taken_does_not_matter(post: Post, mailbox: Mailbox) -> None:
    mailbox.always["QUIT"] = DROP
    assert post.states(ANA) == ["sent"]


def test_hanging_up_instead_of_an_answer_leaves_it_unknown(post: Post, mailbox: Mailbox) -> None:
    mailbox.orders["CONTENT"] = [DROP]
    outcomes = post.send(ANA, BOB)
    assert [one.state for one in outcomes] == ["unknown", "sent"]
    assert "broke before the server's answer" in outcomes[0].note
    again = post.send(ANA, BOB)
    assert [(one.state, one.before) for one in again] == [("unknown", True), ("sent", True)]
    assert mailbox.addresses == ["bob@example.com"]
    assert post.states(ANA, resend=True) == ["sent"]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]


def test_a_server_that_never_answers_does_not_make_everybody_unknown(post: Post, mailbox: Mailbox) -> None:
    mailbox.always["CONTENT"] = DROP
    states = post.states(*(recipient(f"p{number}@example.com") for number in range(10)))
    assert states.count("unknown") == 3  # as many as there are attempts
    assert states.count("queued") == 7


@pytest.mark.parametrize("verb", ["CONNECT", "MAIL", "RCPT", "DATA", "CONTENT", "AUTH"])
def test_451_is_tried_again(post: Post, mailbox: Mailbox, verb: str) -> None:
    mailbox.orders[verb] = [DROP] if verb == "CONNECT" else ["451 later", "421 busy"]
    assert post.states(ANA, BOB) == ["sent", "sent"]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]


def test_451_for_ever_is_given_up_and_does_not_stop_the_others(post: Post, mailbox: Mailbox) -> None:
    mailbox.always["RCPT"] = lambda argument: "451 greylisted" if "bob@" in argument else None
    outcomes = post.send(ANA, BOB, EVA)
    assert [one.state for one in outcomes] == ["sent", "queued", "sent"]
    assert "451 greylisted" in outcomes[1].note
    assert mailbox.asked.count("RCPT") == 2 + 3  # two good ones, three tries


def test_hanging_up_at_one_name_does_not_stop_the_others(post: Post, mailbox: Mailbox) -> None:
    mailbox.always["RCPT"] = lambda argument: DROP if "ana@" in argument else None
    assert post.states(ANA, BOB, EVA) == ["queued", "sent", "sent"]
    assert mailbox.connections == 3  # Ana's first try, the others and her second, her third


def test_a_server_that_takes_few_mails_a_connection_gets_them_all(post: Post, mailbox: Mailbox) -> None:
    mailbox.always["MAIL"] = lambda _: "421 enough for now" if mailbox.asked.count("MAIL") % 4 == 0 else None
    people = [recipient(f"p{number:02}@example.com") for number in range(12)]
    assert set(post.states(*people)) == {"sent"}
    assert len(mailbox.messages) == 12


def test_nobody_there_is_given_up(mailing: Mailing, certificates: Certificates, tmp_path: Path) -> None:
    with serving(Mailbox(), certificates.good) as port:
        pass
    post = Post(mailing, _server(port, certificates.ca_file), tmp_path / "state.sqlite")
    outcome = post.send(ANA)[0]
    assert (outcome.state, f"localhost:{port}, connecting" in outcome.note) == ("queued", True)
    assert len(post.said) == 2  # two waits between three tries


def test_200_recipients_each_once(
    mailing: Mailing, mailbox: Mailbox, certificates: Certificates, tmp_path: Path
) -> None:
    people = [recipient(f"p{number:03}@example.com", f"Person {number}") for number in range(200)]
    with serving(mailbox, certificates.good) as port:
        post = Post(mailing, _server(port, certificates.ca_file), tmp_path / "state.sqlite")
        assert set(post.states(*people)) == {"sent"}
    assert mailbox.addresses == [one.person.address for one in people]
    assert {str(message["To"]).count("@") for _, message in mailbox.messages} == {1}
    assert len({str(message["Message-ID"]) for _, message in mailbox.messages}) == 200
    assert mailbox.connections == 1


def test_unicode_arrives(post: Post, mailbox: Mailbox) -> None:
    post.send(Recipient(Person("Zoë Ångström 山田", "zoe@bücher.example"), "it was sent to you by name"))
    address, message = mailbox.messages[0]
    assert address == "zoe@xn--bcher-kva.example"
    assert message["To"].addresses[0].display_name == "Zoë Ångström 山田"
    assert "No target was set for Zoë's region." in message.get_body(("plain",)).get_content()
    assert "Zoë's region" in message.get_body(("html",)).get_content()


def test_lines_that_begin_with_a_dot_arrive_whole(mailbox: Mailbox, certificates: Certificates, tmp_path: Path) -> None:
    dots = {"title": "..", "name": "dots", "headline": [], "findings": [], "figures": []}
    folder = make_run(tmp_path / "reports", dots, title=".hidden")
    letter = Letter(sender=Person("", "reports@example.com"), page="none")
    with serving(mailbox, certificates.good) as port:
        server = _server(port, certificates.ca_file)
        Post(Mailing(read_run(folder), letter), server, tmp_path / "state.sqlite").send(ANA)
    assert mailbox.messages[0][1].get_body(("plain",)).get_content().startswith(".hidden\r\n=======\r\n")


def test_two_at_once_send_once(post: Post, mailbox: Mailbox) -> None:
    answers: list[list[str]] = []
    threads = [threading.Thread(target=lambda: answers.append(post.states(ANA, BOB))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [["sent", "sent"], ["sent", "sent"]]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]


_CHILD = """
import sys
from pathlib import Path
from revops_analysis.reporting.mail.addresses import Person
from revops_analysis.reporting.mail.dispatch import Dispatch
from revops_analysis.reporting.mail.message import Mailing
from revops_analysis.reporting.mail.recipients import Recipient
from revops_analysis.reporting.mail.run_folder import read_run
from revops_analysis.reporting.mail.settings import letter_settings, server_settings

run, ledger = sys.argv[1:]
people = [Recipient(Person("", f"{name}@example.com"), "of a test") for name in ("ana", "bob")]
Dispatch(Mailing(read_run(Path(run)), letter_settings()), server_settings(), Path(ledger), print).send(people)
"""


@contextmanager
def _child(mailing: Mailing, port: int, certificates: Certificates, ledger: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        "REVOPS_SMTP_HOST": "localhost",
        "REVOPS_SMTP_PORT": str(port),
        "REVOPS_SMTP_CA_FILE": str(certificates.ca_file),
        "REVOPS_SMTP_USER": USER,
        "REVOPS_SMTP_PASSWORD": PASSWORD,
        "REVOPS_MAIL_SENDER": "reports@example.com",
    }
    command = [sys.executable, "-c", _CHILD, str(mailing.run.folder), str(ledger)]
    with subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        yield child


class Crash:
    """Another process that sends to Ana and Bob, and is killed when the server comes to a verb of the first mail."""

    def __init__(self, mailing: Mailing, certificates: Certificates, ledger: Path) -> None:
        self._mailing, self._certificates, self._ledger = mailing, certificates, ledger

    def at(self, verb: str, mailbox: Mailbox) -> list[Outcome]:
        """What sending again says afterwards."""
        children: list[subprocess.Popen[str]] = []
        mailbox.orders[verb] = [lambda _: children[0].send_signal(signal.SIGKILL)]
        with serving(mailbox, self._certificates.good) as port:
            with _child(self._mailing, port, self._certificates, self._ledger) as child:
                children.append(child)
                _, complaints = child.communicate(timeout=120)
            assert child.returncode == -signal.SIGKILL, complaints
            assert mailbox.addresses in ([], ["ana@example.com"])
            server = _server(port, self._certificates.ca_file)
            return Post(self._mailing, server, self._ledger).send(ANA, BOB)


@pytest.fixture
def crash(mailing: Mailing, certificates: Certificates, tmp_path: Path) -> Crash:
    return Crash(mailing, certificates, tmp_path / "state.sqlite")


def test_a_crash_before_the_content_is_sent_later(crash: Crash, mailbox: Mailbox) -> None:
    outcomes = crash.at("DATA", mailbox)
    assert [(one.state, one.before) for one in outcomes] == [("sent", False), ("sent", False)]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]


def test_a_crash_between_content_and_answer_is_unknown_and_not_sent_again(crash: Crash, mailbox: Mailbox) -> None:
    outcomes = crash.at("CONTENT", mailbox)
    assert [(one.state, one.before) for one in outcomes] == [("unknown", True), ("sent", False)]
    assert "ended before the server's answer" in outcomes[0].note
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]  # the server had taken the first in full
