"""Reports are served to this machine, as they are, and nothing else is."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.commands import revops
from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.pages import content_security_policy, render_page
from revops_analysis.reporting.serve import server_for


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    (root / "secret.html").write_text("secret")
    files = ["index.html", "s/r/abc/index.html", "s/r/abc/tables/t.csv", "s/r/abc/figures/f.svg", "s/r/abc/report.pdf"]
    hidden = [".locks/x.html", ".writing-1/index.html", "s/r/abc/.chapters/c.json"]
    for name in [*files, *hidden, "mail/someone.eml", "s/r/abc/notes.txt", "s/r/abc/run.py"]:
        path = root / "reports" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    (root / "reports" / "s" / "r" / "latest").symlink_to("abc")
    (root / "reports" / "s" / "r" / "way_out.html").symlink_to(root / "secret.html")
    (root / "reports" / "s" / "r" / "out").symlink_to(root)
    (root / "reports" / "s" / "r" / "staging").symlink_to(root / "reports" / ".writing-1")
    return root / "reports"


@pytest.fixture(scope="module")
def port(reports: Path) -> Iterator[int]:
    with server_for(reports) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def _ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, dict(answer.getheaders())


@pytest.mark.parametrize(
    ("path", "file", "kind"),
    [
        ("/", "index.html", "text/html"),
        ("/s/r/abc/", "s/r/abc/index.html", "text/html"),
        ("/s/r/latest/index.html?x=1#y", "s/r/abc/index.html", "text/html"),
        ("/s/r/abc/tables/t.csv", "s/r/abc/tables/t.csv", "text/csv"),
        ("/s/r/abc/figures/f.svg", "s/r/abc/figures/f.svg", "image/svg+xml"),
        ("/s/r/abc/report.pdf", "s/r/abc/report.pdf", "application/pdf"),
    ],
)
def test_files_of_a_run_are_served_with_their_kind(port: int, path: str, file: str, kind: str) -> None:
    status, content, headers = _ask(port, path)
    assert (status, content) == (200, f"content of {file}".encode())
    assert headers["Content-Type"].startswith(kind)
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html", "/%2e%2e/secret.html", "/s/../../secret.html", "/s/r/way_out.html", "/s/r/out/secret.html",
        "/..%2fsecret.html", "//etc/passwd", "/etc/passwd", "/s/r/out/", "/.locks/x.html", "/.writing-1/index.html",
        "/s/r/staging/index.html", "/s/r/abc/.chapters/c.json", "/mail/someone.eml", "/s/r/abc/notes.txt",
        "/s/r/abc/run.py", "/s/", "/s/r/abc/tables/", "/nothing.html", "/index.html%00.csv", "/s/r/abc/tables/t.csv/x",
    ],
)  # fmt: skip
def test_nothing_else_is_served(port: int, path: str) -> None:
    status, content, _ = _ask(port, path)
    assert (status, content) == (404, b"")


def test_a_folder_without_its_slash_leads_to_its_page(port: int) -> None:
    status, _, headers = _ask(port, "/s/r/abc")
    assert (status, headers["Location"]) == (301, "/s/r/abc/")


def test_pages_have_the_policy_they_carry_and_other_files_run_nothing(port: int) -> None:
    policy = _ask(port, "/index.html")[2]["Content-Security-Policy"]
    assert policy == f"{content_security_policy()}; frame-ancestors 'none'"
    page = render_page("all_runs.html.j2", runs=[])
    assert f'content="{content_security_policy()}"' in page
    picture = _ask(port, "/s/r/abc/figures/f.svg")[2]["Content-Security-Policy"]
    assert "default-src 'none'" in picture
    assert "sandbox" in picture


@pytest.mark.parametrize("name", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.7", ""])
def test_a_name_that_points_here_from_elsewhere_is_refused(port: int, name: str) -> None:
    status, content, _ = _ask(port, "/index.html", Host=name)
    assert (status, content) == (403, b"")


def test_this_machines_own_names_are_known(port: int) -> None:
    for name in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", f"[::1]:{port}"):
        assert _ask(port, "/index.html", Host=name)[0] == 200


def test_only_reading_is_possible(port: int) -> None:
    head = _ask(port, "/index.html", "HEAD")
    assert (head[0], head[1], head[2]["Content-Length"]) == (200, b"", "21")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert _ask(port, "/index.html", method)[0] == 501


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])  # noqa: S104 - refused
def test_an_address_that_others_reach_is_refused(reports: Path, host: str) -> None:
    with pytest.raises(ConfigurationError, match="this machine only"):
        server_for(reports, host)


def test_a_taken_port_is_a_message(reports: Path, port: int, project_root: Path) -> None:
    answer = revops(project_root, "serve", "--port", str(port), "--out", str(reports))
    assert answer.code == 2
    assert "choose another with --port" in answer.stderr
    assert revops(project_root, "serve", "--host", "0.0.0.0").code == 2  # noqa: S104
