"""Clusters: who is one with whom, so that no cluster holds two records that cannot be one.

Links alone would chain: `J. Miller` fits Jane and Jack, and the three would become one person. So where a chain joins
records that clash, its links are taken strongest first, and a link that would bring clashing records together is left
out. A record that fits two clashing ones about equally well is linked to neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from revops_analysis.validation.duplicates.model import Model
from revops_analysis.validation.duplicates.records import Records
from revops_analysis.validation.duplicates.scoring import clash_words, paired, record_columns

EVEN_BITS = 3.0
"""Links to two clashing records whose weights differ by less leave it open which of them is meant."""

CLUSTER_COLUMNS = ("cluster", "record", "is_survivor", "size")

SAME, REVIEW, APART = "same", "review", "apart"
AMBIGUOUS = "fits two records that cannot be one, about equally well"
FORBIDDEN_BY_CHAIN = "would join records that cannot be one"
BETTER = "another contact fits better or as well"
BELOW = "below the threshold"


@dataclass(frozen=True)
class Clustered:
    """`clusters`: a row a record of a cluster of two or more: cluster (the survivor's key), record, is_survivor, size.

    `verdicts`: for each scored pair, in its order, the verdict (same: in one cluster; review: a person should decide;
    apart: something forbids it) and the reason (null for same).
    """

    clusters: pd.DataFrame
    verdicts: pd.DataFrame


def cluster(records: Records, model: Model, pairs: pd.DataFrame, threshold: float) -> Clustered:
    """Join linked records to clusters; `pairs` as `scoring.score` gives them. The order of rows makes no difference.

    The survivor is the record that was created first; of those, the one with the most fields filled, then the smallest
    key. What was never dated counts as created last.
    """
    verdict, reason = _pairwise(model, pairs, threshold)
    linked = pairs.loc[verdict == SAME, ["left", "right", "weight"]]
    dropped = _all_but_best(records, model, linked) if records.is_link else _contested(records, model, linked)
    places = list(dropped)
    reason[places] = [dropped[place] for place in places]
    verdict[places] = [APART if dropped[place] == BETTER else REVIEW for place in places]
    kept = pairs.loc[verdict == SAME, ["left", "right"]]
    members = _components(kept)
    return Clustered(_with_survivors(records, members), pd.DataFrame({"verdict": verdict, "reason": reason}))


def _pairwise(model: Model, pairs: pd.DataFrame, threshold: float) -> tuple[pd.Series, pd.Series]:
    likely = pairs["probability"].astype(float) >= threshold
    forbidden = pairs["clash"].notna()
    nameless = ~pairs["is_identified"].astype(bool)
    verdict = pd.Series(SAME, index=pairs.index, dtype=object)
    reason = pd.Series(None, index=pairs.index, dtype=object)
    # The last of these that holds is the one that is told.
    for holds, said, why in ((~likely, REVIEW, BELOW), (nameless, APART, model.unidentified_words)):
        verdict, reason = verdict.mask(holds, said), reason.mask(holds, why)
    reason = reason.mask(forbidden, pairs["clash"]).astype(object)
    return verdict.mask(forbidden, APART), reason.where(reason.notna(), None)


def _components(links: pd.DataFrame) -> pd.DataFrame:
    """Connected records: a row a record with the number of its component."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    keys, codes = np.unique(links[["left", "right"]].to_numpy(dtype=object).ravel(), return_inverse=True)
    ends = codes.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(len(keys), len(keys)))
    _, number = connected_components(graph, directed=False) if len(keys) else (0, np.empty(0, dtype=np.int64))
    return pd.DataFrame({"record": keys, "component": number})


def _with_survivors(records: Records, members: pd.DataFrame) -> pd.DataFrame:
    if members.empty:
        return pd.DataFrame(columns=list(CLUSTER_COLUMNS))
    con = records.con
    con.register("members", members)
    # A contact outlives the leads that came from it.
    first = "source_dataset <> 'contacts', " if records.is_link else ""
    frame = con.execute(
        f"""
        SELECT first_value(record) OVER by_rank AS cluster, record, row_number() OVER by_rank = 1 AS is_survivor,
            count(*) OVER (PARTITION BY component) AS size
        FROM members JOIN records ON unique_id = record
        WINDOW by_rank AS (
            PARTITION BY component ORDER BY {first}created_at ASC NULLS LAST, filled DESC, unique_id
        )
        ORDER BY cluster, is_survivor DESC, record
        """
    ).df()
    con.unregister("members")
    return frame


def _contested(records: Records, model: Model, linked: pd.DataFrame) -> dict[int, str]:
    """The links that are left out, and why, of components in which records clash."""
    members = _components(linked)
    sizes = members.groupby("component")["record"].transform("size")
    clashes = _clashes(records, model, members[sizes > 2])
    if clashes.empty:
        return {}
    component = dict(zip(members["record"], members["component"], strict=True))
    forbidden: dict[str, set[str]] = {}
    for one, other in clashes.itertuples(index=False):
        forbidden.setdefault(one, set()).add(other)
        forbidden.setdefault(other, set()).add(one)
    touched = {component[record] for record in forbidden}
    mine = linked[linked["left"].map(component).isin(touched)]
    dropped = _ambiguous(mine, forbidden)
    rest = mine.drop(index=list(dropped))
    order = rest.sort_values(["weight", "left", "right"], ascending=[False, True, True])
    return dropped | dict.fromkeys(_joining_clashes(order, forbidden), FORBIDDEN_BY_CHAIN)


def _clashes(records: Records, model: Model, members: pd.DataFrame) -> pd.DataFrame:
    """Pairs of records of one component that cannot be one."""
    if members.empty:
        return pd.DataFrame(columns=["left", "right"])
    con = records.con
    con.register("members", members)
    both = (
        '(SELECT a.record AS "left", b.record AS "right" FROM members a JOIN members b '
        "ON a.component = b.component AND a.record < b.record)"
    )
    found = con.execute(
        f'SELECT "left", "right" FROM ({paired(both, record_columns(records))}) WHERE {clash_words(model)} IS NOT NULL '
        'ORDER BY "left", "right"'
    ).df()
    con.unregister("members")
    return found


def _ambiguous(links: pd.DataFrame, forbidden: Mapping[str, set[str]]) -> dict[int, str]:
    """Links of a record to two clashing ones that weigh about the same. Contested components are few and small."""
    by_record: dict[str, list[tuple[int, str, float]]] = {}
    for place, left, right, weight in links.itertuples():
        by_record.setdefault(left, []).append((place, right, weight))
        by_record.setdefault(right, []).append((place, left, weight))
    open_links = set()
    for ends in by_record.values():
        for index, (place, one, weight) in enumerate(ends):
            for other_place, other, other_weight in ends[index + 1 :]:
                if other in forbidden.get(one, ()) and abs(weight - other_weight) < EVEN_BITS:
                    open_links |= {place, other_place}
    return dict.fromkeys(sorted(open_links), AMBIGUOUS)


def _joining_clashes(links: pd.DataFrame, forbidden: Mapping[str, set[str]]) -> Iterable[int]:
    """Taken in this order, the links that would bring clashing records into one group."""
    group: dict[str, set[str]] = {}
    left_out = []
    for place, left, right in links[["left", "right"]].itertuples():
        one, other = group.setdefault(left, {left}), group.setdefault(right, {right})
        if one is other:
            continue
        if any(forbidden.get(record, set()) & other for record in one):
            left_out.append(place)
            continue
        one |= other
        group.update(dict.fromkeys(other, one))
    return left_out


def _all_but_best(records: Records, model: Model, linked: pd.DataFrame) -> dict[int, str]:
    """Of each record on the left, all links but the strongest; that one too if a clashing record fits as well."""
    ranked = linked.sort_values(["left", "weight", "right"], ascending=[True, False, True])
    best = ranked.groupby("left", sort=False).head(1).set_index("left")
    others = ranked[ranked.duplicated("left")]
    rivals = others.assign(best=others["left"].map(best["right"]), ahead=others["left"].map(best["weight"]))
    even = rivals[rivals["ahead"] - rivals["weight"] < EVEN_BITS]
    both = pd.DataFrame({"record": pd.concat([even["best"], even["right"]]), "component": [*even.index, *even.index]})
    clashing = _clashes(records, model, both.drop_duplicates())
    known = {frozenset(pair) for pair in clashing.itertuples(index=False, name=None)}
    couples = zip(even["left"], even["best"], even["right"], strict=True)
    open_left = {left for left, best, other in couples if frozenset((best, other)) in known}
    ambiguous = ranked.index[ranked["left"].isin(open_left)]
    dropped = dict.fromkeys(others.index, BETTER)
    return dropped | dict.fromkeys(ambiguous, AMBIGUOUS)
