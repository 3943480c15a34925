"""Why two records are taken to be one: which fields agree or disagree, and how much each weighs, in words.

The sentences name fields, never their values: they may stand in a report, where people's names are masked.
"""

from __future__ import annotations

import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.validation.duplicates.find import Found
from revops_analysis.validation.duplicates.model import Field
from revops_analysis.validation.duplicates.training import field_column

START = "where every pair starts"

EXPLANATION_COLUMNS = ("left", "right", "field", "agreement", "weight", "speaks")
_LITTLE = 0.05


def explain(found: Found, pairs: pd.DataFrame | None = None) -> pd.DataFrame:
    """The weight of each field of each pair: a row a pair and field, first the start, then in the order of the fields.

    Columns: left, right, field, agreement (in words), weight (bits: each bit doubles the odds; the weights of a pair
    add up to its own), speaks (for, against, neither). `pairs` are rows of `found.pairs`, by default all.
    """
    chosen = found.pairs if pairs is None else pairs
    parts = [_start(found, chosen), *(_of_field(field, chosen) for field in found.model.fields)]
    frame = pd.concat([part.assign(order=order) for order, part in enumerate(parts)], ignore_index=True)
    frame["speaks"] = "neither"
    frame.loc[frame["weight"] >= _LITTLE, "speaks"] = "for"
    frame.loc[frame["weight"] <= -_LITTLE, "speaks"] = "against"
    ordered = frame.sort_values(["left", "right", "order"], kind="stable").reset_index(drop=True)
    return ordered[list(EXPLANATION_COLUMNS)]


def sentences(found: Found, pairs: pd.DataFrame | None = None) -> pd.Series:
    """One sentence a pair, in the order and with the index of `pairs`: what speaks for, what against, and the sum.

    As in "same last name +7.6, same phone +14.2; against: different companies −8.8; start −14.6: −1.6 bits, 25%".
    """
    chosen = found.pairs if pairs is None else pairs
    if chosen.empty:
        return pd.Series([], index=chosen.index, dtype=object)
    rows = explain(found, chosen)
    by_pair = {key: _sentence(group) for key, group in rows.groupby(["left", "right"], sort=False)}
    chances = chosen["probability"].astype(float)
    keys = zip(chosen["left"], chosen["right"], chances, strict=True)
    return pd.Series([f"{by_pair[one, other]}, {_percent(chance)}" for one, other, chance in keys], chosen.index)


def waterfall(found: Found, left: str, right: str) -> pd.DataFrame:
    """The weights of one pair, in the order in which they add up; columns as `explain`.

    Raises ConfigurationError when the pair was not scored.
    """
    pairs = found.pairs
    both = {left, right}
    mine = pairs[pairs["left"].isin(both) & pairs["right"].isin(both)]
    if mine.empty:
        raise ConfigurationError(
            "These two records were not compared, or are not at all alike.",
            expected="a pair of the result's pairs",
            found=f"{left}, {right}",
            fix="choose one of the rows of .pairs",
        )
    return explain(found, mine)


def _start(found: Found, pairs: pd.DataFrame) -> pd.DataFrame:
    weights = [f"weight_{field_column(field)}" for field in found.model.fields]
    start = pairs["weight"].astype(float) - pairs[weights].astype(float).sum(axis=1)
    return _part(pairs, "start", pd.Series(START, pairs.index), start)


def _of_field(field: Field, pairs: pd.DataFrame) -> pd.DataFrame:
    name = field_column(field)
    words = {-1: field.unknown_words} | {place: level.words for place, level in enumerate(field.every_level)}
    return _part(pairs, field.name, pairs[f"level_{name}"].map(words), pairs[f"weight_{name}"].astype(float))


def _part(pairs: pd.DataFrame, field: str, agreement: pd.Series, weight: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {"left": pairs["left"], "right": pairs["right"], "field": field, "agreement": agreement, "weight": weight}
    )


def _sentence(rows: pd.DataFrame) -> str:
    start, fields = rows.iloc[0], rows.iloc[1:]
    favourable = [_weighed(row) for row in fields[fields["speaks"] == "for"].itertuples()]
    contrary = [_weighed(row) for row in fields[fields["speaks"] == "against"].itertuples()]
    against = f"against: {', '.join(contrary)}; " if contrary else ""
    total = rows["weight"].sum()
    return (
        f"{', '.join(favourable) or 'nothing in favour'}; {against}start {_bits(start['weight'])}: {_bits(total)} bits"
    )


def _weighed(row: object) -> str:
    return f"{row.agreement} {_bits(row.weight)}"  # type: ignore[attr-defined]


def _bits(weight: float) -> str:
    return f"{weight:+.1f}".replace("-", "−")


def _percent(chance: float) -> str:
    """A chance in percent; never 100%, which no sum of evidence is.

    >>> _percent(0.5), _percent(0.99999)
    ('50.0%', '> 99.9%')
    """
    return "> 99.9%" if chance > 0.999 else f"{chance:.1%}"
