"""Profiles are typed: what is wrong is refused with its file, its line and what to write instead."""

import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources.profile import SourceProfile, load_profile
from revops_analysis.sources.variables import expand

GOOD = """kind: files
data_through: 2026-09-30
root: ../../data
tables:
  opportunities:
    file: deals.csv
    columns:
      opportunity_id: Id
      stage: {column: Stage, value_map: {1: Discovery, true: Closed Won, x: null}}
"""


def load(lab, text, name="crm"):
    (lab.profiles / f"{name}.yml").write_text(text)
    return load_profile(name, lab.project)


def test_short_and_long_forms_of_a_column(lab):
    profile = load(lab, GOOD)
    (part,) = profile.tables["opportunities"]
    assert part.columns["opportunity_id"].column == "Id"
    assert part.columns["stage"].value_map == {"1": "Discovery", "true": "Closed Won", "x": None}
    assert profile.name == "crm"
    assert profile.root_folder(lab.project) == lab.data


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("    columns:", "    colums:", 7, "unknown key 'colums'; did you mean columns"),
        ("data_through: 2026-09-30\n", "", 1, "data_through is missing"),
        ("  opportunities:", "  oportunities:", 5, "did you mean opportunities"),
        ("      stage:", "      stagge:", 9, "did you mean stage"),
        ("{column: Stage,", "{column: Stage, constant: x,", 9, "exactly one of column, constant, sql, key"),
        ("    file: deals.csv", "    table: deals", 6, "kind: files needs"),
        ("    file: deals.csv", "    inputs: {x: y}", 5, "exactly one of file, table, sql"),
        ("kind: files", "kind: filez", 1, "files"),
        ("data_through: 2026-09-30", "data_through: soon", 2, "date"),
        ("value_map:", "valu_map:", 9, "did you mean value_map"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_line(lab, old, new, line, said):
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        load(lab, GOOD.replace(old, new))
    assert said in str(caught.value)
    if line > 1:
        assert f"line {line}," in str(caught.value.where)


def test_a_database_needs_a_url_and_a_sample_needs_nothing(lab):
    with pytest.raises(ConfigurationError, match="url is missing"):
        load(
            lab,
            GOOD.replace("files", "database")
            .replace("file: deals.csv", "table: deals")
            .replace("root: ../../data\n", ""),
        )
    assert load(lab, "kind: sample\nscale: 0.1\n").scale == 0.1
    with pytest.raises(ConfigurationError, match="it is simulated"):
        load(lab, "kind: sample\nroot: x\n")


def test_yaml_cannot_build_objects(lab):
    with pytest.raises(ConfigurationError):
        load(lab, "kind: !!python/object/apply:os.getcwd []\n")


def test_an_unknown_source_is_named_with_those_there_are(lab):
    load(lab, GOOD, "maven")
    with pytest.raises(ConfigurationError, match="did you mean maven"):
        load_profile("mavem", lab.project)


def test_variables_are_resolved_late_and_never_stored(lab, monkeypatch):
    text = "kind: database\ndata_through: 2026-09-30\nurl: postgres://u:${CRM_SECRET}@host/db\n"
    text += "tables: {opportunities: {table: deals}}\n"
    monkeypatch.setenv("CRM_SECRET", "s3cret")
    profile = load(lab, text)
    assert profile.resolved_url() == "postgres://u:s3cret@host/db"
    assert "s3cret" not in repr(profile) + profile.hash + profile.model_dump_json()
    before = profile.hash
    monkeypatch.delenv("CRM_SECRET")
    assert load(lab, text).hash == before
    with pytest.raises(ConfigurationError, match="CRM_SECRET is not set"):
        profile.resolved_url()


def test_a_variable_may_have_a_default(monkeypatch):
    monkeypatch.setenv("REVOPS_PROBE", "set")
    assert expand("${REVOPS_PROBE:-x}/${REVOPS_NOWHERE:-y}", "root") == "set/y"


def test_a_root_that_does_not_exist_is_refused(lab):
    with pytest.raises(ConfigurationError, match="root of source crm does not exist"):
        load(lab, GOOD.replace("../../data", "../nowhere")).root_folder(lab.project)


def test_the_hash_follows_the_content(lab):
    assert load(lab, GOOD).hash == load(lab, GOOD + "\n# a comment\n").hash
    assert load(lab, GOOD).hash != load(lab, GOOD.replace("Stage", "StageName")).hash


def test_null_takes_a_setting_of_an_extended_profile_back(lab):
    (lab.profiles / "base.yml").write_text(GOOD)
    text = "extends: base.yml\ntables:\n  opportunities:\n    columns:\n"
    text += "      stage: {column: null, value_map: null, constant: Discovery}\n"
    (part,) = load(lab, text).tables["opportunities"]
    assert part.columns["stage"].constant == "Discovery"
    assert part.columns["opportunity_id"].column == "Id"


def test_every_setting_says_what_it_means():
    def described(model):
        return all(field.description or name in ("kind",) for name, field in model.model_fields.items())

    assert described(SourceProfile)
