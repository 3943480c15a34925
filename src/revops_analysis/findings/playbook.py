"""The playbook: what to do about each kind of problem and who does it, in the company's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from revops_analysis.errors import ConfigurationError
from revops_analysis.yaml_document import read_yaml

_FACT = re.compile(r"\{([a-z_]+)\}")


class Play(BaseModel):
    """What to do about one kind of problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str = Field(min_length=1, description="Who acts: a role, not a name.")
    fix: str = Field(min_length=1, description="What to do; {fact} is replaced by the detector's fact of that name.")

    def proposal(self, facts: Mapping[str, object]) -> str:
        """The fix with its facts filled in. Facts are data: braces within them stay as they are."""
        return _FACT.sub(lambda match: str(facts[match.group(1)]), self.fix)


class Playbook(BaseModel):
    """Typed form of `params/playbook.yml`: detector → play."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plays: dict[str, Play] = Field(min_length=1, description="What to do, by the name of the detector.")
    watch: str = Field(
        "Look again in the next report before acting; if it is still there: {fix}",
        pattern=r"\{fix\}",
        description="What to do about something that is not proven; {fix} is what would be done if it were.",
    )

    def before_acting(self, fix: str) -> str:
        """What to do about something that is not proven, given what would be done if it were."""
        return self.watch.replace("{fix}", fix, 1)

    def check(self, facts: Mapping[str, Sequence[str]]) -> None:
        """Refuse a playbook that lacks a detector of `facts` or uses a fact that the detector does not give."""
        absent = [name for name in facts if name not in self.plays]
        if absent:
            raise ConfigurationError(
                "The playbook says nothing about some problems.",
                found=f"no entry for {', '.join(absent)}",
                where="params/playbook.yml",
                fix=f"add under plays: `{absent[0]}: {{owner: …, fix: …}}`",
            )
        for name, known in facts.items():
            unknown = [fact for fact in _FACT.findall(self.plays[name].fix) if fact not in known]
            if unknown:
                raise ConfigurationError(
                    f"The playbook's text for {name} uses a fact that does not exist.",
                    expected=f"one of {', '.join(known) or 'none'}",
                    found="{" + unknown[0] + "}",
                    where=f"params/playbook.yml, plays.{name}.fix",
                    fix="use one of the facts, or write the words out",
                )


def load_playbook(path: Path) -> Playbook:
    """Read and check `params/playbook.yml`.

    Raises ConfigurationError, with file and line, for unknown keys, missing texts and what is not YAML.
    """
    document = read_yaml(path)
    if document.problems:
        line, what, fix = document.problems[0]
        raise ConfigurationError("The playbook cannot be used.", found=what, where=f"{path} line {line}", fix=fix)
    try:
        return Playbook.model_validate(document.values)
    except ValidationError as problem:
        first = problem.errors()[0]
        raise ConfigurationError(
            "The playbook cannot be used.",
            found=f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}",
            where=f"{path} line {document.line_of(first['loc'])}",
            fix="give each detector an `owner` and a `fix`, and nothing else",
        ) from problem
