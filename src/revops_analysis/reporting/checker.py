"""The gate in a process of its own, so that it and the chapters do not wait for each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from revops_analysis.heavy_imports import keep_for_good

if TYPE_CHECKING:
    from revops_analysis.validation.result import GateResult


class Checker:
    """Runs the gate beside the caller. Use as a context manager.

    Importing and running Great Expectations takes seconds of pure Python. In the caller's own process that would hold
    up the threads that drive the kernels. `environment` is added to that of its process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(environment or {})

    def __enter__(self) -> Checker:
        return self

    def __exit__(self, *_: object) -> None:
        if "_pool" in vars(self):
            self._pool.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        # A fresh interpreter: a fork would copy the threads and locks of an engine at work.
        context, its_own = get_context("spawn"), (self._environment,)
        return ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_settle, initargs=its_own)

    def warm_up(self) -> None:
        """Start the process and its imports, and go on."""
        self._pool.submit(_warm_up)

    def validate(self, *arguments: Any) -> GateResult:
        """`revops_analysis.validation.gate.validate`, which see; its errors are raised here."""
        from revops_analysis.validation.gate import validate

        return self._pool.submit(validate, *arguments).result()


def _settle(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)


def _warm_up() -> None:
    from revops_analysis.validation.expectations import warm_up

    warm_up()
    keep_for_good()
