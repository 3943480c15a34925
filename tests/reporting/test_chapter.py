"""A chapter writes what it shows, masks people, refuses what would mislead, and prints stable key figures."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from reporting.fakes import FakeWorkspace
from revops_analysis.errors import ConfigurationError
from revops_analysis.findings.finding import Detection, Evidence, Finding, Place
from revops_analysis.reporting import chapter as chapter_module
from revops_analysis.reporting.chapter import Chapter

mpl.use("Agg")

NASTY = "<script>alert(1)</script>{{7*7}}\"'&"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    pages: list[str] = []
    monkeypatch.setattr(chapter_module, "_show", pages.append)
    return pages


@pytest.fixture
def made(tmp_path: Path) -> Chapter:
    return Chapter("pipeline_health", FakeWorkspace(), period="2026-Q3", out=str(tmp_path))


def _figure():
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.bar(["a", "b"], [1, 2])
    return figure


def test_a_table_shows_crm_text_as_text(made: Chapter, shown: list[str]) -> None:
    made.table(pd.DataFrame({"account": [NASTY], "amount": [-1234.0]}), name="deals", title=NASTY)
    assert "<script>" not in shown[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in shown[0]
    assert "49" not in shown[0]


def test_a_table_says_units_signs_and_reasons(made: Chapter, shown: list[str]) -> None:
    frame = pd.DataFrame(
        {"stage": ["A", "B"], "amount": [-1234567.0, None], "share": [0.5, None], "reason": [None, "no deals"]}
    )
    made.table(frame, name="stages", title="Stages", units={"amount": "currency", "share": "rate"})
    assert "−1,234,567" in shown[0]
    assert "50.0%" in shown[0]
    assert '<span class="rv-unit">USD</span>' in shown[0]
    assert shown[0].count("–<sup>1</sup>") == 2
    assert "<li>no deals</li>" in shown[0]
    assert ">Reason<" not in shown[0]


def test_csv_is_ordered_neutralised_and_masked(made: Chapter, shown: list[str], tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "account": ["=1+1", "@x", "Acme", None],
            "contact_email": ["a@b.c", None, "d@e.f", "g@h.i"],
            "amount": [-5.0, 2.5, 1.0, 0.0],
        }
    )
    made.table(frame, name="deals", title="Deals", units={"amount": "currency"})
    text = (tmp_path / "tables/pipeline_health_deals.csv").read_text()
    assert text == "account,contact_email,amount\n'=1+1,•••,-5.00\n'@x,,2.50\nAcme,•••,1.00\n,•••,0.00\n"
    assert "a@b.c" not in shown[0]


def test_a_figure_is_written_twice_the_same(made: Chapter, shown: list[str], tmp_path: Path) -> None:
    made.figure(_figure(), name="one", title="One", alt="Two bars.")
    made.figure(_figure(), name="two", title="Two", alt="Two bars.")
    for kind in ("svg", "png"):
        first, second = ((tmp_path / f"figures/pipeline_health_{n}.{kind}").read_bytes() for n in ("one", "two"))
        assert first == second
        assert len(first) > 1000
    assert 'alt="Two bars."' in shown[0]
    assert "<figcaption>One" in shown[0]


@pytest.mark.parametrize("words", [{"title": "x", "alt": " "}, {"title": "", "alt": "x"}])
def test_a_figure_without_words_is_refused(made: Chapter, words: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="without words"):
        made.figure(_figure(), name="one", **words)


def test_a_name_used_twice_is_refused(made: Chapter, shown: list[str]) -> None:
    frame = pd.DataFrame({"a": [1]})
    made.table(frame, name="x", title="X")
    with pytest.raises(ConfigurationError, match="Two tables"):
        made.table(frame, name="x", title="X")


@pytest.mark.parametrize("name", ["../up", "Capital", "", "a b"])
def test_names_cannot_leave_the_folder(made: Chapter, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a file"):
        made.table(pd.DataFrame({"a": [1]}), name=name, title="X")


def test_units_of_unknown_columns_are_refused(made: Chapter) -> None:
    with pytest.raises(ConfigurationError, match="amuont"):
        made.table(pd.DataFrame({"amount": [1.0]}), name="x", title="X", units={"amuont": "currency"})


def test_nothing_is_written_without_a_folder(shown: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = Chapter("c", FakeWorkspace(), period="2026-Q3")
    made.opening()
    made.table(pd.DataFrame({"a": [1]}), name="x", title="X")
    made.figure(_figure(), name="x", title="X", alt="X.")
    made.key_figures({"metric": "m", "value": 1, "unit": "count"})
    assert list(tmp_path.iterdir()) == []
    assert "2026-09-30" in shown[0]


def test_the_opening_names_what_is_missing(shown: list[str]) -> None:
    workspace = FakeWorkspace(notes=("No targets <b>.",), used_current_columns=("opportunities.segment",))
    Chapter("c", workspace, period="2026-Q3").opening()
    assert "No targets &lt;b&gt;." in shown[0]
    assert "opportunities.segment" in shown[0]


def test_key_figures_are_printed_and_written(
    made: Chapter, capsys: pytest.CaptureFixture[str], tmp_path: Path, shown: list[str]
) -> None:
    frame = pd.DataFrame(
        {
            "metric": ["win_rate", "win_rate", "won_amount"],
            "period": ["2026-Q3"] * 3,
            "segment": ["SMB", "Enterprise", None],
            "value": [0.25, None, 1234.5],
            "unit": ["rate", "rate", "currency"],
            "low": [0.2, None, None],
            "high": [0.3, None, None],
            "n": [100, 0, 3],
            "reason": [None, "no closed deals", None],
        }
    )
    made.key_figures(frame)
    assert capsys.readouterr().out.splitlines() == [
        "win_rate [segment=Enterprise]: – n=0 – no closed deals",
        "win_rate [segment=SMB]: 25.0% (20.0% to 30.0%) n=100",
        "won_amount [segment=–]: USD 1,234 n=3",
    ]
    part = json.loads((tmp_path / ".chapters/pipeline_health.json").read_text())
    assert part["rows"][2]["value"] == "1234.50"
    assert part["rows"][0]["dims"] == {"segment": "Enterprise"}


def test_findings_show_money_owner_and_fix(made: Chapter, shown: list[str]) -> None:
    finding = Finding(
        id="stalled",
        what=f"12 deals of {NASTY} have stalled.",
        evidence=Evidence(n=12, effect=0.25, unit="rate", low=0.1, high=0.4),
        money=Decimal("1200.00"),
        currency="USD",
        confidence=0.9,
        severity="warning",
        owner="Jo",
        proposed_fix="Call them.",
        place=Place("pipeline_health", "ageing"),
    )
    silent = pd.DataFrame([{"detector": "nrr_decline", "chapter": "cohort_nrr", "reason": f"{NASTY} is missing"}])
    made.findings(Detection((finding,), silent, ("stalled", "overdue_pipeline")))
    assert "<script>" not in shown[0]
    assert "USD 1,200" in shown[0]
    assert "90%" in shown[0]
    assert "25.0% (10.0% to 40.0%), n = 12" in shown[0]
    assert "Looked for and not found: overdue pipeline." in shown[0]
    assert "nrr decline: &lt;script&gt;" in shown[0]


def test_nothing_found_says_what_was_looked_for(made: Chapter, shown: list[str]) -> None:
    made.findings(Detection((), pd.DataFrame(columns=["detector", "chapter", "reason"]), ("nrr_decline",)))
    assert "Nothing found. Looked for: nrr decline." in shown[0]
    assert "Could not be assessed" not in shown[0]
