"""The shared style: legible, told apart without colour vision, and without traces in the reader's session."""

from __future__ import annotations

import matplotlib as mpl
import pytest

from revops_analysis.plots import style


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_is_legible_at_360_pixels() -> None:
    points_per_pixel = style.WIDTH * 72 / 340
    with style.styled():
        sizes = [mpl.rcParams[name] for name in ("xtick.labelsize", "ytick.labelsize", "legend.fontsize", "font.size")]
    assert min(sizes) / points_per_pixel >= 8


def test_gain_and_loss_differ_in_lightness_too() -> None:
    assert abs(luminance(style.GAIN) - luminance(style.LOSS)) > 0.05


def test_the_session_keeps_its_own_settings() -> None:
    before = dict(mpl.rcParams)
    style.empty("nothing")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "USD 0"),
        (-0.0, "USD 0"),
        (999_500, "USD 1M"),
        (-1_234_567, "USD −1.23M"),
        (45_000, "USD 45K"),
        (2.5e9, "USD 2.5B"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_money_reads_short(value: float | None, text: str) -> None:
    assert style.Money("USD").short(value) == text


@pytest.mark.parametrize(("value", "text"), [(-0.5, "−50%"), (0.004, "0%"), (-0.004, "0%"), (1.2, "120%"), (None, "–")])
def test_percentages_read_right_when_negative(value: float | None, text: str) -> None:
    assert style.percent(value) == text


def test_missing_values_are_said_to_be_not_set() -> None:
    assert [style.shown(value) for value in (None, float("nan"), "SMB", True)] == ["not set", "not set", "SMB", "True"]
