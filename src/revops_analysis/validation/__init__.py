"""The gate: data that fails its checks makes no report.

`validate` checks a warehouse against the suites in `expectations/`; `GateResult` is what it gives.
"""

from revops_analysis.validation.gate import validate
from revops_analysis.validation.result import GateResult
from revops_analysis.validation.suites import Rule, load_suites

__all__ = ["GateResult", "Rule", "load_suites", "validate"]
