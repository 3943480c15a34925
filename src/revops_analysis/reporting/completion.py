"""Names of metrics, dimensions and tables on TAB where they stand in quotes, which IPython does not complete by itself.

ws.metric("win<TAB>          ws.metric("win_rate", by=["seg<TAB>
ws.metrics["win<TAB>         ws.metrics.win_rate["seg<TAB>         ws.tables["opp<TAB>
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_QUOTE = r"""["'](?P<begun>\w*)$"""
_KEY = re.compile(rf"(?P<object>\w+)\.(?P<menu>metrics|tables)(?:\.(?P<entry>\w+))?\[\s*{_QUOTE}")
_NAME = re.compile(rf"(?P<object>\w+)\.metric(?:_result)?\(\s*{_QUOTE}")
_CUT = re.compile(
    rf"""(?P<object>\w+)\.(?:metric(?:_result)?\(\s*["'](?P<name>\w+)["']|metrics\.(?P<entry>\w+)\()"""
    rf"""[^()]*\bby\s*=\s*\[?(?:\s*["']\w*["']\s*,)*\s*{_QUOTE}"""
)


def completions(text: str, names: Mapping[str, Any]) -> tuple[str, list[str]]:
    """What has been begun before the cursor, and the names that complete it; `names` are the notebook's variables.

    Empty where the text before the cursor is about something else, or about what is no workspace.
    """
    from revops_analysis.workspace import Workspace

    for pattern in (_KEY, _CUT, _NAME):
        found = pattern.search(text)
        if found is None:
            continue
        workspace = names.get(found["object"])
        if not isinstance(workspace, Workspace):
            return "", []
        begun = found["begun"]
        return begun, [name for name in _choices(workspace, found.groupdict()) if name.startswith(begun)]
    return "", []


def _choices(workspace: Any, found: Mapping[str, str | None]) -> list[str]:
    name = found.get("name") or found.get("entry")
    menu = workspace.tables if found.get("menu") == "tables" else workspace.metrics
    if name is None:
        return list(menu)
    if found.get("menu") == "tables" or name not in menu:
        return []
    return list(menu[name].dimensions)


def add_completions(shell: Any) -> None:
    """Give a notebook's shell these completions; a second time changes nothing."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    if any(getattr(matcher, "matcher_identifier", "") == _IDENTIFIER for matcher in shell.Completer.custom_matchers):
        return

    @context_matcher(identifier=_IDENTIFIER)
    def revops_names(context: Any) -> dict[str, Any]:
        begun, names = completions(context.text_until_cursor, shell.user_ns)
        offered = [SimpleCompletion(text=name, type="revops") for name in names]
        return {"completions": offered, "matched_fragment": begun, "suppress": bool(offered)}

    shell.Completer.custom_matchers.append(revops_names)


_IDENTIFIER = "revops_names"
