"""What a chapter shows of duplicates, in one call: clusters, pairs, why, what they touch, and the plan to merge them.

duplicates = duplicate_people(ws)
duplicates.headline, duplicates.effects, duplicates.merge_plan()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.validation.duplicates.effects import OPEN_DEALS, effects
from revops_analysis.validation.duplicates.explain import sentences
from revops_analysis.validation.duplicates.find import Found, known_duplicates
from revops_analysis.validation.duplicates.merge_plan import merge_plan

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.validation.duplicates.plan_steps import MergePlan

_WORDS = {"contacts": "contact", "accounts": "account", "leads": "lead"}


@dataclass(frozen=True, eq=False)
class Duplicates:
    """The duplicates of one table as of a day.

    `found` is what was found (see `find.Found`); `effects` what it touches (see `effects.effects`).
    """

    snapshot: Snapshot
    found: Found
    effects: pd.DataFrame

    @property
    def clusters(self) -> pd.DataFrame:
        """A row a record of a cluster: cluster (the survivor's key), record, is_survivor, size."""
        return self.found.clusters

    @property
    def pairs(self) -> pd.DataFrame:
        """A row a pair that is at least as likely one as not: keys, weight, probability, verdict, reason, fields."""
        return self.found.pairs

    @property
    def review(self) -> pd.DataFrame:
        """Pairs for a person to decide, likeliest first: left, right, probability, reason, evidence (a sentence)."""
        return _told(self.found, self.found.review)

    @property
    def summary(self) -> pd.DataFrame:
        """One row: table, records, copies (that a merge would retire), share (of records), clusters, largest, review.

        `basis` says whether the weights were trained, and of how many fields not.
        """
        found = self.found
        sizes = found.clusters["size"].astype("int64")
        row = {
            "table": found.table,
            "records": found.records,
            "copies": found.copies,
            "share": found.copies / found.records if found.records else None,
            "clusters": int(found.clusters["cluster"].nunique()),
            "largest": int(sizes.max()) if len(sizes) else 0,
            "review": len(found.review),
            "basis": basis_in_words(found),
        }
        return pd.DataFrame([row])

    @property
    def headline(self) -> str:
        """The finding in a sentence: how many duplicates, in how many clusters, and the money they touch."""
        found, clusters = self.found, int(self.found.clusters["cluster"].nunique())
        if not found.records:
            return f"There are no {found.table.split('-')[0]} in which to look for duplicates."
        if found.table == "leads-contacts":
            return f"{len(found.linked):,} of {found.records:,} leads are contacts already{self._money()}."
        word = _WORDS[found.table]
        if not found.copies:
            return f"No duplicate {word}s were found among {found.records:,}."
        return (
            f"{found.copies:,} of {found.records:,} {word}s are copies ({found.copies / found.records:.1%}), in "
            f"{clusters:,} clusters{self._money()}."
        )

    def _money(self) -> str:
        rows = self.effects[self.effects["what"] == OPEN_DEALS]
        if rows.empty or not int(rows["rows"].iloc[0]):
            return ""
        number, amount, currency = int(rows["rows"].iloc[0]), rows["amount"].iloc[0], rows["currency"].iloc[0]
        return f", on {number:,} open deals worth {amount:,.0f} {currency}"

    @property
    def figures(self) -> pd.DataFrame:
        """Key figures: records, copies and their share, clusters, pairs to review, open amount touched.

        Columns: metric, table, value, unit, n (records) and reason; the amount is null where the source has no deals
        with contacts.
        """
        row, found = self.summary.iloc[0], self.found
        touched = self.effects[self.effects["what"] == OPEN_DEALS]
        amount = None if touched.empty else float(touched["amount"].iloc[0])
        nothing = None if found.records else "no records"
        values: list[tuple[str, float | int | None, str, str | None]] = [
            ("duplicate_copies", int(row["copies"]), "count", None),
            ("duplicate_share", None if nothing else float(row["share"]), "rate", nothing),
            ("duplicate_clusters", int(row["clusters"]), "count", None),
            ("duplicate_pairs_to_review", int(row["review"]), "count", None),
            ("duplicate_open_amount", amount, "currency", "no deals by contact" if amount is None else None),
        ]
        frame = pd.DataFrame(values, columns=["metric", "value", "unit", "reason"])
        return frame.assign(table=found.table, n=found.records)

    def examples(self, number: int = 5) -> pd.DataFrame:
        """The linked pairs that were hardest to tell, least likely first; columns as `review`."""
        linked = self.found.linked.sort_values(["weight", "left", "right"], kind="stable")
        return _told(self.found, linked.head(number), ascending=True)

    def merge_plan(self) -> MergePlan:
        """What merging would change; nothing is changed (see `plan_steps.MergePlan`)."""
        return merge_plan(self.snapshot, self.found)


def duplicates_in(
    snapshot: Snapshot, table: str, threshold: float | None = None, say: Callable[[str], None] = lambda _: None
) -> Duplicates:
    """The duplicates of a table (contacts, accounts, leads, leads-contacts) as of the snapshot's day.

    They are looked for in the rows as loaded, also where figures count them under their survivors. `threshold` is by
    default that of the definitions. Found once a snapshot, however often it is asked for.

    Raises ConfigurationError for another table, and for a threshold that is no probability from 0.5 to below 1.
    """
    limit = snapshot.definitions.duplicates.threshold if threshold is None else threshold

    def look() -> Duplicates:
        loaded, found = snapshot.as_loaded, known_duplicates(snapshot, table, limit, say)
        return Duplicates(loaded, found, effects(loaded, found))

    return snapshot.once(("duplicates", table, limit), look)


def duplicate_people(snapshot: Snapshot) -> Duplicates:
    """Contacts who are in the CRM more than once; see `duplicates_in`."""
    return duplicates_in(snapshot, "contacts")


def duplicate_accounts(snapshot: Snapshot) -> Duplicates:
    """Companies that are in the CRM more than once; see `duplicates_in`."""
    return duplicates_in(snapshot, "accounts")


def side_by_side(*duplicates: Duplicates) -> pd.DataFrame:
    """The summaries of several tables, a row each; columns as `Duplicates.summary`."""
    return pd.concat([each.summary for each in duplicates], ignore_index=True)


def touched(*duplicates: Duplicates) -> pd.DataFrame:
    """What the duplicates of several tables touch: table, what, rows, amount, currency."""
    parts = [each.effects.assign(table=each.found.table) for each in duplicates]
    return pd.concat(parts, ignore_index=True)[["table", "what", "rows", "amount", "currency"]]


def basis_in_words(found: Found) -> str:
    """Whether the weights of the fields were learned from these records.

    As in "trained on these records", or "default weights for email, phone; the rest trained".
    """
    frame = found.weights.frame
    trained = set(frame.loc[frame["basis"] == "trained", "field"])
    missing = [name for name in dict.fromkeys(frame["field"]) if name not in trained]
    if not missing:
        return "trained on these records"
    if not trained:
        return "default weights: nothing could be trained"
    return f"default weights for {', '.join(missing)}; the rest trained"


def _told(found: Found, pairs: pd.DataFrame, ascending: bool = False) -> pd.DataFrame:
    order = pairs.sort_values(["weight", "left", "right"], ascending=[ascending, True, True], kind="stable")
    shown = order[["left", "right", "probability", "reason"]].reset_index(drop=True)
    return shown.assign(evidence=sentences(found, order).to_numpy())
