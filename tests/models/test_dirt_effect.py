"""What repairs change, against the same company without dirt."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from dirty_company import soiled
from revops_analysis.models.dirt_effect import DirtEffect, dirt_effect
from revops_analysis.models.quality_overview import quality_overview
from revops_analysis.simulation.words import INDUSTRIES, INDUSTRY_TYPOS
from revops_analysis.sources.again import read_again
from revops_analysis.validation.repairs import find_repairs
from revops_analysis.validation.repairs.apply import repaired_copy
from revops_analysis.workspace import Workspace


@pytest.fixture(scope="module")
def dirty(very_dirty: Workspace) -> Workspace:
    return very_dirty


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return soiled(tmp_path_factory.mktemp("clean"), dirt=0.0)


@pytest.fixture(scope="module")
def effect(dirty: Workspace) -> DirtEffect:
    return quality_overview(dirty, "2026-Q3").effect


@pytest.fixture(scope="module")
def copied(dirty: Workspace):
    maps = find_repairs(dirty, dirty.load.quarantine).by_column
    return repaired_copy(dirty, maps, dirty.origin.profile).snapshot


def _column(snapshot, table: str, key: str, column: str) -> dict[str, object]:
    rows = snapshot.loaded(table).select(key, column).to_pyarrow().to_pylist()
    return {row[key]: row[column] for row in rows}


def test_repaired_words_are_those_that_were_mistyped(dirty: Workspace, copied) -> None:
    """The simulation says what each mistyped industry was meant to be."""
    meant = dict(zip(INDUSTRY_TYPOS, INDUSTRIES, strict=True))
    before = _column(dirty, "accounts", "account_id", "industry")
    assert sum(word in meant for word in before.values()) > 10
    truth = {key: meant.get(str(word), word) for key, word in before.items()}
    assert _column(copied, "accounts", "account_id", "industry") == truth


def test_deals_come_back_from_quarantine_as_they_are_in_truth(dirty: Workspace, clean: Workspace, copied) -> None:
    loaded = _column(dirty, "opportunities", "opportunity_id", "stage")
    back = {k: v for k, v in _column(copied, "opportunities", "opportunity_id", "stage").items() if k not in loaded}
    truth = _column(clean, "opportunities", "opportunity_id", "stage")
    assert back
    assert back == {key: truth[key] for key in back}
    history = copied.loaded("opportunity_history")
    assert history.filter(history.opportunity_id.isin(list(back))).count().execute() >= len(back)


def test_figures_move_towards_the_clean_company(effect: DirtEffect, clean: Workspace) -> None:
    truth = dirt_effect(clean, {}).figures
    assert effect.changed["figure"].nunique() >= 3
    keys = ["figure", "cut", "group", "unit"]
    both = effect.figures.merge(truth[[*keys, "as_loaded"]], on=keys, how="outer", suffixes=("", "_clean"))
    counted = both[both["figure"].isin(["Open deals", "Deals booked to date"]) & (both["cut"] == "industry")]
    sides = {name: counted[name].map(lambda v: Decimal(0) if pd.isna(v) else v) for name in ("as_loaded", "repaired")}
    clean_side = counted["as_loaded_clean"].map(lambda v: Decimal(0) if pd.isna(v) else v)
    before, after = (float((sides[name] - clean_side).map(abs).sum()) for name in ("as_loaded", "repaired"))
    assert after < before, "what is left are deals entered twice"
    gone = both[(both["cut"] == "industry") & both["as_loaded_clean"].isna()]
    assert set(gone["repaired"]) == {Decimal(0)}, "no mistyped industry is left"


def test_differences_are_exact_and_cuts_add_up(effect: DirtEffect) -> None:
    frame = effect.figures
    assert ((frame["repaired"] - frame["as_loaded"]) == frame["difference"]).all()
    for figure in ("Open pipeline", "Deals booked to date", "Forecast"):
        own = frame[frame["figure"] == figure]
        for side in ("as_loaded", "repaired"):
            sums = own.groupby("cut")[side].sum()
            assert set(sums) == {sums["whole"]}, figure


def test_without_repairs_nothing_changes(dirty: Workspace) -> None:
    effect = dirt_effect(dirty, {})
    assert effect.changed.empty
    assert effect.done.empty


def test_the_load_stays_as_it_is(dirty: Workspace, effect: DirtEffect) -> None:
    assert "Retial" in set(_column(dirty, "accounts", "account_id", "industry").values())


def test_an_earlier_day_gets_no_rows_back(dirty: Workspace) -> None:
    maps = find_repairs(dirty, dirty.load.quarantine).by_column
    copy = repaired_copy(dirty.at("2026-06-30"), maps, dirty.origin.profile)
    assert set(copy.done["returned"]) == {0}
    assert "accounts" in set(copy.done["table"])


def test_rows_with_another_fault_stay_out(dirty: Workspace) -> None:
    again = read_again(dirty.origin.profile, dirty.load.quarantine, {}, dirty.definitions)
    assert "opportunities" not in again.rows, "without the words every quarantined deal still has its fault"
    assert read_again(dirty.origin.profile, None, {}, dirty.definitions).rows == {}
