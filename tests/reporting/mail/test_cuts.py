"""Who may see EMEA gets EMEA: no file and no part of a mail holds an account of the rest."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reporting.fakes import gate_with
from reporting.mail.servers import PASSWORD, USER, Mailbox, make_certificates, serving
from reporting.projects import make_project, notebook
from reporting.watchers import Quiet
from revops_analysis.project import Project
from revops_analysis.reporting.mail.dispatch import Outcome
from revops_analysis.reporting.mail.send import MailRequest, send_run
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.run import run_report
from tables.cut_company import OUTSIDE, THROUGH, load_company

RECIPIENTS = """
recipients:
  - {name: Ana, address: ana@example.com, lists: [all]}
  - {name: Head of EMEA, address: emea@example.com, lists: [all], cut: region = EMEA}
  - {name: Head of nowhere, address: nowhere@example.com, lists: [all], cut: region = Nowhere}
"""
_OPEN = """
from IPython.display import HTML, display

from revops_analysis import open_workspace
from revops_analysis.reporting.chapter import Chapter

ws = open_workspace(source, as_of=as_of, data_hash=data_hash or None)
chapter = Chapter("deals", ws, period=period, out=out, seed=seed)
chapter.opening()
display(HTML('<p><a href="leads.html">The leads</a></p>'))
chapter.headline(ws.metric_result("open_pipeline", period=period))
chapter.table(ws.deals.to_pandas()[["opportunity_id", "account_name", "amount"]], name="deals", title="Deals")
chapter.table(ws.table("accounts").to_pandas().dropna(axis=1, how="all"), name="accounts", title="Accounts")
""".strip()
_END = 'chapter.key_figures([ws.metric_result(name) for name in ("open_pipeline", "target", "bookings")])'
REPORT = """
title: Deals
notebooks:
  - deals
  - {notebook: leads, whole_company: leads have no region}
parameters: {seed: 0}
"""
_LEADS = """
from revops_analysis import open_workspace
from revops_analysis.reporting.chapter import Chapter

chapter = Chapter("leads", open_workspace(source, as_of=as_of, data_hash=data_hash or None), period=period, out=out)
""".strip()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    chapters = {
        "deals": notebook(_OPEN, _END, title="All deals"),
        "leads": notebook(
            _LEADS, 'chapter.key_figures([{"metric": "leads", "value": 2, "unit": "count"}])', title="Leads"
        ),
    }
    made = make_project(tmp_path_factory.mktemp("project"), chapters, REPORT)
    (made.params / "recipients.yml").write_text(RECIPIENTS)
    load_company(made)
    return made


@pytest.fixture(scope="module")
def sent(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mailbox, list[Outcome]]]:
    """The whole run is rendered and sent to everybody."""
    from revops_analysis.reporting.checker import Checker

    mailbox, certificates = Mailbox(), make_certificates(tmp_path_factory.mktemp("certificates"))
    with pytest.MonkeyPatch.context() as patch, serving(mailbox, certificates.good) as port:
        patch.setattr(Checker, "validate", lambda *_: gate_with("warning"))
        settings = {"HOST": "localhost", "PORT": str(port), "CA_FILE": str(certificates.ca_file), "USER": USER}
        for name, value in {**settings, "PASSWORD": PASSWORD}.items():
            patch.setenv(f"REVOPS_SMTP_{name}", value)
        patch.setenv("REVOPS_MAIL_SENDER", "reports@example.com")
        run = run_report(RunRequest("tiny", "tiny", THROUGH, project.reports), project, Quiet())
        yield mailbox, send_run(MailRequest(run.folder, lists=("all",)), project, Quiet())


def _holding(files: dict[str, bytes]) -> set[tuple[str, str]]:
    """(file, word) for every word of the rest that a file holds."""
    return {(name, word) for name, content in files.items() for word in OUTSIDE if word.encode() in content}


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everybody_gets_what_they_may_see(sent: tuple[Mailbox, list[Outcome]]) -> None:
    mailbox, outcomes = sent
    assert [(one.address, one.state) for one in outcomes] == [
        ("ana@example.com", "sent"),
        ("emea@example.com", "sent"),
        ("nowhere@example.com", "queued"),
    ]
    assert mailbox.addresses == ["ana@example.com", "emea@example.com"]
    assert "There is no account in the cut." in outcomes[2].note
    assert not _holding({"note": outcomes[2].note.encode()}) - {("note", "West")}


def test_no_file_of_the_cut_holds_an_account_of_the_rest(project: Project, sent: object) -> None:
    whole = _files(project.reports / "tiny" / "tiny" / "2026-09-30" / "2026-Q3" / "latest")
    cut = _files(project.reports / "tiny" / "tiny.region-EMEA" / "2026-09-30" / "2026-Q3" / "latest")
    assert {"Outsider", "a-west", "d-west"} <= {word for _, word in _holding(whole)}
    assert _holding(cut) == set()
    assert {"deals.html", "deals.ipynb", "tables/deals_deals.csv", "gate.html", "gate.json", "manifest.json"} <= set(
        cut
    )
    assert "leads.html" in whole
    assert "leads.html" not in cut
    assert b'<a href="leads.html">The leads</a>' in whole["deals.html"]
    assert b"<p>The leads</p>" in cut["deals.html"]


def test_no_part_of_the_mail_holds_an_account_of_the_rest(sent: tuple[Mailbox, list[Outcome]]) -> None:
    parts: dict[str, dict[str, bytes]] = {}
    for address, message in sent[0].messages:
        own = parts.setdefault(address, {"headers": "\n".join(f"{k}: {v}" for k, v in message.items()).encode()})
        for number, part in enumerate(part for part in message.walk() if not part.is_multipart()):
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            own[f"{number} {part.get_content_type()}"] = content
            if part.get_content_type() == "application/zip":
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    own |= {name: archive.read(name) for name in archive.namelist()}
    assert {word for _, word in _holding(parts["ana@example.com"])} >= {"Outsider", "a-west"}
    assert _holding(parts["emea@example.com"]) == set()


def test_figures_and_targets_are_those_of_the_cut(project: Project, sent: object) -> None:
    runs = project.reports / "tiny"
    published = {"tiny": ("71000.00", "9000.00", "902000.00"), "tiny.region-EMEA": ("1000.00", "4000.00", "2000.00")}
    for report, values in published.items():
        text = (runs / report / "2026-09-30" / "2026-Q3" / "latest" / "key_figures.json").read_text()
        assert tuple(row["value"] for row in json.loads(text)["rows"])[:3] == values


def test_the_cut_is_named_wherever_a_reader_looks(project: Project, sent: tuple[Mailbox, list[Outcome]]) -> None:
    cut = project.reports / "tiny" / "tiny.region-EMEA" / "2026-09-30" / "2026-Q3" / "latest"
    for name in ("index.html", "deals.html", "manifest.json", "key_figures.json"):
        assert "region = EMEA" in (cut / name).read_text(), name
    message = next(message for address, message in sent[0].messages if address == "emea@example.com")
    assert message["Subject"].startswith("Deals: region = EMEA 2026-Q3: ")
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        assert "Left out of region = EMEA: Leads, because leads have no region." in body.get_content()
    assert "Left out of region = EMEA: Leads" in (cut / "index.html").read_text()
    assert "Left out" not in (project.reports / "tiny/tiny/2026-09-30/2026-Q3/latest/index.html").read_text()


def test_the_gate_of_a_cut_says_which_rules_failed_and_not_where_or_how_often(project: Project, sent: object) -> None:
    cut = project.reports / "tiny" / "tiny.region-EMEA" / "2026-09-30" / "2026-Q3" / "latest"
    rules = json.loads((cut / "gate.json").read_text())["result"]["results"]
    assert [rule["status"] for rule in rules] == ["passed", "failed"]
    assert {(rule["checked"], rule["failed"], rule["share"], *rule["first_keys"]) for rule in rules} == {(None,) * 3}


def test_a_run_of_a_cut_can_be_verified(project: Project, sent: object) -> None:
    """It is rendered again from the whole load, cut anew, with the chapters that the cut leaves out left out."""
    from revops_analysis.reporting.trust.verify import verify_run

    cut = project.reports / "tiny" / "tiny.region-EMEA" / "2026-09-30" / "2026-Q3" / "latest"
    found = verify_run(cut, project, Quiet())
    assert (found.differences, found.altered, found.verdict) == ((), (), "identical")
