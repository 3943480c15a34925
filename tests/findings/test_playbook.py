"""The playbook is typed, complete, and its facts are data."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from revops_analysis.errors import ConfigurationError
from revops_analysis.findings.playbook import Play, Playbook, load_playbook
from revops_analysis.findings.registry import detectors


def test_the_projects_playbook_covers_every_detector(project_root):
    playbook = load_playbook(project_root / "params" / "playbook.yml")
    known = detectors()
    assert known
    playbook.check({name: item.facts for name, item in known.items()})
    assert sorted(playbook.plays) == sorted(known), "an entry without a detector is never read"


def test_facts_are_filled_in_once_and_never_read_as_text_to_fill():
    play = Play(owner="Sales", fix="Call {name} about {amount}.")
    assert play.proposal({"name": "{amount}", "amount": "7 USD"}) == "Call {amount} about 7 USD."


def test_what_is_not_proven_is_looked_at_again_first():
    play = {"overdue": Play(owner="Sales", fix="Close them.")}
    assert Playbook(plays=play).before_acting("Call {fix}.").endswith("if it is still there: Call {fix}.")
    assert Playbook(plays=play, watch="Wait, then {fix}").before_acting("go.") == "Wait, then go."
    with pytest.raises(ValidationError):
        Playbook(plays=play, watch="Wait.")


def test_what_is_missing_or_unknown_is_named():
    playbook = Playbook(plays={"overdue": Play(owner="Sales", fix="Close {deals}.")})
    with pytest.raises(ConfigurationError, match="stalled"):
        playbook.check({"stalled": ()})
    with pytest.raises(ConfigurationError, match=r"\{deals\}"):
        playbook.check({"overdue": ("n",)})
    playbook.check({"overdue": ("deals",)})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plays:\n  overdue:\n    owner: Sales\n    fix: Close them.\n    who: me\n", 5),
        ("plays:\n  overdue:\n    owner: Sales\n", 2),
        ("plays:\n  a: {owner: x, fix: y}\n  a: {owner: x, fix: y}\n", 3),
    ],
)
def test_a_wrong_playbook_is_refused_with_its_line(tmp_path, text, line):
    path = tmp_path / "playbook.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"line {line}"):
        load_playbook(path)
