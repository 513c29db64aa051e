"""Checks: found by being there, asked one by one, and whatever one raises ends nothing."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from overparam.audits import checks
from overparam.audits.check import Check, ask, found_checks, ordered
from overparam.audits.finding import Finding
from overparam.errors import DataError, UsageError
from tests.audits.worlds import evidence_of, subject_of

FOUND = found_checks()


def a_check(run, **options):
    return Check("MY101", "Mine", run, **options)


@pytest.mark.parametrize("check", FOUND, ids=lambda c: c.code)
class TestEveryCheck:
    def test_has_its_code_in_its_file(self, check):
        module = importlib.import_module(check.run.__module__)
        said = ast.get_docstring(ast.parse(Path(module.__file__).read_text()))
        assert said.startswith(f"{check.code}: ")

    def test_has_a_section_on_its_page(self, check):
        finding = ask(check, evidence_of(subject_of(tested=False)))
        page, _, anchor = finding.page.partition("#")
        text = (Path(__file__).parents[2] / page).read_text()
        assert f'<a id="{anchor}"></a>' in text
        assert re.search(rf"^## {check.code}\b", text, re.M)

    def test_never_passes_for_what_was_not_measured(self, check):
        finding = ask(check, evidence_of(subject_of(tested=False)))
        if set(check.needs) - {"table", "copies"}:
            assert finding.status in ("skipped", "not applicable")
            assert finding.sentence

    def test_is_validated_by_a_phenomenon_that_is_there(self, check):
        from overparam.phenomena import names

        assert not check.validated_by or check.validated_by in names()


def test_every_module_of_checks_is_found():
    files = [p for p in Path(checks.__path__[0]).rglob("*.py") if not p.name.startswith("_")]
    assert len(files) == len(FOUND)


def test_what_a_check_raises_is_its_row():
    def of_the_users(evidence):
        raise DataError("the rows are odd")

    def a_bug(evidence):
        return 1 / 0

    def an_exit(evidence):
        raise SystemExit(0)

    evidence = evidence_of(subject_of())
    assert "the rows are odd" in ask(a_check(of_the_users), evidence).sentence
    assert "ZeroDivisionError" in ask(a_check(a_bug), evidence).sentence
    assert [ask(a_check(f), evidence).status for f in (of_the_users, a_bug, an_exit)] == (
        ["failed"] * 3
    )


def test_the_users_stop_ends_the_audit():
    from overparam.stopping import Stopped

    def stopped(evidence):
        raise Stopped

    with pytest.raises(Stopped):
        ask(a_check(stopped), evidence_of(subject_of()))


def test_what_is_no_finding_is_said():
    finding = ask(a_check(lambda evidence: 3), evidence_of(subject_of()))
    assert finding.status == "failed"
    assert "returned int" in finding.sentence


def test_what_does_not_apply_is_not_run():
    check = a_check(lambda e: 1 / 0, applies=lambda subject: "there is no such thing here")
    finding = ask(check, evidence_of(subject_of()))
    assert (finding.status, finding.sentence) == ("not applicable", "there is no such thing here")


def test_a_finding_carries_what_its_check_says_of_itself():
    check = a_check(lambda e: Finding("passed", "well"), validated_by="double_descent/squared_loss")
    finding = ask(check, evidence_of(subject_of()))
    assert (finding.code, finding.title) == ("MY101", "Mine")
    assert finding.validated_by == "double_descent/squared_loss"
    assert not finding.page  # of one's own


def test_codes_and_needs_are_checked():
    with pytest.raises(UsageError, match="a check has a code"):
        Check("mine", "Mine", lambda e: None)
    with pytest.raises(UsageError, match="MY101 needs what no evidence has"):
        a_check(lambda e: None, needs=("everything",))
    with pytest.raises(UsageError, match="two checks have one code"):
        ordered([a_check(lambda e: None), a_check(lambda e: None)])
