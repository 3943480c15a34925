"""Kept win probabilities: the same digits as new ones, and no file is believed that could be anything else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from builders import make_snapshot
from revops_analysis.models import model_store
from revops_analysis.models.evidence import Evidence
from revops_analysis.models.features import FEATURES
from revops_analysis.models.kept_files import model_folder
from revops_analysis.models.model_store import kept_win_model
from revops_analysis.models.win_probability import WinModelOptions, WinProbability
from revops_analysis.project import Project

SMALL = WinModelOptions(trees=5, minimum_wins=10, minimum_periods=2)
PERIODS = ("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4", "2026-Q1")


def make_states(seed: int = 0, per_period: int = 120) -> pd.DataFrame:
    """States of deals that are won the more often the later their stage; the last period is not over."""
    rng = np.random.default_rng(seed)
    size = per_period * len(PERIODS)
    starts = pd.PeriodIndex([label.replace("-", "") for label in PERIODS], freq="Q")
    place = np.repeat(np.arange(len(PERIODS)), per_period)
    first, last = (pd.Series(moments)[place] for moments in (starts.start_time, starts.end_time.normalize()))
    stage = rng.integers(0, 3, size)
    numbers = ("days_in_stage", "age_days", "pushes", "days_pushed", "amount_changes", "stage_changes", "reopenings")
    numbers += ("activities_14d", "activities_56d", "contacts", "days_since_activity", "owner_won", "owner_closed")
    frame = pd.DataFrame({name: rng.integers(0, 60, size).astype("float64") for name in numbers})
    words = {"type": ("new", "expansion"), "segment": ("SMB", "Enterprise"), "source": ("Web", None)}
    words |= {"product": ("Core", "Plus"), "category": ("Commit", "Pipeline")}
    frame = frame.assign(**{name: rng.choice(np.array(options, dtype=object), size) for name, options in words.items()})
    won = (rng.random(size) < 0.15 + 0.3 * stage).astype("float64")
    return frame.assign(
        opportunity_id=[f"d{number}" for number in range(size)],
        owner_id=[f"u{number % 5}" for number in range(size)],
        stage=np.array(["Discovery", "Solution", "Proposal"], dtype=object)[stage],
        stage_order=stage.astype("float64"),
        crm_probability=0.1 + 0.3 * stage,
        amount=rng.integers(100, 1000, size).astype("float64"),
        first_amount=500.0,
        period=np.array(PERIODS, dtype=object)[place],
        first_day=first.to_numpy(),
        last_day=last.to_numpy(),
        cutoff=first.to_numpy() + pd.to_timedelta(rng.integers(0, 80, size), unit="D"),
        close_date=last.to_numpy() - pd.to_timedelta(rng.integers(-40, 40, size), unit="D"),
        won=np.where(place < len(PERIODS) - 1, won, np.nan),
    )


@pytest.fixture(scope="module")
def states() -> pd.DataFrame:
    return make_states()


@pytest.fixture(scope="module")
def snapshot():
    return make_snapshot({"opportunities": []})


@pytest.fixture
def kept(tmp_path, states, snapshot, monkeypatch):
    """Ask for the model, and count how often it is fitted."""
    fitted = []
    fit = WinProbability.fit
    monkeypatch.setattr(WinProbability, "fit", lambda self, rows: fitted.append(1) or fit(self, rows))
    cutoffs = states[["cutoff", "period", "first_day", "last_day"]].drop_duplicates()
    evidence = Evidence(None, states, cutoffs, pd.DataFrame(), pd.DataFrame(), "USD")

    def ask(options: WinModelOptions = SMALL, evidence: Evidence = evidence) -> WinProbability:
        return kept_win_model(snapshot, Project(tmp_path), evidence, options)

    ask.fitted, ask.folder, ask.evidence = fitted, model_folder(Project(tmp_path), "test"), evidence
    return ask


def test_a_kept_model_has_the_digits_of_a_new_one(kept, states):
    first, second = kept(), kept()
    assert len(kept.fitted) == 1
    assert first.basis_ == second.basis_ == "model"
    assert (first.predict_proba(states) == second.predict_proba(states)).all()
    assert (first.rates_.predict_proba(states) == second.rates_.predict_proba(states)).all()
    pd.testing.assert_frame_equal(first.reasons(states[:9]), second.reasons(states[:9]), check_exact=True)
    for name in ("n_", "deals_", "wins_", "periods_", "note_", "encoding_"):
        assert getattr(first, name) == getattr(second, name), name


def test_stage_rates_are_kept_too(kept, states):
    few = replace(SMALL, minimum_wins=10_000)
    first, second = kept(few), kept(few)
    assert len(kept.fitted) == 1
    assert second.basis_ == "stage rates"
    assert "10000 deals won" in second.note_
    assert (first.predict_proba(states) == second.predict_proba(states)).all()


def test_another_question_is_another_model(kept):
    kept()
    kept(replace(SMALL, trees=6))
    kept(evidence=replace(kept.evidence, cutoffs=kept.evidence.cutoffs[1:]))
    assert len(kept.fitted) == 3


@pytest.mark.parametrize("damage", ["cut", "delete", "key", "nonsense"])
def test_a_damaged_file_is_fitted_again(kept, states, damage):
    first = kept()
    trees, record = (next(kept.folder.glob(pattern)) for pattern in ("*-trees.skops", "win-????????????????.json"))
    if damage == "cut":
        trees.write_bytes(trees.read_bytes()[:-100])
    elif damage == "delete":
        trees.unlink()
    elif damage == "key":
        known = json.loads(record.read_text())
        record.write_text(json.dumps({**known, "key": {}}))
    else:
        record.write_text("{")
    again = kept()
    assert len(kept.fitted) == 2
    assert (first.predict_proba(states) == again.predict_proba(states)).all()
    kept()
    assert len(kept.fitted) == 2


class Intruder:
    """What no model file has a reason to make; it tells when it is made."""

    made = 0

    def __init__(self) -> None:
        self.harmless = 1

    def __setstate__(self, state: dict[str, object]) -> None:
        type(self).made += 1


def test_a_file_with_an_unexpected_type_is_refused_unmade_and_fitted_again(kept, states):
    import skops.io as sio

    first = kept()
    model = kept().model_
    model.intruder_ = Intruder()
    forge(kept.folder, "trees.skops", sio.dumps(model))
    again = kept()
    assert len(kept.fitted) == 2
    assert Intruder.made == 0
    assert (first.predict_proba(states) == again.predict_proba(states)).all()
    (trees,) = kept.folder.glob("*-trees.skops")
    assert set(sio.get_untrusted_types(data=trees.read_bytes())) == set(model_store.TRUSTED)


def test_another_estimator_is_refused_though_skops_trusts_it(kept):
    import skops.io as sio
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    kept()
    forge(kept.folder, "trees.skops", sio.dumps(LogisticRegression()))
    kept()
    assert len(kept.fitted) == 2
    narrow = HistGradientBoostingClassifier(max_iter=2).fit(rng.random((99, len(FEATURES) - 1)), np.arange(99) % 2)
    forge(kept.folder, "trees.skops", sio.dumps(narrow))
    kept()
    assert len(kept.fitted) == 3


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"n": "many"}', b"\xff"])
def test_facts_of_another_shape_are_refused(kept, content):
    kept()
    forge(kept.folder, "learned.json", content)
    assert kept().basis_ == "model"
    assert len(kept.fitted) == 2


def forge(folder, part: str, content: bytes) -> None:
    """Replace a part by another, and vouch for it as whoever may write there could."""
    (path,) = folder.glob(f"*-{part}")
    (record,) = folder.glob("win-????????????????.json")
    path.write_bytes(content)
    known = json.loads(record.read_text())
    known["sha256"][part] = hashlib.sha256(content).hexdigest()
    record.write_text(json.dumps(known))
