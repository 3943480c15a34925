"""Reading a YAML file, and finding the line of a setting in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from revops_analysis.errors import ConfigurationError


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain dictionaries, lists and scalars; tags that build objects are refused.

    Raises ConfigurationError for text that is no YAML, or that is empty.
    """
    try:
        data = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name} cannot be read as YAML.", found=" ".join(str(error).split()), where=str(path)
        ) from error
    if data is None:
        raise ConfigurationError(f"{path.name} is empty.", where=str(path), fix="copy an example and edit it")
    return data


def line_of(path: Path, place: Sequence[str | int]) -> int:
    """Line, from 1, of the setting at `place`, or of the deepest part of it that is written in the file."""
    node = YAML(typ="rt", pure=True).load(path.read_text(encoding="utf-8"))
    line = 1
    for part in place:
        try:
            position = node.lc.key(part) if hasattr(node, "keys") else node.lc.item(part)
        except (AttributeError, KeyError, IndexError, TypeError):
            # A single mapping stands for a list of one: the list's index is not written in the file.
            if part == 0:
                continue
            return line
        line = position[0] + 1
        node = node[part]
    return line
