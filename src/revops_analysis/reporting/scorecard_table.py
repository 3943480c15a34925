"""The scorecard as a table on a page: a row a measure, small enough for one printed page, a card each on a phone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from revops_analysis.models.scorecard import NO_YEAR_AGO
from revops_analysis.periods import same_period_last_year
from revops_analysis.plots.scorecard import TEAM_COLOURS
from revops_analysis.plots.style import Money, days, percent, short_number
from revops_analysis.reporting.formats import MINUS, NOTHING, is_missing
from revops_analysis.reporting.fragments import render

if TYPE_CHECKING:
    from revops_analysis.findings.scorecard_actions import Action
    from revops_analysis.models.scorecard import Scorecard

NUMBERS = ("value", "low", "high", "target", "year_ago", "change")
"""Columns of the card's lines that are numbers in the unit of their line."""

_LONGEST_FIX = 190
"""Characters of what to do for which there is room on one page in every row at once."""


@dataclass(frozen=True)
class Figured:
    """A value in words, what stands small below it, and why there is none where there is none."""

    text: str
    note: str = ""
    mark: str = ""


def render_scorecard(
    card: Scorecard, actions: Mapping[str, Action], pictures: Mapping[str, str], csv_path: str = ""
) -> str:
    """Return the card as HTML. `pictures` are SVG texts by measure."""
    rows = [_row(line, card, actions[line["measure"]], pictures) for line in card.lines.to_dict("records")]
    return render("scorecard.html.j2", rows=rows, period=card.period.label, csv_path=csv_path)


def _row(line: Mapping[Any, Any], card: Scorecard, action: Action, pictures: Mapping[str, str]) -> dict[str, Any]:
    unit, currency = line["unit"], card.currency
    trend = card.of(line["measure"])
    svg = pictures.get(line["measure"], "")
    is_split = line["measure"] == "sourced_share"
    return {
        "title": line["title"],
        "definition": line["definition"],
        "chapter": line["chapter"],
        "period": line["period"],
        "value": Figured(NOTHING, line["reason"]) if is_missing(line["value"]) else _value(line, currency),
        "parts": [] if not is_split else _parts(card),
        "picture": base64.b64encode(svg.encode()).decode("ascii"),
        "alt": "" if is_split else _told_trend(trend, unit, currency),
        "span": f"{trend['period'].iloc[0]} to {trend['period'].iloc[-1]}",
        "target": _target(line, currency),
        "year_ago": _split_a_year_ago(line, card) if is_split else _year_ago(line, currency),
        "action": action,
        "fix": _shortened(action.finding.proposed_fix if action.finding else action.words),
    }


def brief(value: float, unit: str, currency: str) -> str:
    """A value as short as a card has room for.

    >>> brief(2_741_417, "currency", "USD"), brief(0.331, "rate", "USD"), brief(66, "days", "USD")
    ('USD 2.74M', '33.1%', '66 days')
    """
    if unit in ("currency", "currency_per_day"):
        return Money(currency).short(value) + (" a day" if unit == "currency_per_day" else "")
    if unit == "rate":
        return percent(value, 1)
    return days(value) if unit == "days" else f"{value:.2f}" if unit == "ratio" else short_number(value)


def _value(line: Mapping[str, Any], currency: str) -> Figured:
    text = brief(line["value"], line["unit"], currency)
    if line["measure"] == "sourced_share":
        return Figured("", "")
    notes = []
    if not is_missing(line["low"]) and not is_missing(line["high"]):
        low, high = (brief(line[name], line["unit"], currency) for name in ("low", "high"))
        notes.append(f"{low} to {high}" + (", 80% range" if line["measure"] == "forecast" else ""))
    notes += [f"n = {int(line['n']):,}"] if not is_missing(line["n"]) else []
    return Figured(text, "; ".join(notes))


def _parts(card: Scorecard, period: str = "") -> list[dict[str, str]]:
    """The sourced split in words: team, share, and the colour of its part of the columns."""
    return [
        {
            "team": "not attributed" if is_missing(row["part"]) else str(row["part"]).replace("_", " "),
            "share": percent(row["value"]),
            "colour": TEAM_COLOURS.get(None if is_missing(row["part"]) else row["part"], ""),
        }
        for row in card.parts(period).to_dict("records")
        if not is_missing(row["value"])
    ]


def _split_a_year_ago(line: Mapping[Any, Any], card: Scorecard) -> Figured:
    """The same split in the same period of the year before, where the trend reaches back so far."""
    before = same_period_last_year(card.period, card.calendar).label
    parts = _parts(card, before)
    if not parts:
        return Figured(NOTHING, line["year_ago_reason"] or NO_YEAR_AGO)
    return Figured("", ", ".join(f"{part['team']} {part['share']}" for part in parts))


def _target(line: Mapping[str, Any], currency: str) -> Figured:
    if is_missing(line["target"]):
        return Figured(NOTHING, line["target_reason"] or "")
    text = brief(line["target"], line["unit"], currency)
    if is_missing(line["value"]) or not line["target"]:
        return Figured(text)
    is_met = line["value"] >= line["target"] if line["better"] == "higher" else line["value"] <= line["target"]
    return Figured(text, f"{percent(line['value'] / line['target'])} of it", "met" if is_met else "missed")


def _year_ago(line: Mapping[str, Any], currency: str) -> Figured:
    if is_missing(line["year_ago"]):
        return Figured(NOTHING, line["year_ago_reason"] or "")
    text = brief(line["year_ago"], line["unit"], currency)
    if is_missing(line["change"]):
        return Figured(text)
    if line["unit"] == "rate":
        moved = f"{_signed(line['change'] * 100)} points"
    elif line["year_ago"]:
        moved = f"{_signed(line['change'] / abs(line['year_ago']) * 100)}%"
    else:
        return Figured(text)
    good = line["better"] == "neither" or (line["change"] > 0) == (line["better"] == "higher") or not line["change"]
    return Figured(text, moved, "" if line["better"] == "neither" else "better" if good else "worse")


def _signed(number: float) -> str:
    text = f"{abs(number):.1f}"
    return text if text == "0.0" else f"{'+' if number > 0 else MINUS}{text}"


def _told_trend(trend: Any, unit: str, currency: str) -> str:
    """The picture in a sentence."""
    known = trend[trend["value"].notna()]
    if known.empty:
        return ""
    first, last = known.iloc[0], known.iloc[-1]
    told = [f"{brief(row['value'], unit, currency)} in {row['period']}" for row in (first, last)]
    return f"From {told[0]} to {told[1]}" if len(known) > 1 else told[1]


def _shortened(fix: str) -> str:
    """The fix, or as many of its sentences as there is room for; its chapter has the whole."""
    if len(fix) <= _LONGEST_FIX:
        return fix
    first, *others = fix.split(". ")
    if len(first) > _LONGEST_FIX:
        return f"{first[:_LONGEST_FIX].rsplit(' ', 1)[0].rstrip(',;:')} …"
    text = first
    for sentence in others:
        if len(text) + len(sentence) + 2 > _LONGEST_FIX:
            break
        text = f"{text}. {sentence}"
    return f"{text}. …"
