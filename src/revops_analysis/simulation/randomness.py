"""Random numbers by name, so that a new draw in one place changes nothing elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

COMPANY = 1_000_000
"""Block number of what all blocks share: market, exchange rates, campaigns."""


@dataclass(frozen=True)
class Streams:
    """Generators derived from a seed, a block and a name.

    The same three give the same numbers, in whatever order the streams are used.

    >>> float(Streams(0, 0)("deals").random()) == float(Streams(0, 0)("deals").random())
    True
    """

    seed: int
    block: int

    def __call__(self, name: str) -> np.random.Generator:
        """The generator called `name`, from its beginning."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(self.block, crc32(name.encode())))
        return np.random.Generator(np.random.SFC64(sequence))
