"""Names are found in all of a function's code, comprehensions and inner functions included."""

from __future__ import annotations

import sys
import xml.dom.minidom

import numpy as np
import pytest

from overparam.lab.names_in_code import (
    all_names,
    global_names,
    held_modules,
    imported_modules,
    named_submodules,
)


def looks_up():
    return [xml.dom.minidom.parseString(np.pi) for _ in range(2)]


def holding(module):
    def inner():
        return lambda: module.pi

    return inner


def imports():
    def inner():
        import xml.dom.minidom as words
        from os.path import join

        from no_such_module_at_all import nothing

        return words, join, nothing

    return inner


def test_globals_are_no_attributes():
    assert global_names(looks_up.__code__) >= {"xml", "np", "range"}
    assert "pi" not in global_names(looks_up.__code__)
    assert all_names(looks_up.__code__) >= {"xml", "dom", "minidom", "pi"}


def test_modules_are_found_in_globals_and_closures():
    assert held_modules(looks_up) == [np, xml]
    assert held_modules(holding(np)) == [np]


def test_a_closure_that_is_not_set_yet_holds_nothing():
    def inner():
        return late

    assert held_modules(inner) == []
    late = np
    assert held_modules(inner) == [late]


def test_submodules_are_named_by_dots():
    assert named_submodules(looks_up) == {"xml.dom", "xml.dom.minidom"}
    assert named_submodules(imports) == set()


def test_imports_of_what_is_there_are_found():
    names = [module.__name__ for module in imported_modules(imports)]
    assert names == ["os", sys.modules["os.path"].__name__, "xml", "xml.dom", "xml.dom.minidom"]


@pytest.mark.parametrize(("package", "found"), [("xml.dom", ["xml", "xml.dom"]), ("", [])])
def test_relative_imports_are_those_of_the_package(package, found):
    module = type(sys)("a_part")
    module.__package__ = package
    exec("def run():\n    from . import minidom\n    return minidom", vars(module))
    assert [m.__name__ for m in imported_modules(module.run)] == found
