from __future__ import annotations

import gc
import importlib
import subprocess
import sys

import pytest

from revops_analysis.heavy_imports import UNUSED, heavy_imports


def test_the_unused_libraries_are_there_and_are_left_out_only_while_open() -> None:
    script = f"""
import importlib, sys
from revops_analysis.heavy_imports import heavy_imports
for name in {UNUSED!r}:
    with heavy_imports():
        try:
            importlib.import_module(name)
        except ImportError:
            pass
        else:
            sys.exit(f"{{name}} was imported")
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_is_imported_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, UNUSED[0], gc)
    with heavy_imports():
        assert importlib.import_module(UNUSED[0]) is gc
    assert sys.modules[UNUSED[0]] is gc


def test_garbage_is_collected_again_afterwards_even_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), heavy_imports():
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled()
