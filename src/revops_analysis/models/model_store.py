"""Fitted win probabilities kept beside the data: no pickle is read, and nothing is believed that is not expected.

The trees are kept by skops, which says before anything is loaded which types a file would make: a file with any other
than `TRUSTED` is refused. All else is JSON. What is refused or damaged is fitted again.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from revops_analysis.models.features import FEATURES, Encoding
from revops_analysis.models.kept_files import Kept, key_of, model_folder, settings_of
from revops_analysis.models.silent_deals import SilentDeals
from revops_analysis.models.win_probability import StageRates, WinModelOptions, WinProbability

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

    from revops_analysis.models.evidence import Evidence
    from revops_analysis.project import Project
    from revops_analysis.tables.snapshot import Snapshot

TRUSTED = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
"""The only type in a model file that skops does not know to be harmless: a tree, which is an array of numbers."""

_LEARNED, _TREES = "learned.json", "trees.skops"


class _RefusedError(Exception):
    """A kept file is not what this module writes."""


def kept_win_model(
    snapshot: Snapshot, project: Project, evidence: Evidence, options: WinModelOptions
) -> WinProbability:
    """Return the win probability learned from the evidence of the snapshot's day, fitted at most once.

    It is kept under the hash of data, day, definitions, options, the cutoffs that it learned from, source text and
    libraries. A kept model answers with the same digits as a new one. Somebody who may write in the warehouse can
    change a kept model's numbers, as they can change the data; they cannot make it run anything.
    """
    key = key_of(snapshot, win_model=settings_of(options), cutoffs=_digest(evidence))
    kept = Kept(model_folder(project, snapshot.source), "win", key)
    contents = kept.read([_LEARNED, _TREES])
    if contents is not None:
        try:
            return read_model(contents[_LEARNED], contents[_TREES], options)
        except _RefusedError:
            pass
    model = WinProbability(options).fit(evidence.states)
    learned, trees = write_model(model)
    kept.write({_LEARNED: learned, _TREES: trees})
    return model


def _digest(evidence: Evidence) -> str:
    """sha256 over the cutoffs and their periods: those of a month are others than those of a quarter."""
    rows = evidence.cutoffs[["cutoff", "period", "first_day", "last_day"]].astype(str)
    return hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()


def write_model(model: WinProbability) -> tuple[bytes, bytes]:
    """A fitted win probability as JSON and as a skops file, which is empty where stage rates serve."""
    learned: dict[str, Any] = {
        "n": model.n_,
        "deals": model.deals_,
        "wins": model.wins_,
        "periods": list(model.periods_),
        "note": model.note_,
        "basis": model.basis_,
        "rates": _rates_to_json(model.rates_),
    }
    if model.basis_ != "model":
        return _json(learned), b""
    import skops.io as sio

    encoding = model.encoding_
    learned |= {
        "levels": {name: list(values) for name, values in encoding.levels.items()},
        "win_rate": encoding.win_rate,
        "intercept": model.intercept_,
        "slope": model.slope_,
        "silent": None if model.silent_ is None else model.silent_.as_dict(),
    }
    return _json(learned), sio.dumps(model.model_)


def read_model(learned: bytes, trees: bytes, options: WinModelOptions) -> WinProbability:
    """The win probability that `write_model` wrote; refuses anything else before it is loaded."""
    model = WinProbability(options)
    try:
        facts = json.loads(learned)
        model.n_, model.deals_, model.wins_ = int(facts["n"]), int(facts["deals"]), int(facts["wins"])
        model.periods_, model.note_ = tuple(facts["periods"]), str(facts["note"])
        model.basis_, model.rates_ = str(facts["basis"]), _rates_from_json(facts["rates"])
        if model.basis_ == "model":
            levels = {name: tuple(values) for name, values in facts["levels"].items()}
            model.encoding_ = Encoding(levels, float(facts["win_rate"]))
            model.intercept_, model.slope_ = float(facts["intercept"]), float(facts["slope"])
            silent = facts["silent"]
            model.silent_ = None if silent is None else SilentDeals.from_dict(silent, options.silent)
            model.model_ = _read_trees(trees)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _RefusedError(str(error)) from error
    return model


def _read_trees(content: bytes) -> HistGradientBoostingClassifier:
    """The trees, if the file would make nothing but trees."""
    import skops.io as sio
    from sklearn.ensemble import HistGradientBoostingClassifier

    try:
        unexpected = set(sio.get_untrusted_types(data=content)) - set(TRUSTED)
        found = None if unexpected else sio.loads(content, trusted=list(TRUSTED))
    except Exception as error:  # whatever skops cannot read: a bad archive, a bad schema, an unknown node
        raise _RefusedError(str(error)) from error
    if unexpected:
        raise _RefusedError(f"unexpected types: {', '.join(sorted(unexpected))}")
    if type(found) is not HistGradientBoostingClassifier or getattr(found, "n_features_in_", 0) != len(FEATURES):
        raise _RefusedError(f"not the trees of a win probability: {type(found).__name__}")
    return found


def _rates_to_json(rates: StageRates) -> dict[str, Any]:
    cells = rates.cells_.reset_index(name="rate")
    return {
        "weight": rates.weight,
        "base": rates.base_,
        "stages": [[stage, float(rate)] for stage, rate in rates.stages_.items()],
        "cells": cells[["stage", "part", "rate"]].to_numpy(dtype=object).tolist(),
    }


def _rates_from_json(facts: dict[str, Any]) -> StageRates:
    rates = StageRates(float(facts["weight"]))
    rates.base_ = float(facts["base"])
    stages, cells = facts["stages"], facts["cells"]
    rates.stages_ = pd.Series([row[1] for row in stages], index=[row[0] for row in stages], dtype="float64")
    names = np.array([row[0] for row in cells], dtype=object), np.array([row[1] for row in cells], dtype="int64")
    places = pd.MultiIndex.from_arrays(names, names=["stage", "part"])
    rates.cells_ = pd.Series([row[2] for row in cells], index=places, dtype="float64")
    return rates


def _json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=1, sort_keys=True).encode()
