"""Lead rules as text and as YAML: read, written, read again, and refused where they are no rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revops_analysis.definitions import AllOf, AnyOf, Condition, load_definitions
from revops_analysis.definitions.rule_text import conditions, load_rule, parse_rule, rule_text, rule_yaml
from revops_analysis.errors import ConfigurationError

MINIMAL = """
version: "1"
reporting_currency: USD
business_time_zone: UTC
stages:
  - {name: Open, outcome: open, entry: "Begun."}
  - {name: Won, outcome: won, entry: "Signed."}
  - {name: Lost, outcome: lost, entry: "Refused."}
"""

names = st.sampled_from(["employees", "title", "and_more", "is_in"])
words = st.sampled_from(["Director", "VP Sales", "true", "12", "a and b", "it's", "", "null", "yes", "1e3", "x or"])
texts = st.one_of(words, st.text(max_size=8))
reals = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(st.booleans(), st.integers(-(10**6), 10**6), reals, texts)
several = st.lists(scalars, min_size=1, max_size=3).map(tuple)
numbers = st.one_of(st.integers(-99, 99), st.floats(-1e6, 1e6))
leaves = st.one_of(
    st.builds(Condition, attribute=names, op=st.sampled_from(["=", "!="]), value=scalars),
    st.builds(Condition, attribute=names, op=st.sampled_from(["<", "<=", ">", ">="]), value=numbers),
    st.builds(Condition, attribute=names, op=st.sampled_from(["in", "not in"]), value=several),
    st.builds(Condition, attribute=names, op=st.sampled_from(["present", "missing"])),
)


def _parts(inner):
    return st.lists(inner, min_size=2, max_size=3).map(tuple)


rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        _parts(inner.filter(lambda part: not isinstance(part, AllOf))).map(lambda parts: AllOf(all=parts)),
        _parts(inner.filter(lambda part: not isinstance(part, AnyOf))).map(lambda parts: AnyOf(any=parts)),
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(rules)
def test_a_rule_written_is_the_rule_read_again(rule) -> None:
    assert parse_rule(rule_text(rule)) == rule


@settings(max_examples=15, deadline=None)
@given(rules)
def test_the_snippet_can_be_pasted_into_the_definitions(tmp_path_factory, rule) -> None:
    path = tmp_path_factory.mktemp("words") / "definitions.yml"
    path.write_text(MINIMAL + rule_yaml(rule), encoding="utf-8")
    assert load_definitions(path).lead_rule == rule
    alone = path.with_name("rule.yml")
    alone.write_text(rule_yaml(rule), encoding="utf-8")
    assert load_rule(str(alone)) == rule


def test_and_binds_closer_than_or_and_brackets_bind_closest() -> None:
    rule = parse_rule("a = 1 or b = 2 and c = 3")
    assert isinstance(rule, AnyOf)
    assert isinstance(rule.any[1], AllOf)
    assert isinstance(parse_rule("(a = 1 or b = 2) and c = 3"), AllOf)


def test_values_have_the_type_that_they_look_like() -> None:
    found = [
        condition.value
        for condition in conditions(parse_rule("a = 1 and b = 1.5 and c = true and d = '1' and e = x y"))
    ]
    assert found == [1, 1.5, True, "1", "x y"]
    assert [type(value) for value in found] == [int, float, bool, str, str]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the name of an attribute"),
        ("employees", "one of = !="),
        ("employees >=", "a value"),
        ("employees >= 80 and", "the name of an attribute"),
        ("employees >= 80 80", "character"),
        ("employees >= true", "a number or a day"),
        ("title in []", "a value"),
        ("title in [a", "a value"),
        ("title in ['a'", "`,` or `]`"),
        ("(a = 1", "`)`"),
        ("a = 1) or b = 2", "or the end"),
        ("a = 'open", "a value"),
        ("a; DROP TABLE leads", "one of = !="),
        ("(" * 40 + "a = 1" + ")" * 40, "20 levels"),
        ("a = " + "1" * 20_000, "too long"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(text, says) -> None:
    with pytest.raises(ConfigurationError) as error:
        parse_rule(text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{attribute: a, op: '~', value: 1}", "line 1"),
        ("lead_rule:\n  all: []\n", "line 2"),
        ("lead_rule:\n  all:\n    - {attribute: a, op: '>', value: .inf}\n", "finite"),
        ("lead_rule:\n  - {attribute: a}\n", "no lead rule"),
        ("!!python/object/apply:os.system ['echo no']", "tag"),
        ("a: &a [*a]\n", "alias"),
        ("{attribute: 'a; drop', op: '=', value: 1}", "no lead rule"),
        ("all:\n  - {attribute: a, op: '=', value: 1, then: x}\n", "no lead rule"),
        ("[" * 1_200, "nested too deeply"),
        ("a: \x1f", "U+001F"),
        ("just text", "no lead rule"),
        ("", "no lead rule"),
        ("a: 1\na: 2\n", "twice"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path, content, says) -> None:
    path = tmp_path / "rule.yml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_rule(str(path))
    assert says in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yml"):
        load_rule(str(tmp_path / "none.yml"))
