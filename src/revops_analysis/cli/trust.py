"""`revops verify`, `revops diff` and `revops restate`: whether a figure can be believed, and why it moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.options import Format
from revops_analysis.cli.printing import print_frame, progress, shown

if TYPE_CHECKING:
    from revops_analysis.reporting.trust.verify import Verification

app = typer.Typer()
Run = Annotated[Path, typer.Argument(help="Folder of a run, a page in it, or the `latest` that points to it.")]

_SENTENCES = {
    "identical": "Verified: rendered again, and every byte is the same.",
    "equal figures": "Verified on another machine: key figures and tables are the same; what is listed differs.",
    "different": "Not reproduced: nothing that the run was made from has changed, and the result is another.",
    "inputs differ": "Not verified: it cannot be rendered as it was, because these inputs differ.",
}


@app.command(epilog="Example: revops verify reports/sample/quarterly/2026-09-30/2026-Q3/latest")
def verify(
    run: Run, *, output: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.table
) -> None:
    """Render a run again from its manifest and compare every byte, or say which input is not what it was.

    Ends with 0 when it is the same (on another machine: equal key figures and tables), with 2 when an input differs,
    with 4 when it was rendered again and is not the same.
    """
    from revops_analysis.project import find_project
    from revops_analysis.reporting.key_figures import dump_json
    from revops_analysis.reporting.trust.verify import verify_run

    with progress() as told:
        found = verify_run(run, find_project(), told)
    if output is Format.table:
        _print_verification(found)
    else:
        print(dump_json(_as_json(found)), end="")
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _print_verification(found: Verification) -> None:
    import pandas as pd

    print(f"{found.run.label}: {shown(found.run.folder)}")
    print(_SENTENCES[found.verdict])
    tables: dict[str, list[Any]] = {"Inputs that differ": list(found.differences)}
    if found.comparison is not None:
        print(f"{found.comparison.files} files compared, {len(found.comparison.different)} differ.")
        tables["Figures that moved"] = list(found.comparison.figures)
        rest = set(found.comparison.different) - {moved.file for moved in found.comparison.figures}
        tables["Other files that differ"] = [{"file": name} for name in sorted(rest)]
    tables["Files changed in the folder since it was rendered"] = [{"file": name} for name in found.altered]
    for title, rows in tables.items():
        if rows:
            print_frame(pd.DataFrame(rows), title)


def _as_json(found: Verification) -> dict[str, Any]:
    from dataclasses import asdict

    compared = found.comparison
    return {
        "schema": "revops.verification/1",
        "command": "verify",
        "run": found.run.label,
        "verdict": found.verdict,
        "differences": [asdict(item) for item in found.differences],
        "altered": list(found.altered),
        "same_machine": found.same_machine,
        "files": compared.files if compared else None,
        "different": list(compared.different) if compared else None,
        "figures": [asdict(item) for item in compared.figures] if compared else None,
    }
