"""Whose code a study's records come from: edits are seen, and nothing else is."""

from __future__ import annotations

import dataclasses
import importlib
import os
import py_compile
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from overparam.errors import CodeError, StoreError, UsageError
from overparam.lab.code import edited_files, own_code, what_a_hash_misses
from overparam.lab.recorded import load_records
from overparam.lab.runner import load_study, run_study
from overparam.lab.store import Store
from overparam.models.own_imports import own_modules
from overparam.phenomena import find

OWN = """
from __future__ import annotations
import json, os
from dataclasses import dataclass
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import decide
from helper_of_own import FACTOR
import package_of_own.inner

@dataclass(frozen=True)
class Condition:
    level: float = factor(1, unit="m", doc="how high")

@dataclass(frozen=True)
class Outcome:
    size: float = quantity("m", "how large")

async def run(c, streams):
    from late_helper import ADDED
    return Outcome(FACTOR * c.level + ADDED)

def summarise(records):
    return {"treatment": records.measured}

def verdict(found):
    sizes = mean_interval([r.outcome.size + 0.001 * r.seed for r in found])
    return decide(sizes, at_least=0.5, unit="m", rule="mean > 0.5 m")

PHENOMENON = Phenomenon(
    doc="Claim: it is large.", condition=Condition, outcome=Outcome, run=run,
    cells=lambda base: [base], summarise=summarise, verdict=verdict, figures=lambda s, r: [],
    scales={name: Scale(Condition(), 2) for name in ("smoke", "standard", "full")},
)
"""
FILES = {
    "helper_of_own.py": "FACTOR = 2.0",
    "late_helper.py": "ADDED = 1.0",
    "package_of_own/__init__.py": "",
    "package_of_own/inner.py": "from . import beside",
    "package_of_own/beside.py": "",
    "unrelated.py": "",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a phenomenon's file and what it imports, forgotten when the test ends."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    place = tmp_path / "own"
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    (place / "own_claim.py").write_text(OWN)
    yield place
    for name, file in own_modules().items():
        if Path(file).is_relative_to(place):
            del sys.modules[name]


def own(place):
    return find(str(place / "own_claim.py"))


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# edited\n")


def test_the_file_and_all_that_it_imports_from_beside_it_are_known(place):
    phenomenon = own(place)
    code = own_code(phenomenon, phenomenon.conditions())
    assert set(code.files["phenomenon"]) == {*FILES, "own_claim.py"} - {"unrelated.py"}
    assert "own_claim.py" in what_a_hash_misses(code)[0]
    assert "data that this code reads" in what_a_hash_misses(code)[0]


def test_the_packages_own_phenomena_have_no_other_code():
    phenomenon = find("double_descent/random_features")
    code = own_code(phenomenon, phenomenon.conditions("smoke"))
    assert code.files == {}
    assert what_a_hash_misses(code) == []


@pytest.mark.parametrize(
    "name", ["own_claim.py", "helper_of_own.py", "late_helper.py", "package_of_own/beside.py"]
)
def test_an_edited_file_is_refused_with_the_remedy(place, tmp_path, name):
    folder = tmp_path / "study"
    first = run_study(own(place), workers=0, folder=folder)
    assert any("own_claim.py" in note for note in first.provenance["notes"])
    edit(place / name)
    with pytest.raises(StoreError, match=rf"was edited since .*got '{name}'.*--fresh .*--out"):
        run_study(own(place), workers=0, folder=folder)
    # Its records can still be read, and the figures are said to be of other code.
    (note,) = [n for n in load_study(folder, own(place)).provenance["notes"] if "edited" in n]
    assert note.startswith(f"{name} was edited since the records were made")
    assert run_study(own(place), workers=0, folder=folder, accept_edits=True).complete
    assert run_study(own(place), workers=0, folder=folder).complete
    assert run_study(own(place), workers=0, folder=folder, fresh=True).complete


HIDDEN = {  # a way of importing what no text shows, and the file that it leads to
    "a path that it adds": (
        "import os, sys; sys.path.insert(0, os.path.dirname(__file__) + '/lib')\n"
        "    from of_a_library import ADDED",
        "lib/of_a_library.py",
    ),
    "all that a package offers": (
        "import offers_all; ADDED = offers_all.load()",
        "offers_all/part.py",
    ),
    "a name that it makes": (
        "import importlib; ADDED = importlib.import_module('by_' + 'name').ADDED",
        "by_name.py",
    ),
    "a text that it executes": (
        "names = {}; exec('from in_a_text import ADDED', names); ADDED = names['ADDED']",
        "in_a_text.py",
    ),
    "a loader that it makes": (
        "import importlib.util as u\n"
        "    path = os.path.dirname(__file__) + '/by_path.py'\n"
        "    spec = u.spec_from_file_location('no_name', path)\n"
        "    module = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "    ADDED = module.ADDED",
        "by_path.py",
    ),
    "a file that it runs": (
        "import runpy; ADDED = runpy.run_path(os.path.dirname(__file__) + '/run_it.py')['ADDED']",
        "run_it.py",
    ),
    "a module that it runs": (
        "import runpy; ADDED = runpy.run_module('run_module')['ADDED']",
        "run_module.py",
    ),
    "a module that it forgets": (
        "import sys, forgotten; ADDED = sys.modules.pop('forgotten').ADDED",
        "forgotten.py",
    ),
    "no source": ("from without_source import ADDED", "without_source.pyc"),
}


@pytest.mark.parametrize(("way", "file"), HIDDEN.values(), ids=HIDDEN)
def test_what_was_really_imported_is_known(place, tmp_path, way, file):
    def write(number):
        target = place / file
        target.parent.mkdir(exist_ok=True)
        source = target.with_suffix(".py")
        source.write_text(f"ADDED = {number}")
        if target != source:
            py_compile.compile(str(source), str(target), doraise=True)
            source.unlink()

    write(1.0)
    if file == "offers_all/part.py":
        loader = "from offers_all.part import *\n__all__ = ['part']\ndef load():\n"
        text = loader + "    names = {}\n    exec('from offers_all import *', names)\n"
        (place / "offers_all/__init__.py").write_text(text + "    return names['part'].ADDED")
    text = OWN.replace("from late_helper import ADDED", way)
    (place / "own_claim.py").write_text(text)
    study = tmp_path / "study"
    first = run_study(own(place), workers=0, folder=study)
    assert [r.outcome.size for r in first.records] == [3.0, 3.0]
    with Store.read_only(study) as store:
        assert file in store.get("code")["phenomenon"]
    assert run_study(own(place), workers=0, folder=study).complete
    write(22.0)
    with pytest.raises(StoreError, match=rf"was edited since .*got '{file}[',]"):
        run_study(own(place), workers=0, folder=study)
    note, *_ = [n for n in load_study(study, own(place)).provenance["notes"] if "edited" in n]
    assert note.startswith(f"{file} was edited since the records were made")


FAR = {
    "named in its text": ("from far_helper import ADDED", ""),
    "reached by its functions": (
        "ADDED = far.added()",
        "import importlib\nfar = importlib.import_module('far_helper')",
    ),
}


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("inside", "above"), FAR.values(), ids=FAR)
def test_a_module_in_another_folder_is_known(place, tmp_path, monkeypatch, workers, inside, above):
    far = place / "elsewhere" / "far_helper.py"
    far.parent.mkdir()
    far.write_text("ADDED = 1.0\ndef added(): return ADDED")
    monkeypatch.syspath_prepend(str(far.parent))
    importlib.invalidate_caches()
    import_module("far_helper")  # as a script has it, where it imports what it names
    text = OWN.replace("    from late_helper import ADDED", f"    {inside}")
    (place / "own_claim.py").write_text(
        text.replace("import json, os", f"import json, os\n{above}")
    )
    study, phenomenon = tmp_path / "study", own(place)
    first = run_study(phenomenon, workers=workers, folder=study)
    assert [r.outcome.size for r in first.records] == [3.0, 3.0]
    assert run_study(phenomenon, workers=1 - workers, folder=study).complete
    edit(far)
    with pytest.raises(StoreError, match=r"was edited since .*got 'elsewhere/far_helper\.py'"):
        run_study(phenomenon, workers=workers, folder=study)


def test_a_file_that_was_edited_after_its_import_is_told(place, tmp_path):
    edits = f"open({str(place / 'helper_of_own.py')!r}, 'a').write('# edited')"
    text = OWN.replace("from late_helper import ADDED", f"{edits}; ADDED = 1.0")
    (place / "own_claim.py").write_text(text)
    result = run_study(own(place), workers=0)
    (note,) = [n for n in result.provenance["notes"] if "edited" in n]
    assert note == (
        "helper_of_own.py was edited while the study ran; the records are of the text before"
    )


def test_a_worker_that_imports_another_text_than_the_first_ends_the_run(place, tmp_path):
    dies = f"""
    if streams.seed == 1:
        import os, pathlib
        path = pathlib.Path({str(place)!r}) / "helper_of_own.py"
        if "100" not in path.read_text():
            path.write_text("FACTOR = 100.0")
            os.kill(os.getpid(), 9)
"""
    text = OWN.replace("    from late_helper import ADDED\n", f"{dies}    ADDED = 1.0\n")
    (place / "own_claim.py").write_text(text)
    study, phenomenon = tmp_path / "study", own(place)
    with pytest.raises(StoreError, match=r"edited while it ran.*got 'helper_of_own\.py'.*undo"):
        run_study(phenomenon, workers=1, folder=study)
    assert [(r.seed, r.outcome.size) for r in load_study(study, phenomenon).records] == [(0, 3.0)]


def test_files_that_a_forged_study_names_are_not_opened(place, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    named = ["../pipe", "/dev/zero", "nul\0", 5, "half \ud800"]
    known = {"phenomenon": dict.fromkeys(named, "ab")}
    phenomenon = own(place)
    files = own_code(phenomenon, phenomenon.conditions(), known).files["phenomenon"]
    assert all(files[name].startswith("cannot be read") for name in named if name != 5)
    run_study(phenomenon, workers=0, folder=tmp_path / "study")
    with Store.open(tmp_path / "study", phenomenon) as store:
        store._put_value("code", known)
    assert run_study(phenomenon, workers=0, folder=tmp_path / "study", accept_edits=True).complete


@pytest.mark.parametrize("known", [None, [], 5, "text"], ids=range(4))
def test_code_that_a_forged_study_knows_in_no_form_is_damage(place, tmp_path, known):
    phenomenon = own(place)
    run_study(phenomenon, workers=0, folder=tmp_path / "study")
    with Store.open(tmp_path / "study", phenomenon) as store:
        store._put_value("code", known)
    assert load_study(tmp_path / "study", phenomenon).complete
    with pytest.raises(StoreError, match=r"knows of its code cannot be read; got "):
        run_study(phenomenon, workers=0, folder=tmp_path / "study", accept_edits=True)


def test_a_file_that_it_does_not_import_may_change(place, tmp_path):
    run_study(own(place), workers=0, folder=tmp_path / "study")
    edit(place / "unrelated.py")
    assert run_study(own(place), workers=0, folder=tmp_path / "study").complete


def test_an_edited_file_is_imported_anew_in_the_same_process(place):
    assert [r.outcome.size for r in run_study(own(place), workers=0).records] == [3.0, 3.0]
    (place / "helper_of_own.py").write_text("FACTOR = 5.0")
    assert [r.outcome.size for r in run_study(own(place), workers=0).records] == [6.0, 6.0]
    assert own(place) is own(place)


def test_what_a_cell_loads_by_name_is_part_of_the_identity(tmp_path):
    net = tmp_path / "net.py"
    net.write_text("WIDTH = 1")
    probe = dataclasses.replace(
        find("double_descent/random_features"), loads=lambda c: {"net.py:Net": [net]}
    )
    code = own_code(probe, probe.conditions("smoke")).files
    assert list(code) == ["net.py:Net"]
    with Store.open(tmp_path / "study", probe) as store:
        store.check_code(code)
        store.check_code({"other.py:Net": {"other.py": "ab"}})  # another target in the same folder
        assert set(store.get("code")) == {"net.py:Net", "other.py:Net"}
        net.write_text("WIDTH = 2")
        assert edited_files(
            store.get("code"), own_code(probe, probe.conditions("smoke")).files
        ) == ["net.py"]
        store.check_code(own_code(probe, probe.conditions("smoke")).files)  # there is no record yet
        with pytest.raises(UsageError, match="the store's own"):
            store.set("code", {})


def test_a_notebook_is_known_by_the_text_of_its_functions(tmp_path):
    from tests.lab import tiny_phenomenon

    def made_in_a_notebook(text):
        module = type(sys)("a_notebook")
        path = tmp_path / f"{len(text)}.py"
        path.write_text(text)
        exec(compile(text, str(path), "exec"), module.__dict__)
        module.run.__module__ = "a_notebook"
        return dataclasses.replace(tiny_phenomenon.PHENOMENON, run=module.run)

    texts = ["async def run(c, s):\n    return 1\n", "async def run(c, s):\n    return 22\n"]
    first, second = (own_code(made_in_a_notebook(t), []).files["phenomenon"] for t in texts)
    assert first["run of a_notebook"] != second["run of a_notebook"]


def test_a_study_tells_its_records_without_its_code(place, tmp_path):
    folder = tmp_path / "study"
    written = run_study(own(place), workers=0, folder=folder)
    (place / "own_claim.py").unlink()
    found = load_records(folder)
    assert found.complete
    assert [r.outcome.size for r in found.records] == [r.outcome.size for r in written.records]
    assert found.phenomenon.claim == "it is large."
    assert dataclasses.fields(found.phenomenon.condition)[0].metadata["unit"] == "m"
    assert found.verdicts == {}
    assert found.figures[0].columns["size"] == [3.0, 3.0]
    assert found.command().startswith("overparam run own_claim.py --scale standard")
    assert "name it: --phenomenon own_claim.py" in found.provenance["notes"][-1]
    with pytest.raises(UsageError, match="its code was not loaded"):
        found.phenomenon.summarise(found.records)


@pytest.mark.parametrize(
    "told",
    [
        None,
        7,
        {"doc": "", "condition": [], "outcome": 5},
        {"doc": 1, "condition": [], "outcome": []},
        {"doc": "", "condition": [{"name": "class"}], "outcome": []},
        *(
            {"doc": "", "outcome": [], "condition": [field]}
            for name in ("class", "a b", "__init__", 5)
            for field in [{"name": name, "symbol": "", "unit": "", "doc": "", "type": ""}]
        ),
    ],
    ids=range(9),
)
def test_what_a_study_tells_of_its_phenomenon_is_not_believed(place, tmp_path, told):
    phenomenon = own(place)
    run_study(phenomenon, workers=0, folder=tmp_path)
    with Store.open(tmp_path, phenomenon) as store:
        store.set("told", told)
    with pytest.raises(StoreError, match="tells of its phenomenon cannot be read"):
        load_records(tmp_path)


def test_a_file_that_ends_the_process_when_it_is_imported_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "it_exits.py").write_text(textwrap.dedent("import sys\nsys.exit()"))
    with pytest.raises(CodeError, match=r"import of it_exits raised SystemExit.*it_exits\.py:2"):
        find(str(tmp_path / "it_exits.py"))


def test_what_else_a_notebook_has_imported_decides_no_record(place, tmp_path):
    (place / "of_another_cell.py").write_text("A = 1\n")
    sys.path.append(str(place))
    import_module("of_another_cell")
    run_study(own(place), workers=0, folder=tmp_path / "study")
    edit(place / "of_another_cell.py")
    assert run_study(own(place), workers=0, folder=tmp_path / "study").complete
    edit(place / "helper_of_own.py")  # the same way, of what it does import
    with pytest.raises(StoreError, match=r"helper_of_own\.py"):
        run_study(own(place), workers=0, folder=tmp_path / "study")
