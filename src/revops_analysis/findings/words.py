"""Figures inside sentences: money, shares and cuts as a reader writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal


def money(amount: Decimal | float, currency: str) -> str:
    """An amount in whole units, with thousands apart.

    >>> money(1234567.5, "USD")
    '1,234,568 USD'
    """
    return f"{Decimal(str(amount)):,.0f} {currency}"


def share(value: float) -> str:
    """A share in percent with one decimal.

    >>> share(0.1234)
    '12.3%'
    """
    return f"{value:.1%}"


def cut_name(dims: Mapping[str, object]) -> str:
    """A cut in words; without dimensions, the whole company. A missing value is said to be missing.

    >>> cut_name({"segment": "SMB"}), cut_name({"source": None}), cut_name({})
    ('segment SMB', 'source not given', 'the whole company')
    """
    parts = [f"{name.replace('_', ' ')} {'not given' if value is None else value}" for name, value in dims.items()]
    return ", ".join(parts) or "the whole company"


def weeks_to(span: int, end: date) -> str:
    """So many times thirteen weeks up to a day.

    >>> weeks_to(2, date(2026, 9, 30))
    'the 26 weeks to 2026-09-30'
    """
    return f"the {13 * span} weeks to {end.isoformat()}"


def cut_id(detector: str, dims: Mapping[str, object]) -> str:
    """A finding's id: the detector and the cut, the same from report to report.

    >>> cut_id("win_rate_drop", {"segment": "SMB"}), cut_id("overdue_pipeline", {})
    ('win_rate_drop:segment=SMB', 'overdue_pipeline')
    """
    return ":".join([detector, *(f"{name}={value}" for name, value in dims.items())])
