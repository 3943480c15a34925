"""Findings on pages: a chapter opens with its own, each links to its block, and the evidence line says all it has."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import nbformat

from reporting.projects import NASTY, notebook
from revops_analysis.findings.finding import Evidence, Finding, Place
from revops_analysis.reporting.fragments import finding_anchor, render_findings, render_short
from revops_analysis.reporting.pages import ChapterPage, render_chapter

ONE = Finding(
    id="win_rate_drop:segment=Mid-Market",
    what=f"The win rate of {NASTY} fell.",
    evidence=Evidence(n=835, effect=-0.09, unit="rate", low=-0.13, high=-0.05, p_adjusted=0.00006, among=121),
    money=Decimal("1200.00"),
    currency="USD",
    confidence=0.95,
    severity="critical",
    owner="Jo",
    proposed_fix="Call them.",
    place=Place("pipeline_health", "win rate"),
)


def many(count):
    return [replace(ONE, id=f"win_rate_drop:segment={number}") for number in range(count)]


def test_a_chapter_opens_with_its_findings_before_its_first_section():
    made = nbformat.from_dict(notebook("1 + 1"))
    page = ChapterPage("pipeline_health", "Report", opening=render_short(many(5)))
    body = render_chapter(made, page)
    assert body.index("What stands here?") < body.index('class="rv-short"') < body.index("Detail</h2>")
    assert body.count('<li class="rv-critical">') == 3
    assert "2 more below." in body
    assert f'href="#{finding_anchor(many(1)[0])}"' in body
    assert "<script>alert" not in body
    assert 'class="rv-short"' not in render_chapter(made, ChapterPage("pipeline_health", "Report"))


def test_without_findings_a_chapter_opens_with_nothing():
    assert render_short([]) == ""
    assert "more below" not in render_short(many(3))


def test_the_evidence_line_has_effect_interval_n_and_corrected_p():
    shown = render_findings([ONE], linked=True)
    assert "−9.0% (−13.0% to −5.0%), n = 835, corrected p &lt; 0.001 among 121 compared" in shown
    anchor = finding_anchor(ONE)
    assert f'id="{anchor}"' in shown
    assert f'href="pipeline_health.html#{anchor}"' in shown
    plain = replace(ONE, evidence=Evidence(n=12, effect=0.25, unit="rate"))
    assert "corrected" not in render_findings([plain])


def test_what_is_watched_is_marked_and_an_amount_concerned_is_no_stake():
    near = replace(ONE, severity="watch")
    assert 'class="rv-finding rv-watch"' in render_findings([near])
    assert "<strong>Watch:</strong>" in render_findings([near])
    unknown = render_findings([replace(ONE, money=None, concerned=Decimal("900.00"))])
    assert "At stake" not in unknown
    assert "<dt>Amount concerned</dt><dd>" in unknown
    assert "900" in unknown


def test_anchors_tell_ids_apart_that_read_alike():
    ids = ["a:b=C", "a:b=c", "a:b-c", "a:b=" + "x" * 200, "a:b=" + "x" * 201]
    anchors = {finding_anchor(replace(ONE, id=name)) for name in ids}
    assert len(anchors) == len(ids)
    assert all(len(anchor) < 120 for anchor in anchors)
