"""The chapter on the hand-off: its figures agree with the metrics, and nothing stops it where there is nothing."""

from __future__ import annotations

import pandas as pd
import pytest

from models.lead_companies import bare, chance_company
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.models.lead_handoff import lead_handoff
from revops_analysis.reporting.key_figures import collect_rows
from revops_analysis.reporting.lead_figures import proposal_rows, replay_rows, replay_table


@pytest.fixture(scope="module")
def found():
    return lead_handoff(chance_company(), "2026-Q2")


def test_it_is_of_the_year_up_to_the_end_of_the_period(found) -> None:
    assert (found.span.start.isoformat(), found.span.end.isoformat()) == ("2025-07-01", "2026-06-30")


def test_figures_agree_with_the_metrics(found) -> None:
    snapshot = chance_company()
    refused = compute_metric(snapshot, "leads_refused", found.span).frame
    assert found.refusals["n"].sum() == refused["n"].sum()
    step = found.funnel.frame.set_index("step").loc["qualified to deal"]
    assert found.cuts["source"]["entered"].sum() == step["entered"]
    assert found.cuts["team"]["advanced"].sum() == step["advanced"]
    reached = found.reached.set_index("stage")["n"]
    assert reached["lead"] == compute_metric(snapshot, "leads_created", found.span).frame["value"].iloc[0]


def test_every_key_figure_has_a_value_or_a_reason(found) -> None:
    rows = collect_rows([*found.headline, *found.figures])
    names = [(row.metric, row.dims) for row in rows]
    assert len(set(names)) == len(names)
    assert all((row.value is None) == bool(row.reason) for row in rows)
    assert {"leads_passed_a_month", "passed_leads_that_become_deals", "response_minutes"} <= {
        row.metric for row in rows
    }


def test_what_cannot_be_known_is_said(found) -> None:
    bounced = found.routing.set_index("problem").loc["passed from owner to owner"]
    assert pd.isna(bounced["n"])
    assert "no history of a lead's owners" in bounced["reason"]
    assert any("calls is not used" in note for note in found.notes)


def test_the_replay_reads_the_same_everywhere(found) -> None:
    table = replay_table(found.replay).set_index("figure")
    row = found.replay.of("new rule")
    assert table.loc["deals missed", "new rule"] == f"{row['missed_deals']}"
    rows = {(one.metric, dict(one.dims)["rule"]): one for one in replay_rows(found.replay)}
    assert rows["lead_rule_recall", "new rule"].value == row["recall"]
    assert rows["lead_rule_recall", "new rule"].n == row["deals"] + row["missed_deals"]
    assert rows["lead_rule_won_amount", "new rule"].as_json()["value"] == f"{row['won_amount']:.2f}"
    assert any(one.metric == "lead_columns_refused" and one.value == 4 for one in proposal_rows(found.proposal))


@pytest.mark.parametrize("which", ["no table", "empty", "undated", "broken"])
def test_little_or_nothing_gives_reasons_and_no_error(which) -> None:
    found = lead_handoff(bare(which), "2026-Q2")
    assert found.reason == ("the source has no leads table" if which == "no table" else None)
    assert found.replay is None
    assert found.funnel.frame["reason"].tolist()[-1] == found.reason or found.reason is None
    rows = collect_rows([*found.headline, *found.figures])
    assert all((row.value is None) == bool(row.reason) for row in rows)
    assert "No rule is proposed" in found.proposal_text
    assert len(replay_table(found.replay)) == 1


def test_a_period_ahead_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not begun"):
        lead_handoff(bare("empty"), "2027-Q1")
