"""The lead rule: what may be written, and what each operator takes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from revops_analysis.definitions import AllOf, AnyOf, Condition, Rule

RULES: TypeAdapter[Any] = TypeAdapter(Rule)


def test_rules_nest_as_deep_as_needed() -> None:
    rule = RULES.validate_python(
        {
            "any": [
                {"attribute": "source", "op": "in", "value": ["Inbound", "Event"]},
                {"all": [{"attribute": "score", "op": ">=", "value": 60}, {"attribute": "domain", "op": "present"}]},
            ]
        }
    )
    assert isinstance(rule, AnyOf)
    assert isinstance(rule.any[1], AllOf)
    assert rule.any[0] == Condition(attribute="source", op="in", value=("Inbound", "Event"))
    assert RULES.validate_python(RULES.dump_python(rule)) == rule


@pytest.mark.parametrize(
    ("op", "value"),
    [("=", None), ("in", []), ("in", "Inbound"), (">", None), (">", True), (">", [1]), ("missing", 3), ("=", [1])],
)
def test_an_operator_refuses_what_it_cannot_compare_with(op: str, value: Any) -> None:
    with pytest.raises(ValidationError, match="takes"):
        RULES.validate_python({"attribute": "score", "op": op, "value": value})


@pytest.mark.parametrize("name", ["", "two words", "drop;table", "a-b"])
def test_an_attribute_is_a_name(name: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        RULES.validate_python({"attribute": name, "op": "present"})
