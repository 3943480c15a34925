"""From numpy arrays to typed Arrow columns, without a Python object a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from revops_analysis.simulation.timeline import NO_DAY
from revops_analysis.tables.columns import Kind
from revops_analysis.tables.schema import TABLES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Values: TypeAlias = Any
"""A numpy array, or an Arrow array where the values are text."""
Columns: TypeAlias = dict[str, Values]

ARROW_TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "money": pa.decimal128(18, 2),
    "rate": pa.decimal128(18, 6),
    "number": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
}
_DIGITS = {"money": 2, "rate": 6}


def identifiers(prefix: str, numbers: Ints) -> pa.Array:
    """Keys such as `OPP-000000123`; −1 gives null."""
    text = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 9, "0")
    joined = pc.binary_join_element_wise(prefix, text, "-")
    return pc.if_else(pa.array(numbers >= 0), joined, pa.scalar(None, pa.string()))


def pick(words: Sequence[str] | pa.Array, codes: NDArray) -> pa.Array:
    """The word at each code; −1 gives null."""
    pool = words if isinstance(words, pa.Array | pa.ChunkedArray) else pa.array(words, pa.string())
    return pool.take(pa.array(codes, mask=codes < 0))


def join(*parts: pa.Array | str, sep: str = "") -> pa.Array:
    """Texts joined element by element; a null part makes the whole null."""
    return pc.binary_join_element_wise(*parts, sep)


def fixed_point(values: Floats, digits: int) -> pa.Array:
    """Exact decimals from floats, rounded to `digits`; NaN gives null."""
    missing = np.isnan(values)
    whole = np.rint(np.where(missing, 0.0, values) * 10.0**digits).astype(np.int64)
    halves = np.empty((len(whole), 2), dtype=np.int64)
    halves[:, 0], halves[:, 1] = whole, whole >> 63
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes()) if missing.any() else None
    return pa.Array.from_buffers(pa.decimal128(18, digits), len(whole), [valid, pa.py_buffer(halves.tobytes())])


def typed(values: Values, kind: Kind) -> pa.Array:
    """One column in the type of the schema. Missing: NaN for numbers, `NO_DAY` for days and moments."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if kind in _DIGITS:
        return fixed_point(values, _DIGITS[kind])
    if kind == "date":
        days = np.where(values == NO_DAY, 0, values).astype(np.int32)
        return pa.array(days, pa.int32(), mask=values == NO_DAY).cast(pa.date32())
    if kind == "timestamp":
        return pa.array(values, pa.int64(), mask=values == NO_DAY).cast(pa.timestamp("us"))
    missing = np.isnan(values) if kind == "number" else None
    return pa.array(values, ARROW_TYPES[kind], mask=missing)


def keep_rows(table: Columns, rows: NDArray[np.bool_]) -> Columns:
    """The rows of every column that the mask marks."""
    return take_rows(table, np.flatnonzero(rows))


def take_rows(table: Columns, rows: Ints) -> Columns:
    """Those rows of every column, in that order."""
    return {name: take(values, rows) for name, values in table.items()}


def take(values: Values, rows: Ints) -> Values:
    """Those entries of one column."""
    return values.take(pa.array(rows)) if isinstance(values, pa.Array) else values[rows]


def append_rows(table: Columns, more: Columns) -> Columns:
    """The rows of the second table below those of the first, which has the same columns."""
    return {
        name: pa.concat_arrays([values, more[name]])
        if isinstance(values, pa.Array)
        else np.concatenate([values, more[name]])
        for name, values in table.items()
    }


def canonical(name: str, columns: Columns) -> pa.Table:
    """The table `name` with exactly the columns of its schema, in their order and types; absent ones are null.

    Raises KeyError for a column that the schema does not have.
    """
    schema = TABLES[name]
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise KeyError(f"{name} has no columns {sorted(unknown)}")
    length = len(next(iter(columns.values())))
    arrays = [
        typed(columns[column.name], column.kind)
        if column.name in columns
        else pa.nulls(length, ARROW_TYPES[column.kind])
        for column in schema.columns
    ]
    return pa.table(arrays, schema=pa.schema([(c.name, ARROW_TYPES[c.kind]) for c in schema.columns]))
