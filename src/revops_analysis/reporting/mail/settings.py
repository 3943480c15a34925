"""What the environment says about mail: the server, the login, the sender, and how the page travels.

Settings are environment variables, or lines `NAME=value` in the file that `REVOPS_SECRETS_FILE` names, which only its
owner may read. The password never leaves this object in words: see `Server.hide`.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.mail.addresses import Person, parse_person
from revops_analysis.sources.near import near

SECRETS_FILE = "REVOPS_SECRETS_FILE"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HIDDEN = "•••"


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True)


class Server(_Settings):
    """The server that takes our mail: `REVOPS_SMTP_HOST` and so on."""

    model_config = SettingsConfigDict(env_prefix="REVOPS_SMTP_")

    host: str = Field(min_length=1, description="Name of the server, as its certificate has it")
    port: int = Field(0, ge=0, le=65535, description="0: 587 for starttls, 465 for tls, 25 for none")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is encrypted; none only to this machine itself"
    )
    user: str = Field("", description="Login; empty: the server asks for none")
    password: SecretStr = Field(SecretStr(""), description="Password of the login")
    ca_file: Path | None = Field(None, description="Certificates to trust instead of the system's, as PEM")
    timeout_seconds: float = Field(30, gt=0, le=600, description="Longest wait for one answer")
    attempts: int = Field(5, ge=1, le=20, description="Tries at one message while the fault can pass")
    first_wait_seconds: float = Field(2, ge=0, le=600, description="Wait before the second try; then 4 × longer")

    @model_validator(mode="after")
    def _safe(self) -> Server:
        if self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError("security none would send report and password readable by everybody on the way")
        if bool(self.user) != bool(self.password.get_secret_value()):
            raise ValueError("user and password go together: one of them is missing")
        if not (self.user + self.password.get_secret_value()).isascii():
            raise ValueError("user and password must be ASCII, all that an SMTP login can carry")
        return self

    @property
    def port_used(self) -> int:
        """The port, given or usual."""
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.security]

    @property
    def name(self) -> str:
        """The server in a message: host and port."""
        return f"{self.host}:{self.port_used}"

    def hide(self, text: str) -> str:
        """`text` without the password, in clear or as SMTP logins encode it: servers may echo what they were told."""
        password = self.password.get_secret_value()
        if not password:
            return text
        encoded = [f"\0{self.user}\0{password}", f"{self.user}\0{self.user}\0{password}", password]
        for secret in (*(base64.b64encode(form.encode()).decode() for form in encoded), password):
            text = text.replace(secret, _HIDDEN)
        return text


class Letter(_Settings):
    """What every mail has in common: `REVOPS_MAIL_SENDER` and so on."""

    model_config = SettingsConfigDict(env_prefix="REVOPS_MAIL_")

    sender: Annotated[Person, NoDecode] = Field(description="Who it is from, as: Name <address>")
    reply_to: Annotated[Person | None, NoDecode] = Field(None, description="Where answers go, if not to the sender")
    recipients: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses or lists, separated by commas, that get a report when a command names none"
    )
    page: Literal["zip", "pdf", "link", "none"] = Field(
        "zip", description="The whole report: attached as pages in a zip or as PDF, linked, or neither"
    )
    link_base: str = Field("", description="Web address of the reports folder, for links")
    largest_attachment_mb: float = Field(15, gt=0, description="Many servers refuse more than 20 to 25 MB in all")

    @field_validator("sender", "reply_to", mode="before")
    @classmethod
    def _person(cls, value: Any) -> Any:
        return parse_person(value) if isinstance(value, str) else value

    @field_validator("recipients", mode="before")
    @classmethod
    def _by_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _link_has_a_base(self) -> Letter:
        if self.page == "link" and not self.link_base.startswith(("https://", "http://")):
            raise ValueError("page is link, but link_base is no web address such as https://reports.example.com")
        return self


def server_settings() -> Server:
    """The server from the environment. Raises ConfigurationError that names the variable and never its value."""
    return _read(Server)


def letter_settings(default_sender: str = "") -> Letter:
    """What mails have in common, from the environment; `default_sender` where that names none."""
    return _read(Letter, {"REVOPS_MAIL_SENDER": default_sender} if default_sender else {})


def _read(kind: type[Any], defaults: Mapping[str, str] | None = None) -> Any:
    prefix = str(kind.model_config["env_prefix"])
    given = {name: value for name, value in {**(defaults or {}), **_file(), **os.environ}.items() if value != ""}
    known = [f"{prefix}{name.upper()}" for name in kind.model_fields]
    unknown = sorted(name for name in given if name.startswith(prefix) and name not in known)
    if unknown:
        raise ConfigurationError(f"Unknown setting {unknown[0]}{near(unknown[0], known)}")
    values = {name.removeprefix(prefix).lower(): given[name] for name in known if name in given}
    try:
        return kind(**values)
    except ValidationError as error:
        explained = _explained(error, prefix)
    raise explained  # outside the except clause: the original error holds what was given


def _file() -> dict[str, str]:
    """The lines of the secrets file; none where no file is named."""
    from dotenv import dotenv_values

    named = os.environ.get(SECRETS_FILE)
    if not named:
        return {}
    path = Path(named).expanduser()
    if not path.is_file():
        raise ConfigurationError(f"The file that {SECRETS_FILE} names is not there.", where=str(path))
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            "The secrets file can be read by others.", where=str(path), fix=f"chmod 600 {path.name}"
        )
    return {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}


def _explained(error: ValidationError, prefix: str) -> ConfigurationError:
    """The first problem as ours, with the variable's name and without any value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    names = _names(first["loc"], prefix)
    where = f"the environment or the file that {SECRETS_FILE} names"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return ConfigurationError(f"{names} is not set.", where=where, fix=f"export {names}=…, see docs/email.md")
    return ConfigurationError(f"{names}: {message}.", where=where, fix="see docs/email.md")


def _names(place: Iterable[Any], prefix: str) -> str:
    first = next((part for part in place if isinstance(part, str)), "")
    return f"{prefix}{first.upper()}" if first else f"{prefix}…"
