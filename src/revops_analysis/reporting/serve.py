"""The reports folder over HTTP, for this machine only: pages, figures and tables, and nothing that is none of these.

The folder can be served as it is by any server: pages carry their own Content Security Policy, and this one sends it
as a header as well. Here, a request must come from this machine and ask for it by its own name, so that no page of
another site can read reports through a name that it lets point here.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.pages import content_security_policy

HOST = "127.0.0.1"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".ipynb": "application/x-ipynb+json",
    ".yml": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".pdf": "application/pdf",
}
"""What is served: the kinds of files that a run consists of. A mail written for somebody is none of them."""

_NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


def server_for(reports: Path, host: str = HOST, port: int = 0) -> ThreadingHTTPServer:
    """A server of the folder `reports`, bound and not yet running; port 0 takes a free one.

    Raises ConfigurationError for an address that others could reach, and for a port that is taken.
    """
    if not _is_loopback(host):
        raise ConfigurationError(
            "Reports are served to this machine only.",
            expected="127.0.0.1, ::1 or localhost",
            found=host,
            fix="copy the folder to a web server with a login of its own if others are to read them",
        )
    bound = HOST if host == "localhost" else host
    kind = _Server6 if ":" in bound else _Server
    try:
        return kind((bound, port), partial(_Handler, reports.resolve()))
    except OSError as problem:
        raise ConfigurationError(
            "The port cannot be used.", found=f"{port}: {problem.strerror}", fix="choose another with --port"
        ) from problem


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that has gone before the page was sent is no error; anything else is told as usual."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD with files of the folder; everything else is refused."""

    server_version = "revops"
    sys_version = ""

    def __init__(self, root: Path, *arguments: object) -> None:
        self._root = root
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(self.wfile.write)

    def do_HEAD(self) -> None:
        """Send what would stand before a file."""
        self._answer(lambda content: None)

    def _answer(self, write: Callable[[bytes], object]) -> None:
        if not (_is_loopback(self.client_address[0]) and self._asks_for_this_machine()):
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        path = unquote(urlsplit(self.path).path)
        if path == "/favicon.ico":
            self._refuse(HTTPStatus.NO_CONTENT)
            return
        found = find_file(self._root, path)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        if found.is_dir():
            self.send_response(HTTPStatus.MOVED_PERMANENTLY)
            self.send_header("Location", f"{urlsplit(self.path).path}/")
            self._end(b"", "text/plain", _NO_SCRIPT)
            return
        content = found.read_bytes()
        self.send_response(HTTPStatus.OK)
        policy = content_security_policy() if found.suffix == ".html" else _NO_SCRIPT
        self._end(content, _KINDS[found.suffix], "" if found.suffix == ".pdf" else policy)
        write(content)

    def _asks_for_this_machine(self) -> bool:
        name = (urlsplit(f"//{self.headers.get('Host', '')}").hostname or "").lower()
        return _is_loopback(name)

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self._end(b"", "text/plain", _NO_SCRIPT)

    def _end(self, content: bytes, kind: str, policy: str) -> None:
        if policy:
            self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what somebody reads is nobody's business."""


def find_file(root: Path, path: str) -> Path | None:
    """The file that an address names, or the folder if its `/` is missing; None for what is not served.

    Hidden files and folders, files of other kinds, and links that lead out of `root` are not served. A folder is its
    `index.html`.
    """
    parts = [part for part in path.split("/") if part]
    if "\0" in path or any(part.startswith(".") for part in parts):
        return None
    place = root.joinpath(*parts)
    if place.is_dir():
        if not path.endswith("/"):
            return place if _inside(place, root) else None
        place /= "index.html"
    is_served = place.suffix in _KINDS and place.is_file() and _inside(place, root)
    return place if is_served else None


def _inside(place: Path, root: Path) -> bool:
    real = place.resolve()
    hidden = real.is_relative_to(root) and any(part.startswith(".") for part in real.relative_to(root).parts)
    return real.is_relative_to(root) and not hidden
