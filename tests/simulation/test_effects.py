"""Bookings lost without a channel: nothing for a channel that does nothing, and never more than there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from revops_analysis.simulation import truth
from revops_analysis.simulation.beginnings import quality_class
from revops_analysis.simulation.dynamics import evolve
from revops_analysis.simulation.effects import channel_effects
from revops_analysis.simulation.words import CHANNELS
from simulation import blocks


@pytest.fixture(scope="module")
def effects() -> np.ndarray:
    made = blocks.block()
    ends = truth.outcomes(made.book, made.prices, made.market)
    return channel_effects(made.book, ends, made.rates, made.parameters)


def test_replaying_the_same_world_gives_the_same_world() -> None:
    made = blocks.block()
    rows = np.arange(0, len(made.book.deals), 7)
    again = evolve(made.book.deals.take(rows), made.rates, made.book.draws.take(rows))
    assert (again.stage == made.book.paths.stage[rows]).all()
    assert (again.alive == made.book.paths.alive[rows]).all()


def test_all_channels_start_from_the_same_bookings(effects: np.ndarray) -> None:
    assert (effects[:, :, :2] == effects[:1, :, :2]).all()
    assert effects[0, :, 1].sum() > 2e7


def test_no_channel_loses_more_than_there_is_and_the_large_ones_lose_most(effects: np.ndarray) -> None:
    lost = (effects[:, :, 1] - effects[:, :, 3]).sum(axis=1) / effects[:, :, 1].sum(axis=1)
    assert (lost > 0).all()
    assert (lost < 0.6).all()
    by = dict(zip(CHANNELS, lost, strict=True))
    assert min(by["Outbound"], by["Partner"], by["Customer success"]) > max(by["Email"], by["Paid search"])


def test_a_channel_without_touches_and_deals_loses_nothing() -> None:
    made = blocks.block(scale=0.2)
    facts = made.book.facts
    email = CHANNELS.index("Email")
    touched = facts.touched.copy()
    touched[:, email] = False
    channel = np.where(facts.channel == email, -1, facts.channel)
    quality = quality_class(made.parameters, facts.score, touched)
    book = replace(
        made.book,
        deals=replace(made.book.deals, quality=quality),
        facts=replace(facts, touched=touched, channel=channel),
    )
    ends = truth.outcomes(book, made.prices, made.market)
    effects = channel_effects(book, ends, made.rates, made.parameters)
    assert (effects[email, :, :2] == effects[email, :, 2:]).all()
