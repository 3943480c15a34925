"""The gate in a process of its own, so that it and the chapters do not wait for each other."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from revops_analysis.validation.result import GateResult


class Checker:
    """Runs the gate beside the caller. Use as a context manager.

    Importing and running Great Expectations takes seconds of pure Python. In the caller's own process that would hold
    up the threads that drive the kernels.
    """

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *_: object) -> None:
        if "_pool" in vars(self):
            self._pool.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        # A fresh interpreter: a fork would copy the threads and locks of an engine at work.
        return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))

    def warm_up(self) -> None:
        """Start the process and its imports, and go on."""
        from revops_analysis.validation.expectations import warm_up

        self._pool.submit(warm_up)

    def validate(self, *arguments: Any) -> GateResult:
        """`revops_analysis.validation.gate.validate`, which see; its errors are raised here."""
        from revops_analysis.validation.gate import validate

        return self._pool.submit(validate, *arguments).result()
