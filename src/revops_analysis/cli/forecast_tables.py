"""A forecast and a back-test as a person reads them on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from revops_analysis.cli.printing import print_frame

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.models.backtest import Backtest
    from revops_analysis.models.forecast import BookingsForecast
    from revops_analysis.reporting.key_figures import Facts

_RANGES = {50: ("p25", "p75"), 80: ("p10", "p90"), 95: ("p2_5", "p97_5")}


def print_forecast(made: BookingsForecast, facts: Facts) -> None:
    """The number with its range first, then target, parts, methods, segments and notes."""
    period = made.cutoff.period
    print(
        f"Bookings of {period.label} ({period.start.isoformat()} to {period.end.isoformat()}), "
        f"forecast at the end of {facts.as_of}, {facts.currency}."
    )
    _print_lines(_headline(made))
    print_frame(_parts(made), "What it consists of")
    print_frame(_methods(made), "The methods beside each other")
    print(f"Why this forecast: {made.choice.reason}")
    if len(made.groups):
        print_frame(_segments(made), "By segment")
    _print_notes(note for note in facts.warnings if note != made.choice.reason)


def _headline(made: BookingsForecast) -> list[tuple[str, str]]:
    lines = [("Forecast", _money(made.mean))]
    for level, (low, high) in _RANGES.items():
        lines.append((f"{level}% range", f"{_money(made.quantile(low))} to {_money(made.quantile(high))}"))
    lines.append(("Target", _money(made.target) if made.target is not None else "none above zero is known"))
    lines.append(("Chance to reach it", _rate(made.chance)))
    return lines


def _print_lines(lines: list[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in lines)
    print("\n".join(f"  {name:<{width}}  {text}" for name, text in lines))


def _parts(made: BookingsForecast) -> pd.DataFrame:
    import pandas as pd

    from revops_analysis.reporting.forecast_figures import adding_up

    parts = made.components
    means = [int(value) for value in adding_up(parts["mean"], made.mean, decimals=0)]
    total = {"part": "Forecast", "mean": round(made.mean)}
    total |= {"p10": _whole(made.quantile("p10")), "p90": _whole(made.quantile("p90"))}
    frame = pd.DataFrame({"part": parts["title"], "mean": means}).astype(object)
    for name in ("p10", "p90"):
        frame[name] = pd.Series([_whole(value) for value in parts[name]], dtype=object)
    return pd.concat([frame, pd.DataFrame([total]).astype(object)], ignore_index=True)


def _methods(made: BookingsForecast) -> pd.DataFrame:
    import pandas as pd

    columns = ["mean", "p2_5", "p10", "p50", "p90", "p97_5"]
    shown = made.summary[["title", *columns]].rename(columns={"title": "method"}).astype(object)
    for name in columns:
        shown[name] = pd.Series([_whole(value) for value in made.summary[name]], dtype=object)
    return shown


def _segments(made: BookingsForecast) -> pd.DataFrame:
    from revops_analysis.reporting.forecast_figures import adding_up

    rows = made.groups[made.groups["cut"] == "segment"]
    means = [int(value) for value in adding_up(rows["mean"], made.mean, decimals=0)]
    shown = rows[["group", "open_deals"]].rename(columns={"group": "segment"}).astype(object)
    shown["booked"] = [_whole(value) for value in rows["booked"]]
    shown["mean"] = means
    for name in ("p10", "p90"):
        shown[name] = [_whole(value) for value in rows[name]]
    return shown.astype(object)


def print_backtest(made: Backtest, facts: Facts) -> None:
    """How good every method was, over all weeks and by week, and what could not be forecast."""
    from revops_analysis.reporting.forecast_figures import accuracy_rows

    print(f"Bookings of {facts.period}, forecast again from what was known then; outcomes as of {facts.as_of}.")
    if made.frame.empty:
        print("No method could make a forecast.")
    else:
        rows = accuracy_rows(made)
        print_frame(_overall(made, rows), "All weeks")
        print_frame(_by_week(accuracy_rows(made, ["week"])), "WAPE by week of the period")
        print(_LEGEND.format(rival=_rival(rows)))
    _print_notes([*_skipped(made), *facts.warnings])


_LEGEND = (
    "WAPE: sum of absolute errors ÷ sum of outcomes. Bias: above zero forecasts too much. Skill: 1 − WAPE ÷ that of\n"
    "the best rule ({rival}), on the cutoffs that both forecast. In 50, 80, 95%: share of outcomes within the range.\n"
    "`chosen` is the published forecast, selected by the periods of this back-test that were over before each."
)


def _overall(made: Backtest, rows: pd.DataFrame) -> pd.DataFrame:
    """A row a method: what it forecast, how far it was off, and how often its ranges held."""
    by_method = {name: part.set_index("method") for name, part in rows.groupby("metric", sort=False)}
    shown = by_method["wape"][["n"]].rename(columns={"n": "forecasts"})
    shown["periods"] = made.frame.groupby("method")["period"].nunique().reindex(shown.index)
    for name in ("wape", "bias", "skill"):
        shown[name] = [_rate(value) for value in by_method[name]["value"].reindex(shown.index)]
    ranges = by_method["interval_coverage"]
    for level in _RANGES:
        part = ranges[ranges["interval"] == level].reindex(shown.index)
        shown[f"in {level}%"] = [_rate(value) for value in part["value"]]
    shown["with range"] = ranges[ranges["interval"] == 80]["n"].reindex(shown.index)
    return shown.sort_index(key=lambda names: names.map(_place)).reset_index()


def _by_week(rows: pd.DataFrame) -> pd.DataFrame:
    wapes = rows[rows["metric"] == "wape"]
    shown = wapes.assign(text=[_rate(value) for value in wapes["value"]]).pivot(
        index="method", columns="week", values="text"
    )
    shown.columns = [f"week {week}" for week in shown.columns]
    return shown.sort_index(key=lambda names: names.map(_place)).reset_index()


def _place(method: str) -> tuple[int, str]:
    """What would have been published first, then the model, then the rules by name."""
    return ({"chosen": 0, "deal_model": 1}.get(method, 2), method)


def _rival(rows: pd.DataFrame) -> str:
    known = rows.loc[rows["metric"] == "skill", "rival"].dropna()
    return str(known.iloc[0]) if len(known) else "none made a forecast"


def _skipped(made: Backtest) -> list[str]:
    """What could not be forecast, a line for each method and reason."""
    counted = made.skipped.groupby(["method", "reason"], sort=True).size().reset_index(name="count")
    rows = zip(counted["method"], counted["count"], counted["reason"], strict=True)
    return [f"{method}, {count} cutoffs not forecast: {reason}" for method, count, reason in rows]


def _print_notes(notes: Iterable[str]) -> None:
    listed = list(dict.fromkeys(notes))
    if listed:
        print("Notes")
        print("\n".join(f"  - {note}" for note in listed))


def _whole(value: Any) -> int | None:
    from revops_analysis.reporting.formats import is_missing

    return None if is_missing(value) else round(float(value))


def _money(value: Any) -> str:
    from revops_analysis.reporting.formats import format_value

    return format_value(_whole(value), "currency", 0)


def _rate(value: Any) -> str:
    from revops_analysis.reporting.formats import format_value

    return format_value(value, "rate")
