"""Weights from the data themselves, without labels, by splink; documented defaults where that gives nothing sound.

u comes from pairs of records drawn at random (by a hash of the key, so that neither a generator nor the order of rows
has a say), m by expectation maximisation over pairs that agree in one field, for the other fields. What cannot be
trained (no pairs, a field that is nowhere filled) or comes out implausible (an agreement that would speak against a
match, true pairs that mostly contradict each other) keeps the defaults of `model`, and the result says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import log2
from typing import Any

import pandas as pd

from revops_analysis.validation.duplicates.blocking import BLOCKED
from revops_analysis.validation.duplicates.model import Field, Level, Model
from revops_analysis.validation.duplicates.records import Records

SEED = 20_260_930
RANDOM_PAIRS = 1e5
MOST_TRAINING_PAIRS = 1e6
LEAST_TRAINING_PAIRS = 30
"""Fewer pairs that agree in a field say nothing about the others."""

_LEAST_U, _LEAST_M = 1e-7, 1e-3
_LEAST_LEFT = 0.05
"""Of the random pairs that agree, at least this part is taken to be different people."""
_UNTOUCHED = 1e-12
"""splink leaves the values of a level that it never observed as they were."""
_RECALL_OF_CERTAIN_PAIRS = 0.7
_DUPLICATES_BY_DEFAULT = 0.1

WEIGHT_COLUMNS = ("field", "level", "m", "u", "weight", "basis")

_SETTINGS: dict[str, Any] = {
    "unique_id_column_name": "unique_id",
    "source_dataset_column_name": "source_dataset",
    "retain_matching_columns": False,
    "retain_intermediate_calculation_columns": True,
}


@dataclass(frozen=True)
class Weights:
    """What each degree of agreement weighs, and where each weight comes from.

    `frame`: a row a field and level with m, u, `weight` (bits, log2(m ÷ u), before the adjustment for common values)
    and `basis` ('trained' or 'default'). `prior`: the chance that two records taken at random are one; `notes`: plain
    sentences on what could not be trained.
    """

    frame: pd.DataFrame
    prior: float
    notes: tuple[str, ...]

    def of(self, field: str) -> list[tuple[float, float]]:
        """m and u of the levels of a field, best first."""
        rows = self.frame[self.frame["field"] == field]
        return list(zip(rows["m"], rows["u"], strict=True))


def default_weights(model: Model, prior: float, notes: tuple[str, ...] = ()) -> Weights:
    """The documented weights of a model."""
    rows = [row for field in model.fields for row in _rows(field, None)]
    return Weights(pd.DataFrame(rows, columns=list(WEIGHT_COLUMNS)), prior, notes)


def train(records: Records, model: Model, say: Callable[[str], None] = lambda _: None) -> Weights:
    """Train the weights of a model on its records (which must be blocked already); see the module's text."""
    prior = default_prior(records.count)
    if not records.has_pairs:
        return default_weights(model, prior, ("No two records to compare: nothing to train.",))
    with quiet():
        linker = make_linker(records, model, default_weights(model, prior))
        say("Weighing agreement by chance")
        _train_u(linker, records.count)
        say("Training on likely pairs")
        sessions = [_train_m(linker, records, rule) for rule in model.trained_on]
        prior = _prior(linker, model, records) if any(sessions) else prior
        found = _levels(linker)
    trained = {field.name: _judged(field, found.get(field_column(field)), prior) for field in model.fields}
    rows = [row for field in model.fields for row in _rows(field, trained[field.name][0])]
    notes = tuple(note for _, note in trained.values() if note)
    return Weights(pd.DataFrame(rows, columns=list(WEIGHT_COLUMNS)), prior, notes)


def default_prior(count: int) -> float:
    """The chance that two records are one, when nothing is known: a tenth of all records is taken to be a copy.

    >>> round(default_prior(1_001), 6), default_prior(1)
    (0.0002, 0.2)
    """
    return 2 * _DUPLICATES_BY_DEFAULT / max(count - 1, 1)


def make_linker(records: Records, model: Model, weights: Weights) -> Any:
    """A splink linker over the blocked records with these weights."""
    from splink import Linker
    from splink.backends.duckdb import DuckDBAPI

    api = DuckDBAPI(connection=records.con)
    settings = _settings(records, model, weights)
    names = records.table.split("-") if records.is_link else ["records"]
    tables = [api.register(_part(records, name), dataset_display_name=name) for name in names]
    linker = Linker(tables if records.is_link else tables[0], settings, log_level=None)
    expected = {level.common: level.u for field in model.fields for level in field.levels if level.common}
    for column, u in sorted(expected.items()):
        shares = api.register(_shares(records, column, u), dataset_display_name=f"shares_{column}")
        linker.table_management.register_term_frequency_lookup(shares, column)
    return linker


def _part(records: Records, name: str) -> str:
    """The blocked records of one side of a link, or all of them."""
    if not records.is_link:
        return BLOCKED
    made = f"{BLOCKED}_{name}"
    records.con.execute(f"CREATE OR REPLACE TABLE {made} AS SELECT * FROM {BLOCKED} WHERE source_dataset = '{name}'")
    return made


def _shares(records: Records, column: str, expected: float) -> str:
    """A table with how common each value is among the records beside the two that are compared.

    Two that alone have a value would otherwise count each other. That nobody else has it says only that it is rarer
    than one in all records: where those are few, the default of the field (`expected`) says more.
    """
    made = f"shares_of_{column}"
    records.con.execute(
        f"CREATE OR REPLACE TABLE {made} AS WITH total AS (SELECT greatest(count({column}) - 1, 1)::DOUBLE AS others "
        f"FROM {BLOCKED}) SELECT {column}, greatest((count(*) - 2) / others, least({expected!r}, 1 / others)) "
        f"AS tf_{column} FROM {BLOCKED}, total WHERE {column} IS NOT NULL GROUP BY {column}, others"
    )
    return made


def _settings(records: Records, model: Model, weights: Weights) -> dict[str, Any]:
    return {
        **_SETTINGS,
        "link_type": "link_only" if records.is_link else "dedupe_only",
        "probability_two_random_records_match": min(max(weights.prior, 1e-12), 0.5),
        "blocking_rules_to_generate_predictions": [
            f"l.block_{place} = r.block_{place}" for place in range(1, len(model.blocks) + 1)
        ],
        "comparisons": [_comparison(field, weights.of(field.name)) for field in model.fields],
        "additional_columns_to_retain": [],
    }


def field_column(field: Field) -> str:
    """A field's name as part of a column's.

    >>> from revops_analysis.validation.duplicates.model import PERSON
    >>> field_column(PERSON.fields[0])
    'first_name'
    """
    return field.name.replace(" ", "_")


def _comparison(field: Field, values: list[tuple[float, float]]) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [
        {"sql_condition": field.unknown, "label_for_charts": field.unknown_words, "is_null_level": True}
    ]
    for level, (m, u) in zip(field.every_level, values, strict=True):
        made: dict[str, Any] = {
            "sql_condition": level.condition,
            "label_for_charts": level.words,
            "m_probability": m,
            "u_probability": u,
        }
        if level.common:
            made |= {
                "tf_adjustment_column": level.common,
                "tf_minimum_u_value": _LEAST_U,
                "disable_tf_exact_match_detection": True,
            }
        levels.append(made)
    return {"output_column_name": field_column(field), "comparison_levels": levels}


def _train_u(linker: Any, count: int) -> None:
    pairs = min(RANDOM_PAIRS, count * (count - 1) / 2 + 1)
    linker.training.estimate_u_using_random_sampling(max_pairs=pairs, seed=SEED, min_count_per_level=None, num_chunks=1)


def _train_m(linker: Any, records: Records, rule: str) -> int:
    """Train on the pairs that agree in a rule; the number of those pairs, 0 where there were too few."""
    from splink.internals.exceptions import EMTrainingException

    pairs = _agreeing_pairs(records, rule)
    if pairs < LEAST_TRAINING_PAIRS:
        return 0
    limit = {"max_pairs": MOST_TRAINING_PAIRS, "record_sample_proportion": 1.0} if pairs > MOST_TRAINING_PAIRS else {}
    try:
        linker.training.estimate_parameters_using_expectation_maximisation(rule, **limit)
    except EMTrainingException:
        return 0
    return pairs


def _agreeing_pairs(records: Records, rule: str) -> int:
    """How many pairs agree in a rule, counted by its columns."""
    columns = [part.split("=")[0].strip().removeprefix("l.") for part in rule.split(" AND ")]
    there = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    grouped = f"SELECT count(*) AS n FROM {BLOCKED} WHERE {there} GROUP BY {', '.join(columns)}"
    (pairs,) = records.con.execute(f"SELECT coalesce(sum(n * (n - 1) / 2), 0) FROM ({grouped})").fetchone()
    return int(pairs)


def _prior(linker: Any, model: Model, records: Records) -> float:
    linker.training.estimate_probability_two_random_records_match(
        list(model.certain_pairs), recall=_RECALL_OF_CERTAIN_PAIRS
    )
    found = float(linker._settings_obj._probability_two_random_records_match)
    return found if found > 0 else default_prior(records.count)


def _levels(linker: Any) -> dict[str, list[tuple[float | None, float | None]]]:
    """m and u of every field's levels, best first; None where training said nothing."""
    found = {}
    for comparison in linker.misc.save_model_to_json()["comparisons"]:
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        found[comparison["output_column_name"]] = [
            (_number(level.get("m_probability")), _number(level.get("u_probability"))) for level in levels
        ]
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


_Pairs = list[tuple[float, float]]


def _judged(
    field: Field, found: list[tuple[float | None, float | None]] | None, prior: float
) -> tuple[_Pairs | None, str]:
    """The trained m and u of a field, or None and the sentence that says why the defaults stand."""
    if found is None or len(found) != len(field.every_level):
        return None, f"{field.name}: nothing could be trained; default weights are used."
    values = [_corrected(level, m, u, prior) for level, (m, u) in zip(field.every_level, found, strict=True)]
    if all(m == level.m for level, (m, _) in zip(field.every_level, values, strict=True)):
        return None, f"{field.name}: too few likely pairs to train on; default weights are used."
    best_m, best_u = values[0]
    if best_m <= best_u or values[-1][0] > field.most_contradicting:
        return None, f"{field.name}: what was trained is not plausible; default weights are used."
    return values, ""


def _corrected(level: Level, m: float | None, random: float | None, prior: float) -> tuple[float, float]:
    """m and u of a level, from m and the share of random pairs that agree to this degree.

    Random pairs are taken to be different people, but a few are one: random = prior × m + (1 − prior) × u. Where one of
    the two was never observed, both defaults stand, for one alone means nothing.
    """
    if m is None or abs(m - level.m) < _UNTOUCHED:
        return level.m, level.u
    m = max(m, _LEAST_M)
    if level.unique:
        return m, level.u
    if random is None or abs(random - level.u) < _UNTOUCHED:
        return level.m, level.u
    return m, max((random - prior * m) / (1 - prior), random * _LEAST_LEFT, _LEAST_U)


def _rows(field: Field, trained: _Pairs | None) -> Iterator[tuple[Any, ...]]:
    values = trained or [(level.m, level.u) for level in field.every_level]
    for level, (m, u) in zip(field.every_level, values, strict=True):
        basis = "trained" if trained and m != level.m else "default"
        yield (field.name, level.words, m, u, log2(m / u), basis)


@contextmanager
def quiet() -> Iterator[None]:
    """splink tells of its progress in its log, and which levels it could not train, which `Model` says: errors only."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
