from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.mail.addresses import Person
from revops_analysis.reporting.mail.settings import letter_settings, server_settings

HUNTER = "hunter2"
PASSWORD = f"{HUNTER}=Sesam"
NOT_ASCII = f"{HUNTER}-Sesam-öffne"


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    import os

    for name in [name for name in os.environ if name.startswith(("REVOPS_SMTP_", "REVOPS_MAIL_", "REVOPS_SECRETS"))]:
        monkeypatch.delenv(name)
    return monkeypatch


def _set(env: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        env.setenv(f"REVOPS_{name.upper()}", value)


def test_the_usual_settings_are_the_safe_ones(env: pytest.MonkeyPatch) -> None:
    _set(env, smtp_host="mail.example.com")
    server = server_settings()
    assert (server.security, server.port_used, server.user) == ("starttls", 587, "")
    _set(env, smtp_security="tls")
    assert server_settings().port_used == 465
    _set(env, mail_sender="RevOps <revops@example.com>", mail_recipients="board, ana@example.com ,")
    letter = letter_settings()
    assert letter.sender == Person("RevOps", "revops@example.com")
    assert (letter.recipients, letter.page, letter.reply_to) == (("board", "ana@example.com"), "zip", None)


def test_a_secrets_file_and_the_environment_before_it(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "mail.env"
    path.write_text(f"REVOPS_SMTP_HOST=a.example.com\nREVOPS_SMTP_USER=u\nREVOPS_SMTP_PASSWORD='{PASSWORD}$X${{Y}}'\n")
    path.chmod(0o600)
    _set(env, secrets_file=str(path))
    assert server_settings().password.get_secret_value() == f"{PASSWORD}$X${{Y}}"
    assert server_settings().host == "a.example.com"
    _set(env, smtp_host="b.example.com")
    assert server_settings().host == "b.example.com"


def test_a_secrets_file_that_others_can_read_or_that_is_not_there(env: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "mail.env"
    _set(env, secrets_file=str(path))
    with pytest.raises(ConfigurationError, match="not there"):
        server_settings()
    path.write_text("REVOPS_SMTP_HOST=a.example.com\n")
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        server_settings()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "REVOPS_SMTP_HOST is not set"),
        ({"smtp_host": "h", "smtp_pasword": PASSWORD}, "REVOPS_SMTP_PASWORD; did you mean REVOPS_SMTP_PASSWORD"),
        ({"smtp_host": "h", "smtp_security": "ssl"}, "REVOPS_SMTP_SECURITY"),
        ({"smtp_host": "h", "smtp_port": PASSWORD}, "REVOPS_SMTP_PORT"),
        ({"smtp_host": "mail.example.com", "smtp_security": "none"}, "readable by everybody"),
        ({"smtp_host": "h", "smtp_password": PASSWORD}, "go together"),
        ({"smtp_host": "h", "smtp_user": "u"}, "go together"),
        ({"smtp_host": "h", "smtp_user": "u", "smtp_password": NOT_ASCII}, "must be ASCII"),
    ],
)
def test_wrong_server_settings_name_the_variable_and_no_value(
    env: pytest.MonkeyPatch, values: dict[str, str], words: str
) -> None:
    _set(env, **values)
    with pytest.raises(ConfigurationError, match=words) as raised:
        server_settings()
    told = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert HUNTER not in told


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "REVOPS_MAIL_SENDER is not set"),
        ({"mail_sender": "nobody"}, "REVOPS_MAIL_SENDER: not a mail address"),
        ({"mail_sender": "A\r\nBcc: b@example.com <a@example.com>"}, "control characters"),
        ({"mail_sender": "a@example.com", "mail_page": "link"}, "link_base"),
        ({"mail_sender": "a@example.com", "mail_page": "link", "mail_link_base": "javascript:x"}, "link_base"),
        ({"mail_sender": "a@example.com", "mail_page": "fax"}, "REVOPS_MAIL_PAGE"),
    ],
)
def test_wrong_letter_settings_name_the_variable(env: pytest.MonkeyPatch, values: dict[str, str], words: str) -> None:
    _set(env, **values)
    with pytest.raises(ConfigurationError, match=words):
        letter_settings()


def test_security_none_is_for_this_machine_alone(env: pytest.MonkeyPatch) -> None:
    _set(env, smtp_host="127.0.0.1", smtp_security="none")
    assert server_settings().port_used == 25


def test_the_password_is_in_no_words_of_the_settings(env: pytest.MonkeyPatch) -> None:
    _set(env, smtp_host="h", smtp_user="u", smtp_password=PASSWORD)
    server = server_settings()
    for words in (repr(server), str(server), repr(server.model_dump()), server.model_dump_json(), f"{server!r:>5}"):
        assert HUNTER not in words
    assert (
        server.hide(f"echo {PASSWORD} and AHUAaHVudGVyMj1TZXNhbQ== and aHVudGVyMj1TZXNhbQ==")
        == "echo ••• and ••• and •••"
    )
