"""The process in which one library credits one file: `PYTHON attribution_peer.py ours|ca|mam FILE`; prints JSON.

It is run by the Python of the library, which has nothing else of this project. Each model is run twice; its credit
(conversions by channel) is that of the first run, and `again` that of the second, with another seed where there is one.
"""

import contextlib
import io
import json
import sys
import time

import pandas as pd

REPEATS = 2


def main():
    library, file = sys.argv[1:]
    frame = pd.read_csv(file, sep=";")
    rows = []
    for model, compute in {"ours": ours, "ca": channelattribution, "mam": mam}[library](frame).items():
        seconds, credits = [], []
        for repeat in range(REPEATS):
            begun = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()):
                credits.append(compute(repeat))
            seconds.append(time.perf_counter() - begun)
        rows.append({"model": model, "seconds": min(seconds), "credit": credits[0], "again": credits[1]})
    print(json.dumps(rows))


def ours(frame):
    from revops_analysis.attribution.markov import markov, markov_by_deal
    from revops_analysis.attribution.paths import Outcomes, channel_credit, paths_from_text, rule_shares
    from revops_analysis.attribution.shapley import shapley

    def paths():
        told = Outcomes(frame["total_conversions"], frame["total_conversion_value"], frame["total_null"])
        return paths_from_text(frame["path"], told)

    def rules(_):
        made = paths()
        credit = [channel_credit(made, rule_shares(made, rule)) for rule in ("first", "last", "linear")]
        return by_channel(credit[2], "channel", "conversions")

    return {
        "rules": rules,
        "markov": lambda _: by_channel(markov(paths()).frame, "channel", "conversions"),
        "markov_by_deal": lambda _: by_channel(markov_by_deal(paths()), "channel", "conversions"),
        "shapley": lambda _: by_channel(shapley(paths()), "channel", "conversions"),
    }


def channelattribution(frame):
    from ChannelAttribution import heuristic_models, markov_model

    columns = ("path", "total_conversions")

    def rules(_):
        credit = heuristic_models(frame, *columns, var_value="total_conversion_value", flg_pro=False)
        return by_channel(credit, "channel_name", "linear_touch_conversions")

    def markov(seed):
        named = {"var_value": "total_conversion_value", "var_null": "total_null", "verbose": False, "flg_pro": False}
        credit = markov_model(frame, *columns, seed=seed, **named)
        credit = credit["result"] if isinstance(credit, dict) else credit
        return by_channel(credit, "channel_name", "total_conversions")

    return {"rules": rules, "markov": markov}


def mam(frame):
    from mam import MAM

    sides = [
        frame[["path"]].assign(occurrences=frame[count], won=count == "total_conversions")
        for count in ("total_conversions", "total_null")
    ]
    rows = pd.concat(sides, ignore_index=True)
    rows = rows[rows["occurrences"] > 0].reset_index(drop=True)
    rows["worth"] = rows["occurrences"] * rows["won"].astype(float)

    def made():
        return MAM(
            rows,
            format_type="grouped_journey",
            channels_colname="path",
            journey_with_conv_colname="won",
            occurrences_colname="occurrences",
            conversion_value_colname="worth",
        )

    def credit(result):
        for value in vars(result).values():
            if hasattr(value, "columns") and "attribution" in list(value.columns):
                table = value.to_pandas() if hasattr(value, "to_pandas") else value
                return by_channel(table, "channels", "attribution")
        raise LookupError("no aggregated result")

    def rules(_):
        journeys = made()
        return [credit(run()) for run in (journeys.run_first_click, journeys.run_last_click, journeys.run_linear)][2]

    return {
        "rules": rules,
        "markov_by_deal": lambda _: credit(made().run_markov(transition_to_same_state=True)),
        "shapley": lambda _: credit(made().run_shapley(max_size=None, value_column="conversion_value")),
    }


def by_channel(table, name, value):
    return {str(channel): float(credited) for channel, credited in zip(table[name], table[value], strict=True)}


if __name__ == "__main__":
    main()
