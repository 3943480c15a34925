"""Channels under one name each: words of the data, read by `channel_map` and `channel_teams` of the definitions.

A word is found whatever its case and outer spaces, first as the name of a channel that has a team, then in
`channel_map`. A word that neither knows is a channel of its own, without a team, and is listed (`unknown_channels`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pyarrow as pa

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions
    from revops_analysis.tables.snapshot import Snapshot


def channel_of(word: str | None, definitions: Definitions) -> str | None:
    """Return the channel that a word of the data means; None for no word.

    >>> from pathlib import Path
    >>> from revops_analysis.definitions import load_definitions
    >>> words = load_definitions(Path("params/definitions.yml"))
    >>> channel_of(" ADWORDS/ ", words), channel_of("Fax", words), channel_of("", words)
    ('Paid search', 'Fax', None)
    """
    plain = (word or "").strip()
    known = {_folded(name): name for name in definitions.channel_teams}
    mapped = {_folded(spelling): name for spelling, name in definitions.channel_map.items()}
    return known.get(_folded(plain)) or mapped.get(_folded(plain)) or plain or None


def numbered_channels(words: Iterable[str | None], definitions: Definitions) -> tuple[ir.Table, ir.Table]:
    """Return two small tables: word → channel_number, and channel_number → channel, team.

    The words are few, so they are read here: every engine then gives the same channel. Touches carry the number, which
    sorts and groups faster than a name.
    """
    found = sorted({word for word in words if word is not None})
    read = [channel_of(word, definitions) for word in found]
    channels = sorted({channel for channel in read if channel is not None})
    numbers = {channel: number for number, channel in enumerate(channels, 1)}
    teams = [definitions.channel_teams.get(channel) for channel in channels]
    text, small = pa.string(), pa.int16()
    by_word = {"word": pa.array(found, text), "channel_number": pa.array([numbers.get(c or "") for c in read], small)}
    by_number = {
        "channel_number": pa.array(range(1, len(channels) + 1), small),
        "channel": pa.array(channels, text),
        "team": pa.array(teams, text),
    }
    return ibis.memtable(pa.table(by_word)), ibis.memtable(pa.table(by_number))


def words_in(snapshot: Snapshot) -> tuple[str, ...]:
    """Return every word for a channel that touchpoints, campaigns and mapped activities have, in order."""

    def find() -> tuple[str, ...]:
        tables = [snapshot.table(name).select("channel") for name in ("touchpoints", "campaigns") if snapshot.has(name)]
        mapped = snapshot.definitions.attribution.activity_channels.values()
        found = [table.distinct().to_pyarrow()["channel"].to_pylist() for table in tables]
        return tuple(sorted({word for words in found for word in words if word is not None} | set(mapped)))

    return snapshot.once("words for channels", find)


def unknown_channels(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the channels that no team runs because neither `channel_map` nor `channel_teams` knows their word."""
    definitions = snapshot.definitions
    channels = {channel_of(word, definitions) for word in words_in(snapshot)} - {None}
    return tuple(sorted(str(channel) for channel in channels if channel not in definitions.channel_teams))


def _folded(word: str) -> str:
    return word.strip().casefold()
