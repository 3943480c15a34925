from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.mail.runs import make_home
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.mail.addresses import Person, parse_person
from revops_analysis.reporting.mail.recipients import choose, load_entries
from revops_analysis.tables.cut import Cut

FILE = """
recipients:
  - name: Ana Ruíz
    address: ana@example.com
    lists: [board, sales]
  - name: Bob
    address: Bob@Example.com
    lists: sales
  - name: Head of EMEA
    address: emea@example.com
    lists: [regions]
    cut: {region: EMEA}
"""


@pytest.fixture
def home(tmp_path: Path) -> Project:
    return make_home(tmp_path, FILE)


def _addresses(project: Project, to: tuple[str, ...] = (), lists: tuple[str, ...] = ()) -> list[str]:
    return [one.person.address for one in choose(project, to, lists)]


def test_lists_and_addresses_each_once(home: Project) -> None:
    assert _addresses(home, lists=("sales",)) == ["ana@example.com", "Bob@example.com"]
    both = choose(home, ("New Person <new@example.com>", "ANA@example.com"), ("sales", "board"))
    assert [one.person for one in both] == [
        Person("Ana Ruíz", "ana@example.com"),
        Person("Bob", "Bob@example.com"),
        Person("New Person", "new@example.com"),
    ]
    assert [one.reason for one in both] == [
        "you are on the list sales of params/recipients.yml",
        "you are on the list sales of params/recipients.yml",
        "it was sent to you by name",
    ]


def test_a_cut_binds_however_somebody_is_named(home: Project) -> None:
    for chosen in (choose(home, ("Boss <EMEA@example.com>",), ()), choose(home, (), ("regions",))):
        assert [one.cut for one in chosen] == [Cut((("region", "EMEA"),))]
    assert {one.cut for one in choose(home, (), ("sales",))} == {None}


@pytest.mark.parametrize("text", ["region = EMEA", "{region: EMEA}", "' region = ''EMEA'' '"])
def test_a_cut_reads_as_a_filter_or_a_mapping(tmp_path: Path, text: str) -> None:
    home = make_home(tmp_path, f"recipients:\n  - address: a@example.com\n    cut: {text}\n")
    assert [entry.cut for entry in load_entries(home)] == [Cut.of({"region": "EMEA"})]


@pytest.mark.parametrize("text", ["''", "{}", "null", "EMEA", "region != EMEA", "region = null", "owner_id = u1"])
def test_a_cut_that_cuts_nothing_is_refused_and_not_taken_for_everything(tmp_path: Path, text: str) -> None:
    home = make_home(tmp_path, f"recipients:\n  - address: a@example.com\n    cut: {text}\n")
    with pytest.raises(ConfigurationError, match="line 3"):
        load_entries(home)


def test_nobody_is_an_error_that_names_the_lists(home: Project, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lists: board, regions, sales"):
        choose(home, (), ())
    with pytest.raises(ConfigurationError, match="lists: none"):
        choose(make_home(tmp_path / "other"), (), ())


def test_an_unknown_list_names_the_nearest(home: Project) -> None:
    with pytest.raises(ConfigurationError, match="no list bord; did you mean board"):
        choose(home, (), ("bord",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("recipients:\n  - name: A\n    address: a@example.com\n    colour: red\n", "Extra inputs.*\n.*line 4"),
        ("recipients:\n  - name: A\n    address: nowhere\n", "not a mail address[^\n]*\n.*line 2"),
        ("recipients:\n  - name: A\n", "address.*required"),
        ('recipients:\n  - name: "A\\r\\nBcc: b@example.com"\n    address: a@example.com\n', "control characters"),
        ("recipients:\n  - address: a@example.com\n  - address: A@example.com\n", "stands twice.\n.*line 3"),
        ("recipients:\n  - address: a@example.com\n    address: b@example.com\n", "address stands twice"),
        ("- a@example.com\n", "recipients.yml"),
        ("people: []\n", "people"),
    ],
)
def test_a_wrong_file_names_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load_entries(make_home(tmp_path, text))


def test_the_file_of_the_project_is_right(project_root: Path) -> None:
    entries = load_entries(Project(project_root))
    assert all(entry.address.endswith("@example.com") for entry in entries)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ana",
        "ana@",
        "@example.com",
        "ana@exa mple.com",
        "ana@example.com>",
        "Ana <ana@example.com>\nBcc: x@example.com",
        "Ana\r <ana@example.com>",
        "a..b@example.com",
        ".a@example.com",
        "ána@example.com",
        "ana@-example.com",
        f"{'a' * 65}@example.com",
        "Ana\u2028Bcc <ana@example.com>",
    ],
)
def test_what_is_no_address_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"address"):
        parse_person(text)
    with pytest.raises(ConfigurationError, match="--to"):
        choose(make_home(tmp_path), (text,), ())


@given(st.text(), st.text())
def test_no_name_and_no_address_gets_a_line_end_into_a_header(name: str, local: str) -> None:
    from email.message import EmailMessage
    from email.policy import SMTP

    try:
        person = Person(name, f"{local}@example.com")
    except ValueError:
        return
    message = EmailMessage(policy=SMTP)
    message["To"] = person.header
    lines = message.as_bytes().split(b"\r\n")
    assert all(line.startswith((b"To:", b" ", b"\t")) or not line for line in lines)
