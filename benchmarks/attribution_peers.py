"""Speed and figures of the path models beside `channelattribution` and `marketing-attribution-models` (from PyPI).

    python3 -m venv ../peers/ca  && ../peers/ca/bin/pip install channelattribution matplotlib
    python3 -m venv ../peers/mam && ../peers/mam/bin/pip install marketing-attribution-models
    python -m benchmarks.attribution_peers DATA.csv --ca ../peers/ca/bin/python --mam ../peers/mam/bin/python

DATA.csv is the public PathData (`path;total_conversions;total_conversion_value;total_null`). The peers are no
dependencies and live in environments of their own (channelattribution does not start without matplotlib, which it does
not declare). Each library is run in a process of its own, by `attribution_peer.py`, on the same three inputs:

- PathData: 10,000 rows;
- PathData × 50: the same rows fifty times;
- walks: 100,000 rows, nearly all different, drawn with a fixed seed from a chain of 12 channels.

Seconds run from paths as text to credit by channel, the better of two; starting Python, importing and reading the file
are left out. Markov of channelattribution is simulated until its own rule of convergence is met; it is run with two
seeds, to show how far two of its answers lie apart. marketing-attribution-models has no Markov of channel totals: its
Markov shares removal effects out within each path, so it stands beside `markov_by_deal`, although it counts a channel
as often as the path meets it. Its Shapley values are asked of conversions, without its limit of four channels a path.
`least` is the smallest credit of any channel.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

CHILD = Path(__file__).with_name("attribution_peer.py")
LIBRARIES = {"ours": "revops-analysis", "ca": "channelattribution", "mam": "marketing-attribution-models"}
MODELS = ("rules", "markov", "markov_by_deal", "shapley")
WALKS, CHANNELS = 100_000, 12
PATIENCE = 900
"""Seconds after which a library is stopped."""


def main() -> int:
    """Run all libraries on all inputs, print both tables and return 0, or 1 when ours failed."""
    options = _options()
    pythons = {"ours": sys.executable, "ca": options.ca, "mam": options.mam}
    rows = []
    with tempfile.TemporaryDirectory(prefix="revops-peers-") as folder:
        for name, file in inputs(options.data, Path(folder)).items():
            for library, python in pythons.items():
                rows += [{"input": name, **row} for row in run(library, python, file)]
                print(f"{name}: {LIBRARIES[library]} done", file=sys.stderr)
    frame = pd.DataFrame(rows)
    print(speeds(frame).to_string(), "\n")
    print(differences(frame).to_string(float_format="{:.2f}".format))
    failed = frame[frame["failed"].notna()]
    for row in failed.to_dict("records"):
        print(f"{row['library']}, {row['model']}, {row['input']}: {row['failed']}")
    return int((failed["library"] == LIBRARIES["ours"]).any())


def inputs(data: Path, folder: Path) -> dict[str, Path]:
    """The three inputs as files of the same form."""
    public = pd.read_csv(data, sep=";")
    made = {"PathData": public, "PathData × 50": pd.concat([public] * 50, ignore_index=True), "walks": walks()}
    files = {name: folder / f"{place}.csv" for place, name in enumerate(made)}
    for name, frame in made.items():
        frame.to_csv(files[name], sep=";", index=False)
    return files


def walks(rows: int = WALKS, channels: int = CHANNELS, seed: int = 0) -> pd.DataFrame:
    """Random paths: a tenth ends after each touch, each goes on to channels of its own liking."""
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.full(channels, 0.5), size=channels).cumsum(axis=1)
    lengths = rng.geometric(0.1, rows)
    steps = np.zeros((rows, lengths.max()), dtype=np.int64)
    steps[:, 0] = rng.integers(0, channels, rows)
    for place in range(1, steps.shape[1]):
        drawn = rng.random((rows, 1))
        steps[:, place] = np.minimum((moves[steps[:, place - 1]] < drawn).sum(axis=1), channels - 1)
    names = np.array([f"channel {code}" for code in range(channels)], dtype=object)
    flat = pd.Series(names[steps[np.arange(steps.shape[1]) < lengths[:, None]]])
    path = flat.groupby(np.repeat(np.arange(rows), lengths)).agg(" > ".join)
    won = rng.integers(0, 2, rows)
    return pd.DataFrame(
        {"path": path, "total_conversions": won, "total_conversion_value": won * 10.0, "total_null": 1 - won}
    )


def run(library: str, python: str | None, file: Path) -> list[dict[str, object]]:
    """Rows of one library on one input: model, seconds, credit by channel; or why there are none."""
    name = LIBRARIES[library]
    if python is None:
        return [{"library": name, "model": model, "failed": "not given: see --help"} for model in MODELS]
    command = [python, str(CHILD), library, str(file)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return [{"library": name, "model": model, "failed": f"no answer in {PATIENCE} s"} for model in MODELS]
    if done.returncode != 0:
        reason = " ".join(done.stderr.strip().splitlines()[-2:])[:300]
        return [{"library": name, "model": model, "failed": reason} for model in MODELS]
    told = json.loads(done.stdout.splitlines()[-1])
    return [{"library": name, "failed": None, **row} for row in told]


def speeds(frame: pd.DataFrame) -> pd.DataFrame:
    """Seconds by model and library, a block an input."""
    timed = frame[frame["seconds"].notna()]
    table = timed.pivot_table(index=["input", "model"], columns="library", values="seconds", sort=False)
    return table.round(3)


def differences(frame: pd.DataFrame) -> pd.DataFrame:
    """By how many conversions each library's credit differs from ours, summed over channels, and its total."""
    rows = []
    for (given, model), group in frame[frame["failed"].isna()].groupby(["input", "model"], sort=False):
        ours = pd.Series(group[group["library"] == LIBRARIES["ours"]]["credit"].iloc[0])
        for row in group.to_dict("records"):
            theirs = pd.Series(row["credit"]).reindex(ours.index).fillna(0.0)
            apart = float((theirs - ours).abs().sum())
            again = None if row["again"] is None else float((pd.Series(row["again"]) - theirs).abs().sum())
            rows.append(
                {"input": given, "model": model, "library": row["library"], "credited": theirs.sum()}
                | {"least": theirs.min(), "apart from ours": apart, "apart from itself, run again": again}
            )
    return pd.DataFrame(rows).set_index(["input", "model", "library"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attribution_peers", description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="Data.csv of PathData")
    parser.add_argument("--ca", help="a Python that has channelattribution and matplotlib")
    parser.add_argument("--mam", help="a Python that has marketing-attribution-models")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
