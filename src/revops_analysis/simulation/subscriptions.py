"""Billing: the terms that customers pay for, a row a term and product."""

from __future__ import annotations

import numpy as np

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Columns, Floats, Ints, identifiers, pick
from revops_analysis.simulation.companies import Companies
from revops_analysis.simulation.deals import Ledger, Prices
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.words import CHURN_REASONS, CURRENCIES, PRODUCTS

_WIDTH = len(PRODUCTS)


def subscriptions_table(
    book: Book, ledger: Ledger, prices: Prices, companies: Companies, extra: tuple[Floats, Parameters, tuple[int, int]]
) -> Columns:
    """The table `subscriptions`. `extra`: factor on each account's prices, parameters, first and last booking day.

    Billing began on the first day of history: terms that ran on that day were entered with it as their start, and
    those that had ended are not there.
    """
    multiplier, parameters, (first, last) = extra
    terms, products = np.nonzero(book.terms.mrr > 0)
    rows = _rows(book, terms, products)
    account = rows["account"]
    euro = book.accounts.euro[account]
    list_mrr = rows["mrr"] * multiplier[account] / np.where(euro, parameters.euro_list_rate, 1.0)
    share = np.where(rows["total"] > 0, rows["mrr"] / np.maximum(rows["total"], 1e-9), 0.0)
    deal = rows["deal"]
    mrr = np.where(deal >= 0, prices.won[np.maximum(deal, 0)] * share / 12, np.round(list_mrr, 2))
    booked = np.where(deal >= 0, rows["booked"], rows["start"])
    seen = (rows["end"] >= tl.START) & (booked >= first) & (booked <= last)
    return _write(book, ledger, companies, rows, (mrr, euro, seen, last))


def _rows(book: Book, terms: Ints, products: Ints) -> dict[str, np.ndarray]:
    """Terms by product, then add-ons; `link` is the row that each one renews, −1 for none."""
    t, extra = book.terms, book.add_ons
    total = t.mrr.sum(axis=1)
    count = len(terms)
    row_of = np.full(len(t.start) * _WIDTH, -1, dtype=np.int64)
    extra_key = extra.term * _WIDTH + extra.product
    row_of[extra_key] = count + np.arange(len(extra.start))
    row_of[terms * _WIDTH + products] = np.arange(count)
    renews = t.renews[terms]
    link = np.where(renews >= 0, row_of[np.maximum(renews, 0) * _WIDTH + products], -1)
    none = np.full(len(extra.start), -1, dtype=np.int64)
    return {
        "account": np.concatenate([t.account[terms], extra.account]),
        "product": np.concatenate([products, extra.product]),
        "start": np.concatenate([t.start[terms], extra.start]),
        "end": np.concatenate([t.end[terms], extra.end]),
        "mrr": np.concatenate([t.mrr[terms, products], extra.mrr]),
        "total": np.concatenate([total[terms], extra.mrr]),
        "deal": np.concatenate([t.deal[terms], extra.deal]),
        "booked": np.concatenate([t.booked[terms], extra.booked]),
        "term": np.concatenate([terms, extra.term]),
        "link": np.concatenate([link, none]),
    }


def _numbers(rows: dict[str, np.ndarray], offset: int) -> tuple[Ints, Ints]:
    """The number of every term that billing ever sees (−1 for others), and these terms in order: the future last."""
    known = np.flatnonzero(rows["end"] >= tl.START)
    future = np.where(rows["deal"] >= 0, rows["booked"], rows["start"])[known] > tl.THROUGH
    order = known[np.lexsort((known, rows["start"][known], future))]
    number = np.full(len(rows["end"]), -1, dtype=np.int64)
    number[order] = np.arange(len(order)) + offset
    return number, order


def _write(
    book: Book,
    ledger: Ledger,
    companies: Companies,
    rows: dict[str, np.ndarray],
    extra: tuple[Floats, np.ndarray, np.ndarray, int],
) -> Columns:
    mrr, euro, seen, last = extra
    number, order = _numbers(rows, companies.offset)
    keep = order[seen[order]]
    link = rows["link"][keep]
    deal = rows["deal"][keep]
    held = np.zeros(len(book.deals), dtype=bool)
    held[ledger.kept] = True
    held |= book.deals.created > tl.THROUGH
    has_deal = (deal >= 0) & held[np.maximum(deal, 0)]
    notice = book.notice[rows["term"][keep]]
    notice = np.where(notice == tl.NO_DAY, notice, np.maximum(notice, rows["booked"][keep] + 1))
    notice = np.where(notice <= last, notice, tl.NO_DAY)
    spread = (number[keep] % 83) / 83.0
    booked = np.where(has_deal, rows["booked"][keep], tl.NO_DAY)
    return {
        "subscription_id": identifiers("SUB", number[keep]),
        "account_id": identifiers("ACC", rows["account"][keep] + companies.offset),
        "opportunity_id": identifiers("OPP", np.where(has_deal, ledger.number[np.maximum(deal, 0)], -1)),
        "product": pick(PRODUCTS, rows["product"][keep]),
        "started_on": np.maximum(rows["start"][keep], tl.START),
        "ended_on": rows["end"][keep],
        "mrr": mrr[keep],
        "currency": pick(CURRENCIES, euro[keep].astype(np.int64)),
        "booked_at": tl.moments(booked, spread, late=0.01),
        "cancelled_at": tl.moments(notice, spread, late=0.01),
        "renews_subscription_id": identifiers("SUB", np.where(link >= 0, number[np.maximum(link, 0)], -1)),
        "auto_renews": rows["account"][keep] % 10 < 3,
        "churn_reason": pick(CHURN_REASONS, np.where(notice != tl.NO_DAY, rows["account"][keep] % 5, -1)),
    }
