"""Names and addresses of mail, checked before they come near a header."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.headerregistry import Address

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_LONGEST_LOCAL = 64


@dataclass(frozen=True)
class Person:
    """A name, which may be empty and in any script, and an address in ASCII.

    Raises ValueError for control characters, which would let a name add headers, and for what is no address. A domain
    in another script is written as DNS has it; a local part in another script needs servers that few have, and is
    refused.
    """

    name: str
    address: str

    def __post_init__(self) -> None:
        if _CONTROL.search(self.name + self.address):
            raise ValueError("line ends and control characters are not allowed in a name or an address")
        local, at, domain = self.address.rpartition("@")
        domain = _ascii_domain(domain)
        if not at or len(local) > _LONGEST_LOCAL or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
            raise ValueError("not a mail address, such as ana@example.com")
        object.__setattr__(self, "name", " ".join(self.name.split()))
        object.__setattr__(self, "address", f"{local}@{domain}")

    @property
    def key(self) -> str:
        """What makes two addresses the same one, in practice: case does not matter."""
        return self.address.casefold()

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2]

    @property
    def header(self) -> Address:
        """Name and address as a header takes them."""
        return Address(self.name, addr_spec=self.address)


def parse_person(text: str) -> Person:
    """Read `Name <address>` or a bare address.

    >>> parse_person("Ana Ruíz <Ana@Example.com>")
    Person(name='Ana Ruíz', address='Ana@example.com')
    """
    if _CONTROL.search(text):
        raise ValueError("line ends and control characters are not allowed in a name or an address")
    named = _NAMED.fullmatch(text.strip())
    if named:
        return Person(named["name"].strip().strip('"'), named["address"])
    return Person("", text.strip())


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
