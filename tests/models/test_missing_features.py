"""Win probability where the source records only part of what the model can read."""

from __future__ import annotations

import numpy as np
import pytest

from models.forecast_cases import WIN, past_deals, tables_of, workspace_of
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import gather_evidence
from revops_analysis.models.win_probability import WinProbability
from revops_analysis.periods import parse_period


def test_a_source_without_activities_contacts_and_products_still_has_a_model() -> None:
    ws = workspace_of(tables_of(past_deals()))
    cutoff = Cutoff(ws.as_of, parse_period("2026-Q3", ws.definitions.fiscal_calendar))
    states = gather_evidence(ws, [cutoff]).states
    assert states[["activities_14d", "contacts", "product"]].isna().all().all()
    model = WinProbability(WIN).fit(states)
    assert model.basis_ == "model"
    found = model.predict_proba(states)
    assert np.isfinite(found).all()
    # A value that was never seen in training says nothing.
    assert model.predict_proba(states.assign(contacts=3.0)) == pytest.approx(found)
