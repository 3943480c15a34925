"""Lead rules as a person types them: an expression such as `employees >= 80 and title in [Director, VP Sales]`.

    rule      := part (or part)*          part := piece (and piece)*          piece := ( rule ) | condition
    condition := name op value | name in [value, …] | name not in [value, …] | name present | name missing

`and` binds closer than `or`. A value is a quoted text (two quotes inside stand for one), a number, true, false, or a
bare text up to the next `and`, `or` or closing bracket. What is typed here becomes the same `Rule` as in
`definitions.yml`; nothing of it is ever pasted into a query.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from revops_analysis.definitions.rules import AllOf, AnyOf, Condition, Rule, Scalar
from revops_analysis.errors import ConfigurationError
from revops_analysis.yaml_document import read_yaml

_LONGEST = 10_000
_DEEPEST = 20
_SUFFIXES = (".yml", ".yaml")
_EXAMPLE = "employees >= 80 and visited_pricing_page = true and title in [Director, VP Sales]"

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD = re.compile(r"(and|or)(?![A-Za-z0-9_])", re.IGNORECASE)
_OPERATOR = re.compile(
    r"(!=|<=|>=|=|<|>)|(not\s+in|in)(?=\s*[\[(])|(?:is\s+)?(present|missing)(?![A-Za-z0-9_])", re.IGNORECASE
)
_QUOTED = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")
_BARE = re.compile(r"([^\s'\"()\[\],][^'\"()\[\],]*?)\s*(?=$|[)\]]|\s(?:and|or)(?:\s|$))", re.IGNORECASE)
_IN_LIST = re.compile(r"([^\s'\"()\[\],][^'\"()\[\],]*?)\s*(?=[,\])])")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 _-]*")


def parse_rule(text: str) -> Rule:
    """Read a rule from an expression.

    Raises ConfigurationError that shows what was found at which character.

    >>> parse_rule("employees >= 80 and (visited_pricing_page = true or demo_requested = true)").all[1].any[0].value
    True
    """
    if len(text) > _LONGEST:
        raise ConfigurationError(
            "A lead rule is too long.", expected=f"at most {_LONGEST:,} characters", found=f"{len(text):,}"
        )
    reader = _Reader(text)
    rule = reader.rule(0)
    if reader.position < len(text):
        raise reader.error("`and`, `or` or the end")
    return rule


def load_rule(given: str) -> Rule:
    """Read a rule from an expression, or from a YAML file where `given` names one (it ends in .yml or .yaml).

    The file holds the rule itself, or a mapping with the key `lead_rule`, as `definitions.yml` has it.
    Raises ConfigurationError, with file and line, for what is no rule.
    """
    return _from_file(Path(given)) if given.strip().lower().endswith(_SUFFIXES) else parse_rule(given)


def _from_file(path: Path) -> Rule:
    try:
        document = read_yaml(path)
        if document.problems:
            line, what, fix = document.problems[0]
            raise ConfigurationError("The rule cannot be used.", found=what, where=f"{path} line {line}", fix=fix)
        values = document.values
        place: tuple[str, ...] = ()
        if isinstance(values, dict) and "lead_rule" in values:
            values, place = values["lead_rule"], ("lead_rule",)
        return _RULES.validate_python(values)
    except RecursionError:
        raise ConfigurationError(
            "The rule is nested too deeply.", where=str(path), fix="write it with fewer levels of all and any"
        ) from None
    except ValidationError as problem:
        first = problem.errors()[0]
        raise ConfigurationError(
            "The file holds no lead rule.",
            expected='`{attribute: employees, op: ">=", value: 80}`, or `all:` or `any:` of such',
            found=f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}",
            where=f"{path} line {document.line_of((*place, *first['loc']))}",
            fix="write it as lead_rule in definitions.yml",
        ) from None


_RULES: TypeAdapter[Any] = TypeAdapter(Rule)


def rule_text(rule: Rule) -> str:
    """Write a rule as the expression that `parse_rule` reads.

    >>> rule_text(parse_rule("a = 1 and (b in [x, 'y z, w'] or c missing)"))
    "a = 1 and (b in [x, 'y z, w'] or c missing)"
    """
    if isinstance(rule, Condition):
        return _condition_text(rule)
    if isinstance(rule, AllOf):
        return " and ".join(f"({rule_text(part)})" if isinstance(part, AnyOf) else rule_text(part) for part in rule.all)
    return " or ".join(rule_text(part) for part in rule.any)


def rule_yaml(rule: Rule) -> str:
    """Write a rule as the `lead_rule` of `definitions.yml`, ready to be pasted there."""
    return "\n".join(["lead_rule:", *_yaml_lines(rule, 1)]) + "\n"


def conditions(rule: Rule) -> tuple[Condition, ...]:
    """The conditions of a rule, from left to right."""
    if isinstance(rule, Condition):
        return (rule,)
    parts = rule.all if isinstance(rule, AllOf) else rule.any
    return tuple(condition for part in parts for condition in conditions(part))


def _yaml_lines(rule: Rule, level: int, lead: str = "") -> list[str]:
    space = "  " * level + lead
    if isinstance(rule, Condition):
        values = [f'{space}{{attribute: {rule.attribute}, op: "{rule.op}"']
        if rule.value is not None:
            values.append(f", value: {_yaml_value(rule.value)}")
        return ["".join([*values, "}"])]
    key, parts = ("all", rule.all) if isinstance(rule, AllOf) else ("any", rule.any)
    deeper = level + (2 if lead else 1)
    return [f"{space}{key}:", *(line for part in parts for line in _yaml_lines(part, deeper, "- "))]


def _yaml_value(value: Scalar | tuple[Scalar, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_yaml_value(item) for item in value)}]"
    if not isinstance(value, str):
        return _scalar_text(value)
    # Always quoted: a bare yes, 1e3 or null would become something else.
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value) + '"'


def _condition_text(condition: Condition) -> str:
    if condition.value is None:
        return f"{condition.attribute} {condition.op}"
    if isinstance(condition.value, tuple):
        return f"{condition.attribute} {condition.op} [{', '.join(_scalar_text(value) for value in condition.value)}]"
    return f"{condition.attribute} {condition.op} {_scalar_text(condition.value)}"


def _scalar_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        words = {word.lower() for word in value.split(" ")}
        is_plain = _PLAIN.fullmatch(value) and value == value.strip() and not words & {"and", "or", "true", "false"}
        return value if is_plain else "'" + value.replace("'", "''") + "'"
    return repr(value)


class _Reader:
    """Where the reading of an expression stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self._skip()

    def rule(self, depth: int) -> Rule:
        parts = [self._part(depth)]
        while self._takes_word("or"):
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else AnyOf(any=tuple(parts))

    def _part(self, depth: int) -> Rule:
        pieces = [self._piece(depth)]
        while self._takes_word("and"):
            pieces.append(self._piece(depth))
        return pieces[0] if len(pieces) == 1 else AllOf(all=tuple(pieces))

    def _piece(self, depth: int) -> Rule:
        if not self._takes("("):
            return self._condition()
        if depth == _DEEPEST:
            raise self.error(f"at most {_DEEPEST} levels of brackets")
        inner = self.rule(depth + 1)
        if not self._takes(")"):
            raise self.error("`)`")
        return inner

    def _condition(self) -> Condition:
        name = _NAME.match(self.text, self.position)
        if not name or name.group(0).lower() in ("and", "or", "not"):
            raise self.error("the name of an attribute")
        self._to(name.end())
        operator = _OPERATOR.match(self.text, self.position)
        if not operator:
            raise self.error("one of = != < <= > >= in, not in, present, missing")
        symbol = " ".join((operator.group(1) or operator.group(2) or operator.group(3)).lower().split())
        self._to(operator.end())
        value: Scalar | tuple[Scalar, ...] | None = None
        if symbol in ("in", "not in"):
            value = self._list()
        elif symbol not in ("present", "missing"):
            value = self._value(_BARE)
        try:
            return Condition(attribute=name.group(0), op=symbol, value=value)  # type: ignore[arg-type]
        except ValidationError as problem:
            self.position = name.start()
            raise self.error(problem.errors()[0]["msg"].removeprefix("Value error, ")) from None

    def _list(self) -> tuple[Scalar, ...]:
        closing = "]" if self._takes("[") else ")"
        if closing == ")":
            self._takes("(")
        values = [self._value(_IN_LIST)]
        while self._takes(","):
            values.append(self._value(_IN_LIST))
        if not self._takes(closing):
            raise self.error(f"`,` or `{closing}`")
        return tuple(values)

    def _value(self, bare: re.Pattern[str]) -> Scalar:
        quoted = _QUOTED.match(self.text, self.position)
        if quoted:
            self._to(quoted.end())
            single, double = quoted.groups()
            return single.replace("''", "'") if single is not None else double.replace('""', '"')
        word = bare.match(self.text, self.position)
        if not word:
            raise self.error("a value")
        self._to(word.end())
        return _typed(word.group(1))

    def _takes(self, symbol: str) -> bool:
        found = self.text.startswith(symbol, self.position)
        if found:
            self._to(self.position + 1)
        return found

    def _takes_word(self, wanted: str) -> bool:
        word = _WORD.match(self.text, self.position)
        if not word or word.group(1).lower() != wanted:
            return False
        self._to(word.end())
        return True

    def _to(self, position: int) -> None:
        self.position = position
        self._skip()

    def _skip(self) -> None:
        space = _SPACE.match(self.text, self.position)
        self.position = space.end() if space else self.position

    def error(self, expected: str) -> ConfigurationError:
        rest = self.text[self.position :].strip()
        return ConfigurationError(
            "A lead rule could not be read.",
            expected=expected,
            found=repr(rest[:60]) if rest else "the end",
            where=f"character {self.position + 1} of {self.text[:200]!r}",
            fix=f"for example: {_EXAMPLE}",
        )


def _typed(word: str) -> Scalar:
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    if _NUMBER.fullmatch(word):
        return int(word) if re.fullmatch(r"[-+]?\d{1,18}", word) else float(word)
    return word
