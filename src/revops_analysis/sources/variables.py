"""Environment variables in a profile: secrets and folders that differ from machine to machine."""

from __future__ import annotations

import os
import re

from revops_analysis.errors import ConfigurationError

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def expand(text: str, where: str) -> str:
    """Replace `${NAME}` and `${NAME:-default}` by environment variables.

    Raises ConfigurationError, naming the variable and never a value, when one without default is not set.

    >>> expand("${REVOPS_UNSET:-data}/crm", "root")
    'data/crm'
    """

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        found = os.environ.get(name) or default
        if found is None:
            raise ConfigurationError(
                f"The environment variable {name} is not set.", where=where, fix=f"export {name}=… and run again"
            )
        return found

    return _VARIABLE.sub(value, text)
