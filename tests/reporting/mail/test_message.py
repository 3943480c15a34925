"""What a mail says and how it is built: both bodies agree, nothing of a CRM acts, nothing is loaded from anywhere."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import io
import re
import zipfile
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.mail.runs import NASTY, PASSED, chapter, figure, finding, make_run, recipient
from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.mail.addresses import Person
from revops_analysis.reporting.mail.body import LONGEST_HTML
from revops_analysis.reporting.mail.content import one_line
from revops_analysis.reporting.mail.message import Mailing, as_bytes
from revops_analysis.reporting.mail.run_folder import read_run
from revops_analysis.reporting.mail.settings import Letter

MOMENT = dt.datetime(2026, 10, 1, 7, 30, tzinfo=dt.UTC)
SENDER = Person("Revenue Operations", "reports@example.com")


class Seen(HTMLParser):
    """Words, elements and addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._silent = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._silent = tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words += [data]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _mail(folder: Path, **letter: Any) -> EmailMessage:
    mailing = Mailing(read_run(folder), Letter(sender=SENDER, **letter))
    sent = as_bytes(mailing.to(recipient(), MOMENT))
    return email.message_from_bytes(sent, policy=email.policy.default)


def _html(message: EmailMessage) -> str:
    return message.get_body(("html",)).get_content()


def _text(message: EmailMessage) -> str:
    return message.get_body(("plain",)).get_content()


def test_headers(tmp_path: Path) -> None:
    message = _mail(make_run(tmp_path), reply_to=Person("", "revops@example.com"))
    assert message["From"] == "Revenue Operations <reports@example.com>"
    assert message["To"] == "Ana Ruíz <ana@example.com>"
    assert message["Reply-To"] == "revops@example.com"
    assert message["Subject"] == "Quarterly report 2026-Q3: Open pipeline USD 6,848,223"
    assert message["Date"].datetime == MOMENT
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-ID"] == "<quarterly.sample.example.com>"
    assert message["List-Unsubscribe"] == "<mailto:revops@example.com?subject=unsubscribe>"
    assert message["X-Revops-Run"] == "sample/quarterly/2026-09-30/2026-Q3/10e070f6"


def test_mails_of_one_report_and_source_are_one_thread(tmp_path: Path) -> None:
    first = _mail(make_run(tmp_path))
    later = _mail(make_run(tmp_path, day="2026-10-31", input_hash="77" * 32))
    other = _mail(make_run(tmp_path, source="acme"))
    assert first["References"] == later["References"] == first["In-Reply-To"]
    assert first["References"] != other["References"]
    assert len({str(message["Message-ID"]) for message in (first, later, other)}) == 3
    assert "ana" not in first["Message-ID"]


def test_the_same_run_gives_the_same_bytes_and_travels_as_ascii(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    one, two = (as_bytes(Mailing(read_run(folder), Letter(sender=SENDER)).to(recipient(), MOMENT)) for _ in range(2))
    assert one == two
    assert one.isascii()
    assert max(map(len, one.split(b"\r\n"))) <= 78
    assert b"\n" not in one.replace(b"\r\n", b"")


def test_the_structure_is_one_that_every_mail_program_knows(tmp_path: Path) -> None:
    kinds = [part.get_content_type() for part in _mail(make_run(tmp_path)).walk()]
    bodies = ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    assert kinds == ["multipart/mixed", *bodies, "application/zip"]
    assert [part.get_content_type() for part in _mail(make_run(tmp_path), page="none").walk()] == bodies


def test_every_word_of_the_text_stands_in_the_html(tmp_path: Path) -> None:
    message = _mail(make_run(tmp_path, chapter(findings=7)))
    shown = Seen(_html(message))
    spoken = shown.text + " ".join(str(picture["alt"]) for picture in shown.all("img"))
    for word in re.findall(r"[\w.,%<>{}*/-]+", _text(message).replace("Figure", "")):
        if word.strip("-=*[].,;:()"):
            assert word.strip("*[].,;:()") in spoken, word


def test_every_figure_stands_in_both_bodies(tmp_path: Path) -> None:
    message = _mail(make_run(tmp_path))
    figures = ("USD 6,848,223", "n = 350", "33.1%", "29.4% to 37.0%", "n = 577", "No target was set for Zoë's region.")
    findings = ("USD 999,999", "90%", "20.0% (10.0% to 30.0%), n = 85", "Sales managers", "Do 1 about it.")
    rests_on = ("No targets were supplied.", "2026-09-30", "passed, 11 warnings of 254 rules", "bbbbbbbbbbbbbbbb")
    for words in (*figures, *findings, *rests_on, NASTY):
        assert words in Seen(_html(message)).text
        assert words in _text(message)
    assert "Bookings target: – (No target was set" in _text(message)  # missing is not zero


def test_hostile_names_are_text_and_nothing_is_loaded(tmp_path: Path) -> None:
    folder = make_run(tmp_path, chapter(title=NASTY), title=NASTY, source="sample")
    page = _html(_mail(folder))
    seen = Seen(page)
    assert not {"script", "link", "iframe", "object", "form", "base"} & {tag for tag, _ in seen.elements}
    assert "49" not in seen.text  # {{7*7}}
    for tag, attributes in seen.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "background", "action", "srcset"):
            if value := attributes.get(name):
                assert value.startswith("cid:"), (tag, value)
    assert "url(" not in page
    assert "@import" not in page


def test_every_picture_is_there_and_has_words(tmp_path: Path) -> None:
    message = _mail(make_run(tmp_path))
    pictures = Seen(_html(message)).all("img")
    ids = {part["Content-ID"]: part.get_content() for part in message.walk() if part["Content-ID"]}
    assert [f"<{str(one['src']).removeprefix('cid:')}>" for one in pictures] == list(ids)
    assert pictures[0]["alt"] == f"It fell since {NASTY}."
    assert all(content.startswith(b"\x89PNG") for content in ids.values())


def test_layout_is_tables_with_inline_styles_and_dark_mode_has_its_own(tmp_path: Path) -> None:
    page = _html(_mail(make_run(tmp_path)))
    seen = Seen(page)
    assert all(table["role"] == "presentation" for table in seen.all("table"))
    assert all(cell.get("style") for cell in seen.all("td"))
    assert "prefers-color-scheme: dark" in page
    assert '<meta name="color-scheme" content="light dark">' in page
    assert "data-css-inline" not in page
    assert len(re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]) < 8192  # Gmail drops a longer one


def test_a_long_mail_is_shortened_to_what_gmail_shows(tmp_path: Path) -> None:
    long = [finding(number, id=f"long:{number}", what="ŵ" * 5000, proposed_fix="ŷ" * 5000) for number in range(1, 6)]
    rows = [figure("open_pipeline", "1.00", dims={"account": "Ö" * 500, "number": str(n)}) for n in range(30)]
    message = _mail(
        make_run(tmp_path, chapter(headline=rows), chapter("second", headline=[], findings=0) | {"findings": long})
    )
    page, text = _html(message), _text(message)
    assert len(page.encode()) <= LONGEST_HTML
    left = page.count("Proposed:")
    assert 0 < left < 5
    assert text.count("Proposed:") == left
    # Two of the first chapter's findings have more money at stake; all seven are accounted for.
    assert f"{7 - left} more in the report." in text
    assert f"{7 - left} more in the report." in Seen(page).text


def test_what_is_only_watched_is_counted_and_not_said(tmp_path: Path) -> None:
    near = [finding(number, id=f"near:{number}", what=f"Near {number}.", severity="watch") for number in (1, 2)]
    message = _mail(make_run(tmp_path, chapter(findings=1), chapter("second", headline=[]) | {"findings": near}))
    page, text = _html(message), _text(message)
    for said in (text, Seen(page).text):
        assert "2 to watch in the report, not proven." in said
        assert "Near 1." not in said
        assert "more in the report" not in said


def test_notes_that_are_left_out_are_counted(tmp_path: Path) -> None:
    notes = [f"Note {number}: {'ŵ' * 590}" for number in range(60)]
    message = _mail(make_run(tmp_path, warnings=notes))
    page, text = _html(message), _text(message)
    assert len(page.encode()) <= LONGEST_HTML
    left = page.count("Note ")
    assert 0 < left < 60
    assert text.count("Note ") == left
    assert f"{60 - left} more notes in the report." in text
    assert f"{60 - left} more notes in the report." in Seen(page).text
    assert "2 more in the report." in text  # findings go first


def test_headline_figures_that_are_too_long_are_refused(tmp_path: Path) -> None:
    rows = [figure("open_pipeline", "1.00", dims={"account": "Ö" * 500, "number": str(n)}) for n in range(90)]
    with pytest.raises(ConfigurationError, match="too long for a mail"):
        _mail(make_run(tmp_path, chapter(headline=rows)))


def test_refused_data_is_said_first(tmp_path: Path) -> None:
    gate = {**PASSED, "passed": False, "allowed_invalid": True, "critical": 3}
    message = _mail(make_run(tmp_path, gate=gate))
    assert message["Subject"].startswith("DATA DID NOT PASS ITS CHECKS – Quarterly report")
    banner = "This data did not pass its checks: 3 rules failed. Do not use these figures for a decision."
    assert _text(message).startswith(f"*** {banner} ***")
    assert Seen(_html(message)).text.startswith(banner)


def test_findings_are_in_order_of_money_over_all_chapters(tmp_path: Path) -> None:
    small, large = finding(1, id="a", what="Small.", money="5.00"), finding(2, id="b", what="Large.", money="9.00")
    unpriced = finding(3, id="c", what="Unpriced.", money=None, currency=None)
    text = _text(
        _mail(
            make_run(
                tmp_path, chapter(findings=0) | {"findings": [unpriced, small]}, chapter("b") | {"findings": [large]}
            )
        )
    )
    assert text.index("Large.") < text.index("Small.") < text.index("Unpriced.")
    assert text.count("At stake") == 2


def test_no_findings_is_said(tmp_path: Path) -> None:
    assert "No findings." in _text(_mail(make_run(tmp_path, chapter(findings=0, assessed=["nrr_decline"]))))


def test_where_nobody_could_look_it_is_not_called_a_finding_of_none(tmp_path: Path) -> None:
    text = _text(_mail(make_run(tmp_path, chapter(findings=0, assessed=[]))))
    assert "no sign that all is well" in text
    assert "No findings." not in text


def test_the_subject_takes_the_first_figure_that_is_known(tmp_path: Path) -> None:
    rows = [figure("forecast", None, reason="Too few deals."), figure("open_pipeline", "0.00")]
    assert _mail(make_run(tmp_path, chapter(headline=rows)))["Subject"].endswith(": Open pipeline USD 0.00")
    nothing = chapter(headline=[])
    assert _mail(make_run(tmp_path, nothing))["Subject"] == "Quarterly report 2026-Q3"


def test_a_title_cannot_add_a_header(tmp_path: Path) -> None:
    message = _mail(make_run(tmp_path, title="Q3\r\nBcc: everyone@example.com\r\n\r\nHello"))
    assert message["Subject"].strip().startswith("Q3 Bcc: everyone@example.com Hello 2026-Q3")
    assert "Bcc" not in message


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    found = one_line(text)
    assert len(f"{found}x".splitlines()) == 1
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in found)


def test_the_zip_is_the_run(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    attached = next(_mail(folder).iter_attachments())
    assert attached.get_filename() == "quarterly-sample-2026-09-30-2026-Q3-10e070f6.zip"
    archive = zipfile.ZipFile(io.BytesIO(attached.get_content()))
    root = "quarterly-sample-2026-09-30-2026-Q3-10e070f6"
    written = {f"{root}/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {name: archive.read(name) for name in archive.namelist()} == written
    assert f"unpack {root}.zip and open index.html" in _text(_mail(folder))


def test_the_pdf_instead_of_the_pages(tmp_path: Path) -> None:
    folder = make_run(tmp_path, pdf={"file": "index.html", "pages": 1, "reason": None})
    attached = next(_mail(folder, page="pdf").iter_attachments())
    assert attached.get_filename() == "quarterly-sample-2026-09-30-2026-Q3-10e070f6.pdf"
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_content() == (folder / "index.html").read_bytes()
    assert "attached: quarterly-sample" in _text(_mail(folder, page="pdf"))


def test_a_run_without_pdf_says_why_it_cannot_be_attached(tmp_path: Path) -> None:
    folder = make_run(tmp_path, pdf={"file": None, "pages": None, "reason": "a library of the system is missing"})
    with pytest.raises(ConfigurationError, match="library of the system is missing"):
        _mail(folder, page="pdf")


def test_a_link_instead_of_the_page(tmp_path: Path) -> None:
    message = _mail(make_run(tmp_path), page="link", link_base="https://reports.example.com/r/")
    link = "https://reports.example.com/r/sample/quarterly/2026-09-30/2026-Q3/10e070f6/index.html"
    assert list(message.iter_attachments()) == []
    assert Seen(_html(message)).all("a") == [
        {"class": "rm-link", "href": link, "style": Seen(_html(message)).all("a")[0]["style"]}
    ]
    assert link in _text(message)


def test_a_report_too_large_to_attach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="too large to be attached"):
        _mail(make_run(tmp_path), largest_attachment_mb=0.001)


def test_a_changed_run_is_not_sent(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (folder / "index.html").write_text("<h1>Better figures</h1>")
    with pytest.raises(ConfigurationError, match=r"not as it was rendered[\s\S]*index\.html is changed"):
        _mail(folder)
    (folder / "index.html").unlink()
    with pytest.raises(ConfigurationError, match=r"index\.html is missing"):
        _mail(folder)
