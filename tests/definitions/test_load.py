"""Reading definitions: the shipped file, and every way a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from revops_analysis.definitions import Condition, Definitions, load_definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.simulation.words import CHANNELS, SOURCES

MINIMAL = """\
version: "1"
reporting_currency: USD
business_time_zone: Europe/Berlin
stages:
  - {name: Open, outcome: open, entry: A deal exists.}
  - {name: Won, outcome: won, entry: It is signed.}
  - {name: Lost, outcome: lost, entry: It is over.}
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "definitions.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_shipped_file_holds_the_words_of_the_sample_company(project_root: Path) -> None:
    words = load_definitions(project_root / "params" / "definitions.yml")
    assert words.reporting_currency == "USD"
    assert words.open_stages == ("Discovery", "Qualification", "Solution", "Proposal", "Negotiation")
    assert (words.won_stages, words.lost_stages) == (("Closed Won",), ("Closed Lost",))
    assert words.segment_names == ("SMB", "Mid-Market", "Enterprise")
    assert words.omitted_categories == ("Omitted",)
    assert words.categories_of("commit") == ("Commit",)
    assert [stage.probability for stage in words.stages] == [0.1, 0.2, 0.4, 0.6, 0.8, None, None]
    assert set(words.source_teams) == set(SOURCES)
    assert tuple(words.channel_teams) == CHANNELS
    assert {claim.by: claim.rule for claim in words.sourcing_claims} == {"marketing": "any_touch", "sales": "crm_field"}


def test_a_short_file_takes_the_documented_defaults(written) -> None:
    words = load_definitions(written(MINIMAL))
    assert (words.lookback.sourced_days, words.stalled_quantile, words.conversion_horizon_days) == (90, 0.9, 180)
    assert words.headline_types == ("new", "expansion")
    assert words.attribution.w_shaped.others == 0.1
    assert words.thresholds.quarantined_share == 0.01
    assert words.lead_rule is None


def test_the_hash_follows_the_content_and_not_its_dress(written) -> None:
    first = load_definitions(written(MINIMAL)).hash
    dressed = "# a comment\n" + MINIMAL.replace('version: "1"', "version: '1'") + "stalled_quantile: 0.90\n"
    assert load_definitions(written(dressed)).hash == first
    assert load_definitions(written(MINIMAL + "stalled_quantile: 0.91\n")).hash != first
    assert len(first) >= 12
    assert int(first, 16) >= 0


WRONG = [
    ("unknown key", MINIMAL + "staled_quantile: 0.9\n", 8, "unknown key staled_quantile", "write stalled_quantile"),
    ("unknown key inside", MINIMAL + "lookback:\n  source_days: 3\n", 9, "source_days", "write sourced_days"),
    ("missing", MINIMAL.replace("reporting_currency: USD\n", ""), 1, "reporting_currency is missing", "ISO code"),
    ("missing inside", MINIMAL.replace(", entry: It is over.", ""), 7, "entry is missing", "before a deal may enter"),
    (
        "duplicate key",
        MINIMAL + "gross_margin: 0.7\ngross_margin: 0.8\n",
        9,
        "stands twice, first on line 8",
        "keep one",
    ),
    ("stage twice", MINIMAL.replace("name: Won", "name: open"), 6, "stage 'open' is named twice", "another name"),
    ("no won stage", MINIMAL.replace("outcome: won", "outcome: lost"), 4, "no stage has outcome won", "outcome: won"),
    (
        "open after closed",
        MINIMAL + "  - {name: Late, outcome: open, entry: Odd.}\n",
        8,
        "'Late' stands after a closed one",
        "move it",
    ),
    (
        "certain stage",
        MINIMAL.replace("outcome: won", "outcome: won, probability: 0.9"),
        6,
        "a won stage has probability 1",
        "remove the line",
    ),
    ("bad choice", MINIMAL.replace("outcome: won", "outcome: wonn"), 6, "cannot be 'wonn'", "write won"),
    ("zone", MINIMAL.replace("Europe/Berlin", "Europe/Berln"), 3, "is not a time zone", "write Europe/Berlin"),
    ("currency", MINIMAL.replace("USD", "dollars"), 2, "found 'dollars'", "ISO code of the currency"),
    ("out of range", MINIMAL + "stalled_quantile: 90\n", 8, "less than 1, found 90", "stalled once older"),
    ("wrong type", MINIMAL + "thresholds: 3\n", 8, "found 3", "becomes a warning"),
    (
        "weights",
        MINIMAL + "attribution:\n  w_shaped: {first: 0.5, lead_creation: 0.3, deal_creation: 0.3, others: 0.1}\n",
        9,
        "add up to 1.2, not 1",
        "-0.2",
    ),
    ("model", MINIMAL + "attribution: {official_model: w_shape}\n", 8, "cannot be 'w_shape'", "write w_shaped"),
    ("calendar", MINIMAL + "fiscal_calendar: {kind: 4-4-5}\n", 8, "needs to know where the year ends", "add year_end"),
    (
        "segment twice",
        MINIMAL + "segments:\n  - {name: A, meaning: a}\n  - {name: a, meaning: b}\n",
        10,
        "segment 'a' is named twice",
        "another name",
    ),
    (
        "ramp",
        MINIMAL + "segments: [{name: SMB, meaning: Small.}]\nramp_months:\n  Smb: 3\n",
        10,
        "'Smb' is no segment",
        "write SMB",
    ),
    (
        "channel without team",
        MINIMAL + "channel_map: {google: Paid}\nchannel_teams: {}\n",
        9,
        "channel 'Paid' of channel_map has no team",
        "add `Paid:",
    ),
    (
        "channel nearly named",
        MINIMAL + "channel_map: {google: Paid serch}\nchannel_teams: {Paid search: marketing}\n",
        9,
        "channel 'Paid serch' of channel_map has no team",
        "write Paid search, or add",
    ),
    (
        "channel of activities",
        MINIMAL + "attribution: {activity_channels: {call: Calls}}\nchannel_teams: {Email: marketing}\n",
        9,
        "channel 'Calls' of activity_channels has no team",
        "add `Calls:",
    ),
    (
        "channel word twice",
        MINIMAL + "channel_map:\n  SEO: Organic\n  seo : Organic\nchannel_teams: {Organic: marketing}\n",
        10,
        "channel word 'seo' is named twice",
        "remove it",
    ),
    (
        "team of a channel",
        MINIMAL + "channel_teams: {Email: marketting}\n",
        8,
        "cannot be 'marketting'",
        "write marketing",
    ),
    (
        "lookbacks",
        MINIMAL + "lookback: {sourced_days: 90, influence_days: 30}\n",
        8,
        "influence_days 30 is less than sourced_days 90",
        "write 90 or more",
    ),
    (
        "claim without sources",
        MINIMAL + "sourcing_claims:\n  - {by: sales, of: marketing, rule: crm_field, meaning: The field says so.}\n",
        9,
        "no source has a team",
        "add source_teams",
    ),
    (
        "claim with days",
        MINIMAL
        + "source_teams: {Paid: marketing}\nsourcing_claims:\n"
        + "  - {by: sales, of: marketing, rule: crm_field, days: 9, meaning: The field says so.}\n",
        10,
        "a claim by crm_field has no days",
        "remove the line",
    ),
    (
        "claim of nobody",
        MINIMAL + "sourcing_claims:\n  - {by: sales, of: marketting, rule: any_touch, meaning: Any touch.}\n",
        9,
        "of cannot be 'marketting'",
        "write marketing",
    ),
    (
        "column",
        MINIMAL + "allowed_current_columns: [segment]\n",
        8,
        "'segment' is no table.column",
        "opportunities.segment",
    ),
    (
        "rule operator",
        MINIMAL + "lead_rule: {attribute: score, op: '=>', value: 3}\n",
        8,
        "op cannot be '=>'",
        "write >",
    ),
    (
        "rule value",
        MINIMAL + "lead_rule:\n  all:\n    - {attribute: score, op: in, value: 3}\n",
        10,
        "op 'in' takes a list",
        "correct",
    ),
    (
        "rule key",
        MINIMAL + "lead_rule:\n  any:\n    - {atribute: score, op: '=', value: 3}\n",
        10,
        "unknown key atribute",
        "write attribute",
    ),
    ("empty rule", MINIMAL + "lead_rule: {all: []}\n", 8, "decides nothing", "at least one condition"),
    ("tag", MINIMAL + "gross_margin: !!python/name:os.system x\n", 8, "is not allowed", "plain value"),
]


@pytest.mark.parametrize(("text", "line", "what", "fix"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_each_mistake_names_its_line_and_the_repair(written, text: str, line: int, what: str, fix: str) -> None:
    path = written(text)
    with pytest.raises(ConfigurationError) as error:
        load_definitions(path)
    listed = [row for row in str(error.value).splitlines() if row.strip().startswith(f"line {line}:")]
    assert listed, str(error.value)
    assert any(what in row and fix in row.partition("→")[2] for row in listed), str(error.value)
    assert str(path) in str(error.value)


def test_all_mistakes_are_told_at_once(written) -> None:
    text = MINIMAL.replace("USD", "usd").replace("Berlin", "Berln").replace("name: Lost", "name: Won")
    with pytest.raises(ConfigurationError, match="5 problems") as error:
        load_definitions(written(text + "gross_margin: 2\nmargin: 1\n"))
    assert [f"line {n}:" in str(error.value) for n in (2, 3, 7, 8, 9)] == [True] * 5


def test_a_faulty_entry_does_not_hide_a_name_that_stands_twice(written) -> None:
    with pytest.raises(ConfigurationError, match="2 problems") as error:
        load_definitions(written(MINIMAL.replace("outcome: open", "outcome: opn").replace("name: Lost", "name: Won")))
    assert "line 5: outcome cannot be 'opn' → write open" in str(error.value)
    assert "line 7: stages: name 'Won' is named twice" in str(error.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"stages: [", "not YAML"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"", "definitions"),
        (b"- a\n- b\n", "definitions"),
        (b"a: &x [*x]\n", "alias"),
        (b"just words\n", "definitions"),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "odd.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=what):
        load_definitions(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Cannot read") as error:
        load_definitions(tmp_path / "none.yml")
    assert "none.yml" in str(error.value)


def test_a_byte_order_mark_and_hex_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "d.yml"
    path.write_text(MINIMAL + "speed_to_lead_minutes: 0x10\n", encoding="utf-8-sig")
    assert load_definitions(path).speed_to_lead_minutes == 16


def test_definitions_are_frozen_and_rules_typed(written) -> None:
    words = load_definitions(written(MINIMAL + "lead_rule: {attribute: score, op: '>=', value: 60}\n"))
    assert words.lead_rule == Condition(attribute="score", op=">=", value=60)
    with pytest.raises(ValueError, match="frozen"):
        words.version = "2"  # type: ignore[misc]


def test_every_key_has_a_sentence_of_meaning() -> None:
    def fields(model: type) -> list[tuple[str, str | None]]:
        return [(f"{model.__name__}.{name}", item.description) for name, item in model.model_fields.items()]  # type: ignore[attr-defined]

    schema = Definitions.model_json_schema()
    parts = [schema, *schema["$defs"].values()]
    without = [
        (part["title"], name)
        for part in parts
        for name, content in part.get("properties", {}).items()
        if len(content.get("description", "").split()) < 3 or not content["description"].endswith(".")
    ]
    assert fields(Definitions)
    assert without == []
