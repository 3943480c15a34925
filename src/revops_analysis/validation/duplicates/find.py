"""Looking for duplicates: who is in the CRM twice, how sure that is, and what is open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.validation.duplicates.blocking import add_blocks
from revops_analysis.validation.duplicates.clusters import REVIEW, SAME, cluster
from revops_analysis.validation.duplicates.model import Model, model_of
from revops_analysis.validation.duplicates.records import Records, read_records
from revops_analysis.validation.duplicates.scoring import score
from revops_analysis.validation.duplicates.training import Weights, train

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

THRESHOLD = 0.95
"""Probability from which two records are taken to be one."""

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Found:
    """What looking through one table gave.

    `pairs`: as `scoring.Scored`, with verdict (same, review, apart) and reason. `clusters`: as `clusters.Clustered`.
    `weights`: what each agreement weighs, trained or default. `blocks`: how many comparisons each key brought and what
    was left out. `records`: how many were looked at (of leads and contacts, the leads); `compared`: how many pairs.
    """

    table: str
    threshold: float
    records: int
    compared: int
    pairs: pd.DataFrame
    clusters: pd.DataFrame
    weights: Weights
    blocks: pd.DataFrame
    model: Model

    @property
    def copies(self) -> int:
        """Records that a merge would retire."""
        return int(len(self.clusters) - self.clusters["cluster"].nunique())

    @property
    def review(self) -> pd.DataFrame:
        """Pairs that a person should decide."""
        return self.pairs[self.pairs["verdict"] == REVIEW]

    @property
    def linked(self) -> pd.DataFrame:
        """Pairs that are taken to be one."""
        return self.pairs[self.pairs["verdict"] == SAME]


def find_duplicates(snapshot: Snapshot, table: str, threshold: float = THRESHOLD, say: Say = lambda _: None) -> Found:
    """Look for duplicates in a table as of the snapshot's day (`records.TABLES`).

    The same data give the same answer, whatever the order of their rows. Raises ConfigurationError for a table that
    cannot be looked through and for a threshold outside 0.5 to 1.
    """
    if not 0.5 <= threshold < 1:
        raise ConfigurationError(
            "Not a threshold.",
            expected="a probability from 0.5 to below 1",
            found=str(threshold),
            where="threshold",
            fix="write for example 0.95; a higher one links less and errs less",
        )
    say("Reading the records")
    records = read_records(snapshot, table)
    return search(records, threshold, say)


def known_duplicates(
    snapshot: Snapshot, table: str, threshold: float | None = None, say: Say = lambda _: None
) -> Found:
    """As `find_duplicates`, in the rows as loaded; found once a snapshot, however often it is asked for.

    `threshold` is by default that of the definitions.
    """
    limit = snapshot.definitions.duplicates.threshold if threshold is None else threshold
    return snapshot.once(("found", table, limit), lambda: find_duplicates(snapshot.as_loaded, table, limit, say))


def search(records: Records, threshold: float, say: Say = lambda _: None) -> Found:
    """Train, compare and cluster normalised records; closes their connection."""
    model = model_of(records.table)
    try:
        blocks = add_blocks(records, model)
        looked_up = _looked_up(records)
        weights = train(records, model, say)
        say("Comparing records")
        scored = score(records, model, weights)
        say("Joining them to clusters")
        joined = cluster(records, model, scored.frame, threshold)
    finally:
        records.con.close()
    pairs = scored.frame.assign(verdict=joined.verdicts["verdict"], reason=joined.verdicts["reason"])
    return Found(records.table, threshold, looked_up, scored.compared, pairs, joined.clusters, weights, blocks, model)


def _looked_up(records: Records) -> int:
    """How many records were looked at; of leads and contacts, the leads."""
    if not records.is_link:
        return records.count
    left = records.table.split("-")[0]
    (count,) = records.con.execute("SELECT count(*) FROM records WHERE source_dataset = ?", [left]).fetchone()
    return int(count)
