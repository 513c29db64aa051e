"""What a page says is judged is what is judged: the rules that a phenomenon's verdict prints."""

import importlib
from pathlib import Path

import pytest

from overparam import phenomena

PAGES = Path(__file__).parents[3] / "docs" / "phenomena"
NAMES = [name for name in phenomena.names() if name.startswith("memorization/")]


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_on_the_page_is_the_rule_of_the_verdict(name):
    module = importlib.import_module(f"overparam.phenomena.{name.replace('/', '.')}")
    rules = [value for key, value in vars(module).items() if key.startswith("RULE")]
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert len(rules) == 2
    assert [rule for rule in rules if rule not in page] == [], "copy the rule to the page, whole"
