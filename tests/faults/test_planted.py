"""The planted bugs fit the code as it stands.  That they are caught, ``python tests/faults --layers planted`` proves."""

from pathlib import Path

import pytest

from .planted import BUGS, SOURCES, Bug, Edit, Misplanted, patched, plant


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_planted_bug_still_applies_to_the_code_and_leaves_it_code(bug: Bug) -> None:
    for file, text in patched(bug).items():
        assert text != (SOURCES / "kassa" / file).read_text(encoding="utf-8")
        compile(text, file, "exec")


def test_no_two_planted_bugs_have_one_name() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("stands", ["one\n", "three\n"], ids=["twice", "never"])
def test_a_bug_whose_text_does_not_stand_there_exactly_once_is_an_error_that_names_it(
    tmp_path: Path, stands: str
) -> None:
    (tmp_path / "kassa").mkdir()
    file = tmp_path / "kassa" / "numbers.py"
    file.write_text("one\ntwo\none\n", encoding="utf-8")
    bug = Bug("miscounting", (Edit("numbers.py", "two\n", "2\n"), Edit("numbers.py", stands, "0\n")), only="")
    with pytest.raises(Misplanted, match="'miscounting' cannot be planted: core/src/kassa/numbers"):
        plant(bug, tmp_path)
    assert file.read_text(encoding="utf-8") == "one\ntwo\none\n"
