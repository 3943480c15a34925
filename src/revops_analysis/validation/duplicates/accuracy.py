"""How right the clusters are, where it is known who everybody is."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Accuracy:
    """Pairs and clusters against the truth; shares are None where there is nothing to share.

    `precision`: of the pairs put together, how many are one; `recall`: of the pairs that are one, how many were put
    together. `cluster_precision`: of the clusters of two or more found, how many hold exactly the records of one person
    or company; `cluster_recall`: of those that are there more than once, how many were found whole and alone.
    """

    true_pairs: int
    found_pairs: int
    right_pairs: int
    true_clusters: int
    found_clusters: int
    right_clusters: int

    @property
    def precision(self) -> float | None:
        """Share of the pairs found that are right."""
        return self.right_pairs / self.found_pairs if self.found_pairs else None

    @property
    def recall(self) -> float | None:
        """Share of the true pairs that were found."""
        return self.right_pairs / self.true_pairs if self.true_pairs else None

    @property
    def cluster_precision(self) -> float | None:
        """Share of the clusters found that are exactly right."""
        return self.right_clusters / self.found_clusters if self.found_clusters else None

    @property
    def cluster_recall(self) -> float | None:
        """Share of the true clusters that were found exactly."""
        return self.right_clusters / self.true_clusters if self.true_clusters else None


def accuracy(identity: pd.Series, clusters: pd.DataFrame) -> Accuracy:
    """Compare clusters (columns cluster and record) with `identity`: who each record is, indexed by its key.

    Records in no cluster stand alone; clustered records that are not in `identity` are left out.

    >>> identity = pd.Series({"a": "Ann", "b": "Ann", "c": "Bob"})
    >>> found = accuracy(identity, pd.DataFrame({"cluster": ["a", "a"], "record": ["a", "b"]}))
    >>> found.precision, found.recall, found.cluster_recall
    (1.0, 1.0, 1.0)
    """
    own = pd.Series(identity.index, index=identity.index, dtype=object)
    found = own.map(clusters.set_index("record")["cluster"]).fillna(own) if len(clusters) else own
    both = pd.DataFrame({"true": identity.astype(object), "found": found.astype(object)})
    together = both.groupby(["true", "found"], sort=False).size()
    true, made = both["true"].value_counts(), both["found"].value_counts()
    cells = together.reset_index(name="n")
    cells["of_true"], cells["of_found"] = cells["true"].map(true), cells["found"].map(made)
    whole = (cells["n"] > 1) & (cells["n"] == cells["of_true"]) & (cells["n"] == cells["of_found"])
    return Accuracy(
        true_pairs=_pairs(true),
        found_pairs=_pairs(made),
        right_pairs=_pairs(together),
        true_clusters=int((true > 1).sum()),
        found_clusters=int((made > 1).sum()),
        right_clusters=int(whole.sum()),
    )


def _pairs(sizes: pd.Series) -> int:
    return int((sizes * (sizes - 1) // 2).sum())
