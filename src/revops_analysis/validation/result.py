"""What the gate found: a row a rule, whether the data may be used, and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import DataRefusedError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "revops-gate/1"

COLUMNS = (
    "table",
    "rule",
    "severity",
    "status",
    "column",
    "checked",
    "failed",
    "share",
    "observed",
    "first_keys",
    "why",
    "repair",
    "owner",
    "reason",
)
STATUSES = ("passed", "failed", "not checked", "error")


@dataclass(frozen=True)
class GateResult:
    """The gate's answer for one load.

    `results` has a row a rule, in the order of the suites:
    - table, rule, severity (critical | warning), column;
    - status: passed | failed | not checked (there was nothing to look at) | error (it could not be judged);
    - checked, failed: rows, or keys for rules over keys; null where not checked; share: failed ÷ checked, null at 0;
    - observed: what a reading showed, in words; empty for counts;
    - first_keys: list of the first keys that fail, ordered, key parts joined by ` | `;
    - why, repair, owner: why the rule matters, what to do, who does it;
    - reason: why the rule was not checked or could not be judged.
    """

    results: pd.DataFrame
    source: str
    data_hash: str
    data_through: date
    definitions_version: str
    definitions_hash: str
    as_of: date | None = None

    @property
    def critical_failures(self) -> pd.DataFrame:
        """Rules that refuse the data: critical ones that failed, and any that could not be judged."""
        failed = (self.results["status"] == "failed") & (self.results["severity"] == "critical")
        return self.results[failed | (self.results["status"] == "error")]

    @property
    def warnings(self) -> pd.DataFrame:
        """Rules of severity warning that failed."""
        return self.results[(self.results["status"] == "failed") & (self.results["severity"] == "warning")]

    @property
    def not_checked(self) -> pd.DataFrame:
        """Rules for which there was nothing to look at; they are no passes."""
        return self.results[self.results["status"] == "not checked"]

    @property
    def passed(self) -> bool:
        """True when nothing refuses the data and at least one rule was checked."""
        return self.critical_failures.empty and bool((self.results["status"] == "passed").any())

    @property
    def counts(self) -> dict[str, int]:
        """Number of rules, by what became of them: rules, passed, critical, warnings, not_checked."""
        return {
            "rules": len(self.results),
            "passed": int((self.results["status"] == "passed").sum()),
            "critical": len(self.critical_failures),
            "warnings": len(self.warnings),
            "not_checked": len(self.not_checked),
        }

    def require_passed(self) -> None:
        """Raise DataRefusedError, naming the rules and the repair of the first, unless the data passed."""
        if self.passed:
            return
        rules = self.critical_failures
        first = f"{rules.iloc[0]['repair']}" if len(rules) else "load the source again"
        names = ", ".join(rules["rule"].head(5)) + (f" and {len(rules) - 5} more" if len(rules) > 5 else "")
        raise DataRefusedError(
            f"The data of {self.source} did not pass its checks.",
            expected="no critical rule fails",
            found=names or "no rule could be checked",
            where=f"load {self.data_hash}",
            fix=first,
        )

    def without_counts(self) -> GateResult:
        """The same answers without numbers, keys and readings, for who may see a part of the company only."""
        hidden = {"checked": None, "failed": None, "share": None, "observed": "", "reason": ""}
        bare = [{**row, **hidden, "first_keys": []} for row in self.results.to_dict("records")]
        return replace(self, results=frame_of(bare))

    def to_json(self) -> str:
        """The result as JSON, the same text for the same result: schema, inputs, counts, and `rules`, a list."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values; missing figures are None."""
        return {
            "schema": SCHEMA,
            "source": self.source,
            "data_hash": self.data_hash,
            "data_through": self.data_through.isoformat(),
            "as_of": None if self.as_of is None else self.as_of.isoformat(),
            "definitions": {"version": self.definitions_version, "hash": self.definitions_hash},
            "passed": self.passed,
            "counts": self.counts,
            "results": [
                _plain_row({str(name): row[name] for name in COLUMNS}) for row in self.results.to_dict("records")
            ],
        }


def from_json(text: str) -> GateResult:
    """Read a result that `to_json` wrote, without Great Expectations or the data.

    Raises ValueError for a text of another schema.
    """
    content = json.loads(text)
    if content.get("schema") != SCHEMA:
        raise ValueError(f"expected the schema {SCHEMA}, found {content.get('schema')}")
    return GateResult(
        results=frame_of(content["results"]),
        source=content["source"],
        data_hash=content["data_hash"],
        data_through=date.fromisoformat(content["data_through"]),
        definitions_version=content["definitions"]["version"],
        definitions_hash=content["definitions"]["hash"],
        as_of=None if content["as_of"] is None else date.fromisoformat(content["as_of"]),
    )


def frame_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of results as the frame of a GateResult, with counts that can be missing."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"checked": "Int64", "failed": "Int64", "share": "Float64"})


def _plain_row(row: dict[str, Any]) -> dict[str, Any]:
    import pandas as pd

    plain = {name: value for name, value in row.items() if name != "first_keys"}
    plain = {name: None if pd.isna(value) else value for name, value in plain.items()}
    if plain["share"] is not None:
        plain["share"] = round(float(plain["share"]), 6)
    return {**plain, "first_keys": list(row["first_keys"])}
