"""No person of a customer is named or reachable from anything that a run publishes, unless the report asks for it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.fakes import gate_with
from reporting.projects import make_project, notebook
from reporting.test_run import Quiet
from revops_analysis.project import Project
from revops_analysis.reporting.checker import Checker
from revops_analysis.reporting.manifest import read_manifest
from revops_analysis.reporting.personal import PersonalData
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.run import run_report
from revops_analysis.tables.warehouse import LoadRecord, WarehouseWriter

NAME, EMAIL, PHONE, LEAD = "Zoë O'Quill-Marsh", "zoe@quill.example", "+44 (20) 7946-0123", "lead.person@else.example"
SELLER, SELLER_EMAIL, COMPANY = "Ann Seller", "ann@vendor.example", "Morgan Stanley"
_OPEN = """
from revops_analysis.reporting.chapter import Chapter
from revops_analysis.workspace import open_workspace

ws = open_workspace(source, as_of=as_of, data_hash=data_hash)
chapter = Chapter("only", ws, period=period, out=out, seed=seed)
people = ws.table("contacts").to_pandas()
leads = ws.table("leads").to_pandas()
people
""".strip()
_CARELESS = """
print("Call", people.name[0], "at", people.phone[0], "or write to", people.email[0], "and", leads.email[0])
renamed = people[["name", "email", "phone"]].rename(columns={"name": "champion", "email": "reach", "phone": "at"})
chapter.table(renamed, name="renamed", title="Champions")
chapter.table(people[["email", "contact_id"]].assign(contact_name=people.name), name="known", title="Known")
chapter.table(ws.table("users").to_pandas()[["name", "email"]], name="own", title="Own people", personal=["email"])
chapter.headline({"metric": "talks", "value": 1, "unit": "count", "with": people.name[0]})
""".strip()
_FIGURES = 'chapter.key_figures({"metric": "talks", "value": 1, "unit": "count", "with": people.email[0]})'
_FAILS = "raise ValueError(f'{people.name[0]} <{people.email[0]}> could not be matched at Morgan Stanley')"


def _load(project: Project) -> None:
    moment = pd.Timestamp("2026-01-05")
    person = {"contact_id": ["c1", "c2"], "name": [NAME, COMPANY], "email": [EMAIL, None], "phone": [PHONE, None]}
    tables = {
        "opportunities": {"opportunity_id": ["1"], "stage": ["Discovery"], "created_at": [moment], "amount": [1]},
        "contacts": {**person, "created_at": [moment, moment]},
        "leads": {"lead_id": ["l1"], "email": [LEAD], "created_at": [moment]},
        "users": {"user_id": ["u1"], "name": [SELLER], "email": [SELLER_EMAIL]},
        "accounts": {"account_id": ["a1"], "name": [COMPANY], "created_at": [moment]},
    }
    with WarehouseWriter(project, "tiny") as writer:
        for name, rows in tables.items():
            writer.insert(name, ibis.memtable(rows))
        writer.commit(LoadRecord(dt.date(2026, 9, 30), tuple(tables)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A careless report, and the same report that asks for personal data."""
    notebooks = {"only": notebook(_OPEN, _CARELESS, _FIGURES), "fails": notebook(_OPEN, _FAILS, _FIGURES)}
    project = make_project(tmp_path_factory.mktemp("project"), notebooks)
    _load(project)
    text = (project.params / "reports" / "tiny.yml").read_text()
    (project.params / "reports" / "asks.yml").write_text(f"{text}personal_data: shown\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "validate", lambda *_: gate_with())
        day = dt.date(2026, 9, 30)
        found = {
            name: run_report(RunRequest(name, "tiny", day, project.reports), project, Quiet())
            for name in ("tiny", "asks")
        }
    return {name: result.folder for name, result in found.items()}


def _everything(folder: Path) -> str:
    import html

    texts = [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]
    return html.unescape("\n".join(texts))


@pytest.mark.parametrize("secret", [NAME, EMAIL, PHONE, LEAD, "Quill", "7946"])
def test_no_person_is_in_any_file_of_a_run(runs: dict[str, Path], secret: str) -> None:
    everything = _everything(runs["tiny"])
    assert secret.lower() not in everything.lower()
    assert "•••" in everything


def test_own_people_and_customers_stay_and_masking_is_counted(runs: dict[str, Path]) -> None:
    everything = _everything(runs["tiny"])
    assert SELLER in everything
    assert COMPANY in everything
    told = read_manifest(runs["tiny"])["personal_data"]
    assert told["shown"] is False
    assert told["masked"] > 8


def test_a_report_that_asks_for_them_has_them_and_says_so(runs: dict[str, Path]) -> None:
    page = (runs["asks"] / "only.html").read_text()
    assert EMAIL in page
    assert "This report shows personal data" in (runs["asks"] / "index.html").read_text()
    assert read_manifest(runs["asks"])["personal_data"] == {"shown": True, "masked": None}


PEOPLE = PersonalData(frozenset({"ada byron"}), frozenset({"442079460123"}), frozenset())


@given(st.text(alphabet="ab AB.,@<>&'-1 ", max_size=60))
def test_what_names_nobody_is_left_as_it_is(text: str) -> None:
    masked, found = PEOPLE.mask(text)
    assert (masked == text) == (found == 0)
    assert "@" not in masked or found == 0 or masked.count("•••") == found


@given(st.text(alphabet="xyz .,;:()<>", max_size=20), st.text(alphabet=" ,;:()<>", min_size=1, max_size=20))
def test_a_person_is_masked_wherever_it_stands(before: str, after: str) -> None:
    text = f"{before} Ada  Byron{after}a.byron@x.example {before}"
    masked, found = PEOPLE.mask(text)
    assert "Byron" not in masked
    assert "x.example" not in masked
    assert found == 2
