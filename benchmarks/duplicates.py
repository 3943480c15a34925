"""Duplicates against the truth of the sample company, beside a naive rule and recordlinkage; and a million contacts.

    python -m benchmarks.duplicates [--seeds N] [--first S] [--dirt 1 2] [--scale 1]
    python -m benchmarks.duplicates --speed [--scale 47]

Accuracy is pairwise and by cluster, of contacts, accounts, leads, and leads among contacts. `same email` is what most
CRMs do by themselves: contacts or leads with one address, accounts with one domain. The peer, recordlinkage (from PyPI,
`pip install --no-deps --target ../peers recordlinkage jellyfish`), is no dependency and is left out where it is not
installed; it gets the same fields, blocks on address, phone, and company with last name, and is trained without labels
(ECM) on agreement of names (Jaro–Winkler from 0.85), address, phone and company.

Leads are found by their address, so those without one can be found by nobody: `with email` leaves them out.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from revops_analysis.definitions import load_definitions
from revops_analysis.simulation import SimulationOptions, simulate
from revops_analysis.simulation.timeline import DATA_THROUGH
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.store import Store
from revops_analysis.tables.warehouse import WarehouseInfo, connect, create_tables
from revops_analysis.validation.duplicates.accuracy import Accuracy, accuracy
from revops_analysis.validation.duplicates.find import find_duplicates

TRUTH = {
    "contacts": ("people", "contact_id", "person_id"),
    "accounts": ("companies", "account_id", "company_id"),
    "leads": ("leads", "lead_id", "person_id"),
}
NAMED = ("accounts", "contacts", "leads", "users")
DEFINITIONS = Path(__file__).resolve().parents[1] / "params" / "definitions.yml"


def main() -> int:
    """Print the table of accuracy, or what a million contacts take."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="revops-duplicates-") as folder:
        if options.speed:
            return speed(Path(folder), options.scale)
        rows = [
            row
            for dirt in options.dirt
            for seed in range(options.first, options.first + options.seeds)
            for row in score(Path(folder) / f"{seed}-{dirt:g}", SimulationOptions(seed, options.scale, dirt))
        ]
    print(report(pd.DataFrame(rows)))
    return 0


def speed(folder: Path, scale: float) -> int:
    """Seconds, CPU seconds and peak memory of finding the duplicate contacts of a company of this size."""
    # In a process of its own, so that its memory is not counted.
    code = f"from benchmarks.duplicates import *; simulate(Path({str(folder)!r}), SimulationOptions(0, {scale}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    snapshot = company(folder)
    before, cpu = time.perf_counter(), time.process_time()

    def say(text: str) -> None:

        print(f"{time.perf_counter() - before:7.1f} s  {text}", file=sys.stderr)

    found = find_duplicates(snapshot, "contacts", say=say)
    seconds, used = time.perf_counter() - before, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{found.records:,} contacts, {found.compared:,} pairs compared, {found.copies:,} copies found")
    print(f"{seconds:.1f} s, CPU {used:.1f} s, peak {peak:,.0f} MB")
    print(_words(accuracy(identity(folder, snapshot, "contacts"), found.clusters)))
    return 0


def company(folder: Path, names: tuple[str, ...] = NAMED) -> Snapshot:
    """Tables of the simulated company as a load has them: doubled rows collapsed, and nothing else touched."""
    con = connect(folder)
    create_tables(con)
    for name in names:
        columns = ", ".join(TABLES[name].names)
        for path in sorted([*folder.glob(f"tables/{name}.parquet"), *folder.glob(f"tables/{name}/*.parquet")]):
            con.raw_sql(f"INSERT INTO {name} SELECT DISTINCT {columns} FROM '{path}'")
    info = WarehouseInfo("simulated", "0" * 16, DATA_THROUGH, names)
    return Snapshot(Store(con, info), load_definitions(DEFINITIONS), DATA_THROUGH)


def identity(folder: Path, snapshot: Snapshot, table: str) -> pd.Series:
    """Who each record of a table is."""
    file, key, column = TRUTH[table]
    parts = sorted([*folder.glob(f"truth/{file}.parquet"), *folder.glob(f"truth/{file}/*.parquet")])
    truth = pd.concat([pd.read_parquet(part, columns=[key, column]) for part in parts]).set_index(key)[column]
    return truth.reindex(snapshot.table(table).select(key).to_pandas()[key])


def score(folder: Path, options: SimulationOptions) -> list[dict[str, object]]:
    """A row a table and method for one company."""
    simulate(folder, options)
    snapshot = company(folder)
    rows: list[dict[str, object]] = []
    for table in TRUTH:
        who = identity(folder, snapshot, table)
        ways: dict[str, Callable[[], pd.DataFrame]] = {
            "this package": lambda table=table: find_duplicates(snapshot, table).clusters,
            "same email": lambda table=table: same_value(snapshot, table),
        }
        if table == "contacts" and importlib.util.find_spec("recordlinkage"):
            ways["recordlinkage"] = lambda: linked_by_peer(snapshot)
        for way, find in ways.items():
            begun = time.perf_counter()
            clusters = find()
            seconds = time.perf_counter() - begun
            scored = accuracy(who, clusters)
            rows.append(_row(options, table, way, scored) | {"seconds": seconds})
            if table == "leads":
                written = _with_email(snapshot, "leads")
                rows.append(_row(options, "leads with email", way, accuracy(who[who.index.isin(written)], clusters)))
    rows += _leads_among_contacts(folder, snapshot, options)
    print(f"seed {options.seed}, dirt {options.dirt:g} done", file=sys.stderr)
    return rows


def _row(options: SimulationOptions, table: str, way: str, scored: Accuracy) -> dict[str, object]:
    names = ("precision", "recall", "cluster_precision", "cluster_recall")
    figures = {name: getattr(scored, name) for name in names}
    return {
        "dirt": options.dirt,
        "seed": options.seed,
        "table": table,
        "method": way,
        "pairs": scored.true_pairs,
    } | figures


def _leads_among_contacts(folder: Path, snapshot: Snapshot, options: SimulationOptions) -> list[dict[str, object]]:
    """Of the leads that were linked to a contact, how many to the right person; of those who are one, how many."""
    leads, contacts = (identity(folder, snapshot, name) for name in ("leads", "contacts"))
    links = find_duplicates(snapshot, "leads-contacts").linked
    naive = _same_address(snapshot)
    known = leads.index[leads.isin(set(contacts))]
    written = known[known.isin(_with_email(snapshot, "leads"))]
    rows = []
    for way, made in (("this package", links), ("same email", naive)):
        right = made[leads.reindex(made["left"]).to_numpy() == contacts.reindex(made["right"]).to_numpy()]
        hits = set(right["left"])
        for name, wanted in (("leads-contacts", known), ("leads-contacts with email", written)):
            figures = {"precision": len(right) / len(made), "recall": len(hits & set(wanted)) / len(wanted)}
            head = {"dirt": options.dirt, "seed": options.seed, "table": name, "method": way, "pairs": len(wanted)}
            rows.append(head | figures)
    return rows


def _with_email(snapshot: Snapshot, table: str) -> set[str]:
    rows = snapshot.table(table)
    key = TABLES[table].key[0]
    has_email = rows.email.notnull()  # noqa: PD004 - a column of the engine
    return set(rows.filter(has_email).select(key).to_pandas()[key])


def same_value(snapshot: Snapshot, table: str) -> pd.DataFrame:
    """Clusters of records with one address or domain, in lower case."""
    key = TABLES[table].key[0]
    column = "domain" if table == "accounts" else "email"
    rows = snapshot.table(table).select(key, column).to_pandas()
    rows["value"] = rows[column].str.strip().str.lower()
    shared = rows[rows["value"].notna() & rows["value"].duplicated(keep=False)]
    first = shared.groupby("value")[key].transform("min")
    return pd.DataFrame({"cluster": first, "record": shared[key]})


def _same_address(snapshot: Snapshot) -> pd.DataFrame:
    """Each lead with the first contact that has its address."""
    leads = snapshot.table("leads").select("lead_id", "email").to_pandas()
    contacts = snapshot.table("contacts").select("contact_id", "email").to_pandas().sort_values("contact_id")
    for frame in (leads, contacts):
        frame["email"] = frame["email"].str.strip().str.lower()
    both = leads.dropna().merge(contacts.dropna().drop_duplicates("email"), on="email")
    return both.rename(columns={"lead_id": "left", "contact_id": "right"})[["left", "right"]]


def linked_by_peer(snapshot: Snapshot) -> pd.DataFrame:
    """Clusters of contacts by recordlinkage: its ECM classifier over blocked pairs."""
    import recordlinkage
    from recordlinkage.preprocessing import clean, phonenumbers
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    accounts = snapshot.table("accounts").select("account_id", company="name")
    rows = snapshot.table("contacts").left_join(accounts, "account_id").to_pandas().set_index("contact_id")
    rows = rows[["name", "email", "phone", "company"]]
    tokens = clean(rows["name"]).str.split()
    rows = rows.assign(
        given=tokens.str[0],
        surname=tokens.str[-1],
        email=rows["email"].str.lower(),
        phone=phonenumbers(rows["phone"]).str[-9:],
        company=clean(rows["company"]),
    )
    index = recordlinkage.Index()
    for block in ("email", "phone", ["company", "surname"]):
        index.block(block)
    pairs = index.index(rows)
    compare = recordlinkage.Compare()
    for name in ("given", "surname"):
        compare.string(name, name, method="jarowinkler", threshold=0.85)
    for name in ("email", "phone", "company"):
        compare.exact(name, name)
    links = recordlinkage.ECMClassifier().fit_predict(compare.compute(pairs, rows).astype(int))
    codes = rows.index.get_indexer(links.get_level_values(0)), rows.index.get_indexer(links.get_level_values(1))
    graph = coo_array((np.ones(len(links), dtype=np.int8), codes), shape=(len(rows), len(rows)))
    _, number = connected_components(graph, directed=False)
    found = pd.DataFrame({"record": rows.index, "number": number})
    found["cluster"] = found.groupby("number")["record"].transform("min")
    return found[found["number"].duplicated(keep=False)][["cluster", "record"]]


def report(frame: pd.DataFrame) -> str:
    """By dirt, table and method: the mean over the seeds, and the worst of them in brackets."""
    figures = [name for name in ("precision", "recall", "cluster_precision", "cluster_recall") if name in frame]
    grouped = frame.groupby(["dirt", "table", "method"], sort=False)
    mean, worst = grouped[figures].mean(), grouped[figures].min()
    pairs = {name: [_pair(a, b) for a, b in zip(mean[name], worst[name], strict=True)] for name in figures}
    shown = pd.DataFrame(pairs, index=mean.index)
    shown["pairs"] = grouped["pairs"].mean().round().astype(int)
    shown["seconds"] = grouped["seconds"].mean().round(1)
    return shown.reset_index().to_string(index=False)


def _pair(mean: float, worst: float) -> str:
    return "–" if np.isnan(mean) else f"{mean:.4f} ({worst:.4f})"


def _words(scored: Accuracy) -> str:
    return (
        f"precision {scored.precision or 0:.4f}, recall {scored.recall or 0:.4f}; whole clusters "
        f"{scored.cluster_precision or 0:.4f}, {scored.cluster_recall or 0:.4f}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duplicates", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--dirt", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("--scale", type=float, default=None, help="size: by default 1, and 47 with --speed")
    parser.add_argument("--speed", action="store_true", help="time a million contacts instead")
    options = parser.parse_args()
    options.scale = options.scale or (47.0 if options.speed else 1.0)
    return options


if __name__ == "__main__":
    sys.exit(main())
