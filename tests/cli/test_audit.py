"""`overparam audit`: from data and a model to a report, its exit codes, and what is refused."""

import json
import signal
import time

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from overparam.audits.evidence import STAGES
from overparam.audits.plan import AuditPlan, Stage
from overparam.audits.stages import Stand
from overparam.cli.audit_progress import AuditMeter, show_audit

N, N_WRONG = 80, 6
MODELS = """
from pathlib import Path

import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from torch import nn

def table():
    return pd.read_csv(Path(__file__).with_name("table.csv"))

def net(width=8): return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))

class OnFrame(DecisionTreeClassifier):
    def fit(self, X, y): return super().fit(numbers(X), y)
    def predict(self, X): return super().predict(numbers(X))
    def predict_proba(self, X): return super().predict_proba(numbers(X))

def on_frame():
    return make_pipeline(FunctionTransformer(numbers), DecisionTreeClassifier())

def numbers(frame): return frame[["width", "height"]]

def in_use():
    return GaussianNB().fit(table()[["width", "height"]], table()["kind"])

def in_use_of_other_classes():
    return GaussianNB().fit(table()[["width", "height"]], table()["width"] > 1)

def fit(rows, seed):
    X, y = table()[["width", "height"]].to_numpy(), (table()["kind"] == "wide").to_numpy()
    model = GaussianNB().fit(X[rows], y[rows])
    return lambda inputs: model.predict_proba(inputs[["width", "height"]].to_numpy())
"""
TREE = "sklearn.tree:DecisionTreeClassifier"
NET = ("--model", "cli_audit_models.py:net", "--epochs", "3")


@pytest.fixture
def table(tmp_path):
    """Two classes that lie apart, with the labels of the first rows wrong."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, N)
    frame = pd.DataFrame({"width": rng.normal(size=N) + 4 * kind, "height": rng.normal(size=N)})
    kind[:N_WRONG] = 1 - kind[:N_WRONG]
    frame["kind"] = np.where(kind == 1, "wide", "narrow")
    frame.to_csv(tmp_path / "table.csv", index=False)
    return frame


@pytest.fixture
def models(tmp_path):
    (tmp_path / "cli_audit_models.py").write_text(MODELS)


def audit(here, *words, budget="2s"):
    """A fit takes milliseconds, so that two seconds pay for what is asked here."""
    return here("audit", *words, "--budget", budget, "--workers", "0", "--quiet")


OF_TABLE = ("table.csv", "--target", "kind")


def test_from_a_table_to_a_report(here, table, tmp_path):
    code, out, err = audit(here, *OF_TABLE, "--model", TREE)
    assert code == 0, err
    assert out.startswith("It fits all 80 rows")
    assert "open it in a browser: file://" in out
    folder = tmp_path / "audits" / "table"
    assert {p.name for p in folder.iterdir()} >= {"report.html", "audit.json", "rows.csv"}
    page = (folder / "report.html").read_text()
    assert "overparam audit table.csv --target kind" in page
    assert "--budget 4s" in page
    # Again, as one JSON object, compared with the first.
    code, out, err = audit(
        here, *OF_TABLE, "--model", TREE, "--json", "--against", "audits/table", "--mute", "OP201"
    )
    assert code == 0, err
    found = json.loads(out)
    assert found["about"]["rows"] == N
    assert found["exit_code"] == 0
    assert found["muted"] == ["OP201"]


def test_without_a_model_the_data_are_audited(here, table):
    table["colour"] = np.where(table["width"] > 2, "red", "blue")
    table.to_csv("table.csv", index=False)
    code, out, err = audit(here, *OF_TABLE, "--plan")
    assert code == 0, err
    assert "models on random subsets" in out


@pytest.mark.slow
def test_fail_on_decides_the_exit_code(here, table, models, tmp_path):
    """Labels that nothing tells: worse than always saying one class."""
    rng = np.random.default_rng(1)
    table["kind"] = np.where(rng.random(N) < 0.5, "wide", "narrow")
    table.to_csv(tmp_path / "table.csv", index=False)
    words = (*OF_TABLE, "--model", TREE, "--fail-on")
    code, out, err = audit(here, *words, "high")
    assert code == 1, err
    assert "of severity high or higher: " in out
    assert "OP301" in out
    assert audit(here, *words, "low", "--mute", _all_codes())[0] == 0


def _all_codes():
    from overparam.audits.check import found_checks

    return ",".join(check.code for check in found_checks())


@pytest.mark.slow
def test_words_become_numbers_for_a_librarys_class(here, table, models, tmp_path):
    table["colour"] = np.where(table["width"] > 2, "red", "blue")
    table.to_csv(tmp_path / "table.csv", index=False)
    words = (*OF_TABLE, "--model", TREE, "--capacity", "max_depth=1,2", "--json")
    code, out, err = audit(here, *words)
    assert code == 0, err
    found = json.loads(out)
    assert any("words as columns of 0 and 1" in note for note in found["notes"])
    assert found["about"]["name"] == "DecisionTreeClassifier"
    assert not [f for f in found["findings"] if f["status"] == "failed"]


@pytest.mark.parametrize("own", ["on_frame", "OnFrame"])
def test_what_is_of_ones_own_gets_the_table(here, table, models, tmp_path, own):
    table["colour"] = np.where(table["width"] > 2, "red", "blue")
    table.to_csv(tmp_path / "table.csv", index=False)
    words = (*OF_TABLE, "--model", f"cli_audit_models.py:{own}", "--json")
    code, out, err = audit(here, *words)
    assert code == 0, err
    found = json.loads(out)
    assert not any("words as columns" in note for note in found["notes"])
    assert {f["code"]: f["status"] for f in found["findings"]}["OP301"] in ("passed", "found")


@pytest.mark.slow
def test_the_argument_of_a_network_is_its_capacity(here, table, models):
    words = (*OF_TABLE, *NET, "--capacity", "width=4,16", "--json")
    code, out, err = audit(here, *words, budget="10s")
    assert code == 0, err
    found = {f["code"]: f for f in json.loads(out)["findings"]}["OP307"]
    assert found["status"] in ("passed", "found", "undecided"), found["sentence"]
    assert "width=4" in json.dumps(found["figures"])


def test_a_test_file_of_the_same_columns(here, table, tmp_path):
    table.iloc[::-1].to_csv(tmp_path / "test.csv", index=False)
    words = (*OF_TABLE, "--model", TREE)
    code, out, err = audit(here, *words, "--test", "test.csv", "--json", "--no-rows")
    assert code == 0, err
    assert json.loads(out)["about"]["test_rows"] == N
    table.drop(columns="width").to_csv(tmp_path / "test.csv", index=False)
    code, _, err = audit(here, *words, "--test", "test.csv")
    assert code == 2
    assert "columns are not those of table.csv" in err


def test_a_function_of_ones_own(here, table, models):
    code, out, err = audit(here, *OF_TABLE, "--model", "cli_audit_models.py:fit", "--json")
    assert code == 0, err
    assert json.loads(out)["about"]["kind"] == "function"


def test_numbers_are_read_as_numbers(here, table, tmp_path):
    table["size"] = 3 * table["width"]
    table.drop(columns="kind").to_csv(tmp_path / "sizes.csv", index=False)
    net = ("--model", "mlp:input_dim=2,hidden=4,n_outputs=1", "--epochs", "2")
    words = ("sizes.csv", "--target", "size", *net, "--task", "numbers")
    code, out, err = audit(here, *words, "--json")
    assert code == 0, err
    assert json.loads(out)["about"]["task"] == "numbers"


def test_a_model_in_use_by_its_name(here, table, models, tmp_path):
    table.to_csv(tmp_path / "test.csv", index=False)
    words = (*OF_TABLE, "--model", "sklearn.naive_bayes:GaussianNB", "--test", "test.csv")
    code, out, err = audit(here, *words, "--fitted", "cli_audit_models.py:in_use", "--json")
    assert code == 0, err
    found = {f["code"]: f for f in json.loads(out)["findings"]}["OP301"]
    assert "The model in use errs" in found["sentence"]
    # The fresh fit is the same one: trained on the same rows.
    assert found["details"]["in_use"]["more_than_a_fresh_fit"]["value"] == 0
    other = "cli_audit_models.py:in_use_of_other_classes"
    code, _, err = audit(here, *words, "--fitted", other)
    assert code == 2
    assert "the model in use does not fit the data" in err


def test_weights_of_a_network_in_use(here, table, models, tmp_path):
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    torch.save(module.state_dict(), tmp_path / "net.pt")
    words = (*OF_TABLE, *NET, "--fitted")
    code, out, err = audit(here, *words, "net.pt", "--json")
    assert code == 0, err
    found = {f["code"]: f for f in json.loads(out)["findings"]}["OP301"]
    assert found["status"] in ("found", "passed"), found["sentence"]
    inputs = torch.tensor(table[["width", "height"]].to_numpy(), dtype=torch.float32)
    wrong = module(inputs).argmax(1).numpy() != (table["kind"] == "wide").to_numpy()
    assert found["details"]["in_use"]["training_error"] == pytest.approx(100 * wrong.mean())
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pt")
    code, _, err = audit(here, *words, "other.pt")
    assert code == 2
    assert "are not those of this network" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("table.csv",), 2, "a file needs the name of its labels"),
        (("table.csv", "--target", "kin"), 2, "no such column of labels"),
        ((*OF_TABLE, "--groups", "doctor"), 2, "no such column of groups"),
        ((*OF_TABLE, "--epochs", "3"), 2, "of a network of your own"),
        ((*OF_TABLE, "--model", TREE, "--epochs", "3"), 2, "of a network of your own"),
        ((*OF_TABLE, "--model", "model.pkl"), 2, "pickle or joblib file is a program"),
        ((*OF_TABLE, *NET, "--fitted", "model.joblib"), 2, "by its name, my_models.py:make"),
        ((*OF_TABLE, *NET, "--fitted", "gone.pt"), 3, "there is no file"),
        ((*OF_TABLE, "--model", TREE, "--fitted", "net.pt"), 2, "weights are those of a network"),
        ((*OF_TABLE, "--model", TREE, "--capacity", "depth"), 2, "a knob and its values"),
        ((*OF_TABLE, "--model", TREE, "--capacity", "depth=3"), 2, "no such parameter"),
        ((*OF_TABLE, "--mute", "OP999"), 2, "OP999"),
        ((*OF_TABLE, "--fail-on", "much"), 2, "much"),
        ((*OF_TABLE, "--against", "nowhere"), 4, "nowhere"),
        (("digits", "--target", "kind"), 2, "--target with digits"),
        (("empty", "--test", "t.csv"), 2, "--test with empty"),
        (("empty",), 3, "no images of at least two classes"),
        (("--target", "kind"), 2, "goes with data of yours"),
        (("gone.csv", "--target", "kind"), 2, "there is no such file"),
        (("no_such_set",), 2, "no_such_set"),
    ],
)
def test_what_is_refused(here, table, models, tmp_path, words, code, message):
    (tmp_path / "empty").mkdir()
    found, _, err = audit(here, *words)
    assert found == code, err
    assert message in err
    assert not (tmp_path / "audits").exists()


def test_labels_that_may_be_either_are_asked_about(here, table, tmp_path):
    table.assign(size=7 * np.arange(N)).to_csv(tmp_path / "sizes.csv", index=False)
    code, _, err = audit(here, "sizes.csv", "--target", "size")
    assert code == 3
    assert "task='numbers' (--task)" in err
    assert "n_classes" not in err
    code, out, err = audit(here, "sizes.csv", "--target", "size", "--task", "numbers", "--plan")
    assert code == 0, err
    assert out.startswith("plan: ")


def test_a_budget_is_a_time(here, table):
    code, _, err = audit(here, *OF_TABLE, budget="soon")
    assert code == 2
    assert "no budget of time" in err


def test_a_plan_trains_nothing(here, table, tmp_path):
    code, out, err = audit(here, *OF_TABLE, "--model", TREE, "--plan", "--json", budget="2h")
    assert code == 0, err
    found = json.loads(out)
    assert found["budget"] == 7200
    assert [stage["name"] for stage in found["stages"]] == list(STAGES)
    assert not (tmp_path / "audits").exists()


@pytest.mark.slow
def test_fresh_forgets_the_models_of_the_folder_and_nothing_else(here, table, tmp_path):
    words = (*OF_TABLE, "--model", TREE)
    assert audit(here, *words)[0] == 0
    mine = tmp_path / "audits" / "table" / "notes" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    table["width"] += 1
    table.to_csv(tmp_path / "table.csv", index=False)
    code, _, err = audit(here, *words)
    assert code == 4
    assert "of other data" in err
    code, out, err = audit(here, *words, "--fresh", "--json")
    assert code == 0, err
    assert not [f for f in json.loads(out)["findings"] if "of other data" in f["sentence"]]
    assert mine.read_text() == "mine"


@pytest.mark.slow
def test_interrupted_it_keeps_what_is_done_and_says_how_to_go_on(start, table, tmp_path):
    text = MODELS + "\nclass Slow(GaussianNB):\n    def fit(self, X, y):\n"
    text += "        import time; time.sleep(0.2)\n        return super().fit(X, y)\n"
    (tmp_path / "slow_models.py").write_text(text)
    words = ("audit", *OF_TABLE, "--model", "slow_models.py:Slow", "--workers", "0")
    process = start(*words, cwd=tmp_path)
    folder = tmp_path / "audits" / "table"
    until = time.monotonic() + 60
    while not any(folder.glob("*/study.sqlite")) and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"finished models are kept in {folder.relative_to(tmp_path)}" in err
    assert "to go on: overparam audit table.csv" in err


def test_progress_says_the_stage_and_the_time_left():
    now = [0.0]
    meter = AuditMeter(lambda: now[0])
    assert meter.words() == "one fit is measured"
    stages = (Stage("one", 1, 3.0), Stage("models", 40, 30.0), Stage("variants", 20, 12.0))
    plan = AuditPlan(600, 1, 1.0, stages)
    meter.planned(plan)
    meter.add(Stand("one", 0, 1, 600))
    assert meter.seconds_left == pytest.approx(plan.seconds)
    meter.add(Stand("models", 10, 40, 600))  # found in the folder
    now[0] = 5.0
    meter.add(Stand("models", 20, 40, 595))  # half a second each
    assert meter.seconds_left == pytest.approx(12 + 10)
    assert meter.words().startswith("models on random subsets of the rows: 20 of 40, about ")


def test_a_plan_is_shown_again_only_where_it_has_changed(capsys):
    few = AuditPlan(60, 1, 1.0, (Stage("one", 1, 3.0),))
    more = AuditPlan(60, 1, 0.5, (Stage("one", 1, 3.0), Stage("models", 4, 2.0)))
    with show_audit(quiet=False) as (on_plan, on_progress):
        for plan in (few, few, more):
            on_plan(plan)
        on_progress(Stand("one", 0, 1, 60))
    err = capsys.readouterr().err
    assert err.count("plan: ") == 2
    assert "one model on all rows: 0 of 1" in err


def test_images_of_the_catalogue(here):
    code, out, err = audit(here, "digits", "--plan")
    assert code == 0, err
    assert "models on random subsets" in out


def test_the_demonstration_needs_no_data(here):
    code, out, err = audit(here, "--plan")
    assert code == 0, err
    assert "models on random subsets" in out
