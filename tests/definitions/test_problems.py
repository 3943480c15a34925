"""Advice for names that nobody knows."""

from revops_analysis.definitions.problems import nearest, repeated


def test_the_nearest_name_is_advised_and_all_of_them_where_none_is_near() -> None:
    assert nearest("stalled_quantil", ["stalled_quantile", "stages"]) == "write stalled_quantile"
    assert nearest("xyz", ["open", "won"]) == "write one of: open, won"


def test_repeated_names_are_found_whatever_their_case_and_told_once_each() -> None:
    found = repeated(["A", "b", " a", "B ", "c"], "stage")
    assert [problem.at for problem in found] == [(2,), (3,)]
    assert repeated(["a", "b"], "stage") == []
