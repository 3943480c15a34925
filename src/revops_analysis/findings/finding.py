"""What is wrong, how sure, what it costs and what to do: the one shape in which chapters, index and mail say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

import pandas as pd

from revops_analysis.errors import ConfigurationError

Severity = Literal["critical", "warning", "info", "watch"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info", "watch")
"""From the worst on. `watch` is not proven: a comparison that may be chance, listed after all that is."""

MOST = 0.999
"""The highest confidence a statistical finding is given: models of chance are never that exact in their tails."""


@dataclass(frozen=True)
class Evidence:
    """What a finding rests on.

    `effect` is the measured size, in `unit` (rate, days, currency, ratio, count); `low` and `high` its 95% interval,
    None where it has none, as a plain count or sum does. `p_adjusted` is the p-value after control of false discovery
    over all cuts looked at, to be read against 5% (on the watch list: over all that is watched, against 20%), and
    `among` how many the detector looked at; both None where nothing was tested. `n` is the number of deals, accounts or
    other cases.
    """

    n: int
    effect: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    p_adjusted: float | None = None
    among: int | None = None


@dataclass(frozen=True)
class Place:
    """Where the reader finds the detail: the chapter's name and its section."""

    chapter: str
    section: str


@dataclass(frozen=True)
class Finding:
    """One problem, in words a reader can act on.

    `id` names the detector and the cut it found, and stays the same from report to report while the problem lasts.
    `what` is a sentence with the figures in it. `money` is what is at stake, as a positive amount rounded to cents in
    `currency`; None where no honest amount can be named. `concerned` is the amount of what the finding is about (of
    deals that stand, say), which nobody says is lost. `confidence` runs from 0 to 1: how sure it is that the problem is
    real and not chance. `owner` is who should act; `proposed_fix` comes from the playbook. `about` is a key that
    findings share when they say the same in other words, empty where no other does.

    Raises ConfigurationError for an empty text, a confidence outside 0 to 1, and an amount that is negative or has no
    currency.
    """

    id: str
    what: str
    evidence: Evidence
    money: Decimal | None
    currency: str | None
    confidence: float
    severity: Severity
    owner: str
    proposed_fix: str
    place: Place
    about: str = ""
    concerned: Decimal | None = None

    def __post_init__(self) -> None:
        problems = [f"{name} is empty" for name in ("id", "what", "owner", "proposed_fix") if not getattr(self, name)]
        if not 0 <= self.confidence <= 1:
            problems.append(f"confidence {self.confidence} is not between 0 and 1")
        if self.severity not in SEVERITIES:
            problems.append(f"severity {self.severity!r} is none of {', '.join(SEVERITIES)}")
        amounts = {"money": self.money, "concerned": self.concerned}
        for name, amount in amounts.items():
            if amount is not None and (not isinstance(amount, Decimal) or amount < 0 or not self.currency):
                problems.append(f"{name} {amount!r} is not a Decimal ≥ 0 with a currency")
        if problems:
            raise ConfigurationError(
                "A finding is incomplete.", found="; ".join(problems), where=f"finding {self.id!r}"
            )
        for name, amount in amounts.items():
            if amount is not None:
                object.__setattr__(self, name, amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))

    @property
    def is_proven(self) -> bool:
        """Whether it stands by itself; what is only worth watching does not."""
        return self.severity != "watch"

    @property
    def expected_money(self) -> Decimal | None:
        """Money × confidence, by which findings are ranked; None without money."""
        return None if self.money is None else self.money * Decimal(repr(self.confidence))

    def to_json(self) -> dict[str, Any]:
        """The finding as plain values; money is a decimal string with two places."""
        amounts = {"money": self.money, "concerned": self.concerned}
        return {**asdict(self), **{name: None if value is None else f"{value:f}" for name, value in amounts.items()}}


def finding_from_json(row: Mapping[str, Any]) -> Finding:
    """The finding that `Finding.to_json` wrote down."""
    amounts = {name: None if row.get(name) is None else Decimal(row[name]) for name in ("money", "concerned")}
    nested = {**amounts, "evidence": Evidence(**row["evidence"]), "place": Place(**row["place"])}
    return Finding(**{**row, **nested})


def rank(findings: Iterable[Finding]) -> list[Finding]:
    """What is proven before what is worth watching, and of each most expected money first; without duplicates.

    Money × confidence, largest first. Findings without money follow: what is at stake is not known, which is not zero,
    but it cannot be said to be more than what others have shown. Among them and in ties: severity, confidence, the
    amount concerned, then id, so that the order never depends on the order of discovery. Of findings with one id, the
    first in that order is kept.
    """
    first: dict[str, Finding] = {}
    for finding in sorted(findings, key=_place_in_order):
        first.setdefault(finding.id, finding)
    return list(first.values())


def distinct(findings: Iterable[Finding]) -> list[Finding]:
    """`rank`, and of findings about the same only the first: two chapters may say one thing in their own words."""
    first: dict[str, Finding] = {}
    for finding in rank(findings):
        first.setdefault(finding.about or f"only {finding.id}", finding)
    return list(first.values())


def _place_in_order(finding: Finding) -> tuple[Any, ...]:
    expected = finding.expected_money
    return (
        not finding.is_proven,
        expected is None,
        -(expected or Decimal(0)),
        SEVERITIES.index(finding.severity),
        -finding.confidence,
        -(finding.concerned or Decimal(0)),
        finding.id,
        finding.what,
        -(finding.money or Decimal(0)),
        repr(finding),
    )


_COLUMNS = (
    *("place", "id", "severity", "what", "money", "currency", "confidence", "expected_money", "concerned"),
    *("n", "effect", "unit", "low", "high", "p_adjusted", "among", "owner", "proposed_fix"),
)


def to_frame(findings: Sequence[Finding]) -> pd.DataFrame:
    """Findings as a tidy frame, a row each, in the order given.

    Columns: place (chapter, section), id, severity, what, money, expected_money and concerned (float64, in `currency`),
    confidence, n, effect, unit, low, high, p_adjusted, among, owner, proposed_fix.
    """
    rows = [
        {
            **{name: getattr(finding, name) for name in ("id", "severity", "what", "currency", "confidence")},
            "place": f"{finding.place.chapter}, {finding.place.section}",
            "money": None if finding.money is None else float(finding.money),
            "expected_money": None if finding.expected_money is None else round(float(finding.expected_money), 2),
            "concerned": None if finding.concerned is None else float(finding.concerned),
            **asdict(finding.evidence),
            "owner": finding.owner,
            "proposed_fix": finding.proposed_fix,
        }
        for finding in findings
    ]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    numbers = ["money", "expected_money", "concerned", "effect", "low", "high", "p_adjusted", "among"]
    return frame.astype(dict.fromkeys(numbers, "float64"))


@dataclass(frozen=True)
class Detection:
    """What all detectors said: findings in order of rank, and those that could not look, with the reason.

    A detector that lacked its data has not found that all is well: it stands in `not_assessed`, a row each
    (`detector, chapter, reason`), and the report shows it.

    `comparisons`: everything that was compared, a row each, also what shows nothing: detector, chapter, cut (in words),
    n, effect, unit, low, high, p_value, weight, p_adjusted, p_watched, confidence, money. Detectors of facts compare
    nothing.
    """

    findings: tuple[Finding, ...]
    not_assessed: pd.DataFrame = field(compare=False)
    assessed: tuple[str, ...] = ()
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)

    def of(self, chapter: str) -> list[Finding]:
        """Findings of one chapter, in order of rank."""
        return [finding for finding in self.findings if finding.place.chapter == chapter]

    def to_frame(self) -> pd.DataFrame:
        """Findings as `to_frame` gives them."""
        return to_frame(self.findings)
