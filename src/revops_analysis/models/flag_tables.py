"""Warning flags as published rows and as the tables that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.models.deal_flags import LOWERS, RAISES

if TYPE_CHECKING:
    from revops_analysis.models.deal_flags import DealFlags

EFFECT_UNITS = {
    "deals": "count",
    "amount": "currency",
    **dict.fromkeys(("effect", "low", "high", "effect_within"), "rate"),
    "expected_loss": "currency",
    "past_deals": "count",
    "p_adjusted": "score",
}
DEAL_UNITS = {"amount": "currency", "effect": "rate", "expected_loss": "currency"}
CUT_UNITS = {
    **dict.fromkeys(("open_deals", "warned_deals"), "count"),
    **dict.fromkeys(("open_amount", "warned_amount", "expected_loss"), "currency"),
}
"""Units of the columns of the tables below, as a chapter's `table` takes them."""

_LARGEST = 25


def effects_table(found: DealFlags) -> pd.DataFrame:
    """A row a flag: those with a measured effect first, the strongest on top, then the others, greyed by `muted`.

    Columns: flag (its title), verdict, deals, amount (open today), effect, low, high, effect_within, expected_loss,
    past_deals, p_adjusted, reason.
    """
    has_effect = found.flags["verdict"].isin([LOWERS, RAISES])
    ordered = found.flags.assign(group=(~has_effect).astype(int)).sort_values(
        ["group", "effect"], kind="stable", na_position="last", ignore_index=True
    )
    shown = ordered.drop(columns="flag").rename(columns={"title": "flag"})
    return shown[["flag", "verdict", *EFFECT_UNITS, "reason"]]


def muted(table: pd.DataFrame) -> list[bool]:
    """Which rows of `effects_table` are greyed out: flags without a measured effect."""
    return [verdict not in (LOWERS, RAISES) for verdict in table["verdict"]]


def rules_table(found: DealFlags) -> pd.DataFrame:
    """The rule of each flag in words: flag, rule, meaning."""
    return found.flags[["title", "rule", "meaning"]].rename(columns={"title": "flag"})


def warned_table(found: DealFlags) -> pd.DataFrame:
    """The deals with the greatest expected loss: name, owner_name, stage, close_date, amount, expected_loss, effect (of
    the strongest flag) and flags."""
    columns = ["name", "owner_name", "stage", "close_date", "amount", "expected_loss", "effect", "flags"]
    return found.warned.head(_LARGEST)[columns]


def flag_figures(found: DealFlags) -> list[dict[str, Any]]:
    """Key figures: warned_deals, warned_pipeline, warned_expected_loss, flags_with_effect, and each flag's effect."""
    warned, whole = found.warned, len(found.deals)
    why = found.reason
    loss, at_stake = (round(float(warned[name].sum()), 2) for name in ("expected_loss", "amount"))
    sums: list[tuple[str, Any, str]] = [
        ("warned_deals", len(warned), "count"),
        ("warned_pipeline", at_stake, "currency"),
        ("warned_expected_loss", loss, "currency"),
        ("flags_with_effect", len(found.measured), "count"),
    ]
    rows: list[dict[str, Any]] = [
        {"metric": name, "value": None if why else value, "unit": unit, "n": whole, "reason": why}
        for name, value, unit in sums
    ]
    return rows + [_effect_row(row) for row in found.flags.to_dict("records")]


def _effect_row(row: dict[Any, Any]) -> dict[str, Any]:
    known = pd.notna(row["effect"])
    return {
        "metric": "flag_effect",
        "flag": row["flag"],
        "value": row["effect"] if known else None,
        "unit": "rate",
        "low": row["low"] if known else None,
        "high": row["high"] if known else None,
        "n": 0 if pd.isna(row["past_deals"]) else int(row["past_deals"]),
        "reason": None if known else row["reason"],
    }
