"""`overparam ensemble`: from a table to the rows that are memorized or mislabelled."""

import csv
import json
import signal
import time

import numpy as np
import pandas as pd
import pytest
import torch

import overparam as op
from overparam.data.table_files import as_numbers, read_table_file
from overparam.ensembles.usual_network import usual_network
from overparam.errors import DataError, UsageError

N, N_WRONG = 80, 6
MODELS = """
from sklearn.naive_bayes import GaussianNB
from torch import nn

def net(width=8):
    return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, 2))

def bayes(): return GaussianNB()

def fit(rows, seed):
    from pathlib import Path
    import pandas as pd
    table = pd.read_csv(Path(__file__).with_name("table.csv"))
    X, y = table[["width", "height"]].to_numpy(), (table["kind"] == "wide").to_numpy()
    model = GaussianNB().fit(X[rows], y[rows])
    return lambda inputs: model.predict_proba(inputs[["width", "height"]].to_numpy())
"""


@pytest.fixture
def table(tmp_path):
    """Two classes that lie apart, with the labels of the first rows wrong."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, N)
    frame = pd.DataFrame({"width": rng.normal(size=N) + 4 * kind, "height": rng.normal(size=N)})
    kind[:N_WRONG] = 1 - kind[:N_WRONG]
    frame["kind"] = np.where(kind == 1, "wide", "narrow")
    frame["patient"] = np.arange(N) // 2
    frame.to_csv(tmp_path / "table.csv", index=False)
    return frame


def ensemble(here, *words, workers="0"):
    return here("ensemble", *words, "--workers", workers, "--quiet")


BAYES = ("--target", "kind", "--model", "cli_ensemble_models.py:bayes")


@pytest.fixture
def models(tmp_path):
    (tmp_path / "cli_ensemble_models.py").write_text(MODELS)


def test_from_a_table_to_its_rows_and_on_from_there(here, table, models, tmp_path):
    words = ("table.csv", *BAYES, "--models", "6", "--groups", "patient")
    code, out, err = ensemble(here, *words, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["n_models"] == 6
    assert len(set(found["label_errors"][:N_WRONG]) & set(range(N_WRONG))) >= 5
    assert found["noise_rate"]["low"] <= N_WRONG / N <= found["noise_rate"]["high"]
    with open(tmp_path / "studies" / "ensemble-table" / "rows.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(r["row"]) for r in rows] == list(range(N))
    assert rows[0]["label"] == table["kind"][0]
    assert {"memorization", "p_out", "label_error_rank", "vulnerability"} <= set(rows[0])
    # More models train only those that are missing.
    code, out, _ = ensemble(here, *words[:-3], "9", *words[-2:])
    assert code == 0
    assert out.startswith("Ensemble: 9 models, GaussianNB")
    assert "labels most likely wrong" in out
    assert "wrote studies/ensemble-table/rows.csv" in out


def test_the_usual_network_needs_no_model(here, table):
    words = ("table.csv", "--target", "kind", "--models", "4", "--out", "mine")
    code, out, err = ensemble(here, *words)
    assert code == 0, err
    assert "80 rows, 2 classes" in out


def test_a_network_of_ones_own(here, table, models, tmp_path):
    table[["width", "height", "kind"]].to_parquet(tmp_path / "table.parquet")
    words = ("table.parquet", "--target", "kind", "--model", "cli_ensemble_models.py:net")
    code, out, err = ensemble(here, *words, "--epochs", "3", "--models", "4")
    assert code == 0, err
    assert "4 models, cli_ensemble_models.py:net" in out
    code, _, err = ensemble(here, *words, "--epochs", "4", "--models", "4")
    assert code == 4
    assert "is of another recipe" in err
    (tmp_path / "cli_ensemble_models.py").write_text(MODELS + "\n")
    code, _, err = ensemble(here, *words, "--epochs", "3", "--models", "5")
    assert code == 4
    assert "--accept-edits" in err


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_function_of_ones_own_is_given_rows_and_a_seed(here, table, models, tmp_path, workers):
    words = ("table.csv", "--target", "kind", "--model", "cli_ensemble_models.py:fit")
    code, out, err = ensemble(here, *words, "--models", "5", "--json", workers=workers)
    assert code == 0, err
    found = json.loads(out)
    assert (found["n_models"], found["model"], found["findings"]) == (5, words[-1], [])
    assert len(set(found["label_errors"][:N_WRONG]) & set(range(N_WRONG))) >= 4
    # It is known by its file.
    (tmp_path / "cli_ensemble_models.py").write_text(MODELS + "\n")
    code, _, err = ensemble(here, *words, "--models", "6", workers=workers)
    assert code == 4
    assert "--accept-edits" in err


def test_a_plan_trains_nothing(here, table, models, tmp_path):
    words = ("table.csv", *BAYES, "--plan")
    code, out, err = ensemble(here, *words, "--standard-error", "0.05", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["n_models"] == 334  # 0.5^2 / (0.3 x 0.05^2)
    assert [row["n_models"] for row in found["table"]][:2] == [10, 20]
    code, out, _ = ensemble(here, *words)
    assert code == 0
    assert "40 *" in out
    assert not (tmp_path / "studies").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("table.csv",), "a file needs the name of its labels"),
        (("table.csv", "--target", "kin"), "no such column of labels"),
        (("table.csv", *BAYES, "--groups", "doctor"), "no such column of groups"),
        (("table.csv", *BAYES, "--epochs", "3"), "of a network of your own"),
        (("table.csv", "--target", "kind", "--epochs", "3"), "of a network of your own"),
        (
            ("table.csv", "--target", "kind", "--model", "cli_ensemble_models.py:fit:seed=1"),
            "is given rows and a seed, and nothing else",
        ),
        (("table.csv", *BAYES, "--standard-error", "0.1"), "goes with --plan"),
        (("table.csv", *BAYES, "--budget", "soon"), "no budget of time"),
        (("table.csv", *BAYES, "--ratio", "1"), "ratio leaves no row in, or none out"),
        (("gone.csv", *BAYES), "there is no such file"),
        (("table.txt", *BAYES), "no file of a table"),
        (("no_such_set",), "no_such_set"),
        (("digits", "--target", "kind"), "columns of a file"),
    ],
)
def test_what_is_refused(here, table, models, words, message):
    code, _, err = ensemble(here, *words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(("kind", "code"), [("folder", 2), ("pipe", 2), ("link", 4)])
def test_what_stands_in_the_place_of_the_rows_is_left_alone(
    here, table, models, tmp_path, stand_at, kind, code
):
    place = stand_at(tmp_path / "mine" / "rows.csv", kind)
    found, _, err = ensemble(here, "table.csv", *BAYES, "--out", "mine")
    assert found == code, err
    assert place.exists()
    assert not (tmp_path / "mine" / "study.sqlite").exists()


@pytest.mark.slow
def test_interrupted_it_keeps_what_is_done_and_says_how_to_go_on(start, table, tmp_path):
    text = MODELS + "\nclass Slow(GaussianNB):\n    def fit(self, X, y):\n"
    text += "        import time; time.sleep(0.2)\n        return super().fit(X, y)\n"
    (tmp_path / "slow_models.py").write_text(text)
    words = ("ensemble", "table.csv", "--target", "kind", "--model", "slow_models.py:Slow")
    process = start(
        *words, "--groups", "patient", "--models", "400", "--workers", "0", cwd=tmp_path
    )
    folder = tmp_path / "studies" / "ensemble-table"
    until = time.monotonic() + 60
    while not any(folder.glob("study.sqlite")) and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"finished models are kept in {folder.relative_to(tmp_path)}" in err
    assert "to go on: overparam ensemble table.csv" in err


def test_arrays(tmp_path):
    path = tmp_path / "arrays.npz"
    inputs, labels = np.ones((4, 2)), np.array([0, 1, 0, 1])
    np.savez(path, X=inputs, label=labels, more=labels)
    X, y, _ = read_table_file(path, "label")
    np.testing.assert_array_equal(X, inputs)
    np.testing.assert_array_equal(y, labels)
    np.savez(path, a=inputs, b=inputs, label=labels)
    with pytest.raises(UsageError, match="which array holds the inputs is not clear"):
        read_table_file(path, "label")
    with pytest.raises(UsageError, match="no such array of labels"):
        read_table_file(path, "labels")
    np.savez(path, X=np.array([object()]), label=labels)
    with pytest.raises(DataError, match="cannot be read"):
        read_table_file(path, "label")


def test_ids_that_become_one_number_are_told(here, tmp_path):
    ids = 2**53 + np.arange(60)
    table = pd.DataFrame({"id": ids, "size": ids % 7 / 2, "kind": ids % 2})
    table.to_csv(tmp_path / "ids.csv", index=False)
    _, out, _ = here("ensemble", "ids.csv", "--target", "kind", "--models", "4", "--plan")
    assert "note: float64 merges different inputs: column 'id' (60 values become 31); " in out


def test_tables_that_cannot_be_read(tmp_path, monkeypatch):
    path = tmp_path / "table.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        read_table_file(path, "y")
    (tmp_path / "t.csv").write_text("y\n1\n2\n")
    with pytest.raises(DataError, match="no column beside its labels"):
        read_table_file(tmp_path / "t.csv", "y")
    (tmp_path / "header.csv").write_text("a,y\n")
    np.savez(tmp_path / "none.npz", X=np.empty((0, 2)), y=np.empty(0))
    for name in ("header.csv", "none.npz"):
        with pytest.raises(DataError, match=f"the table has no rows; got .*{name}"):
            read_table_file(tmp_path / name, "y")
    monkeypatch.setattr(pd, "read_parquet", lambda path: __import__("no_such_engine"))
    with pytest.raises(UsageError, match=r"pandas cannot read \.parquet files here"):
        read_table_file(path, "y")
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(UsageError, match="needs pandas, which is not installed"):
        read_table_file(tmp_path / "t.csv", "y")


def test_texts_become_numbers_up_to_a_point():
    frame = pd.DataFrame({"name": [f"n{i}" for i in range(101)], "size": range(101)})
    with pytest.raises(UsageError, match="too many different texts"):
        as_numbers(frame)
    assert as_numbers(frame.head(3)).shape == (3, 4)


def test_codes_stay_what_they_are_and_it_is_said(here, table, models, tmp_path):
    table["kind"] = np.where(table["kind"] == "wide", "1", "01")
    table.to_csv(tmp_path / "table.csv", index=False)
    code, out, err = ensemble(here, "table.csv", *BAYES, "--models", "4", "--json")
    assert code == 0, err
    assert "column 'kind': kept as texts" in json.loads(out)["notes"][0]
    with open(tmp_path / "studies" / "ensemble-table" / "rows.csv") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {"1", "01"}
    code, out, _ = ensemble(here, "table.csv", *BAYES, "--models", "4", "--plan")
    assert code == 0
    assert "note: column 'kind': kept as texts" in out


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_one_missing_number_is_one_row(here, table, tmp_path):
    table.loc[7, "height"] = np.nan
    table.to_csv(tmp_path / "table.csv", index=False)
    code, _, err = ensemble(here, "table.csv", "--target", "kind", "--models", "4")
    assert code != 0
    assert "inputs hold NaN or infinity; got '1 rows, first [7]" in err


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_the_usual_network_standardises_numbers_of_any_size():
    rng = np.random.default_rng(0)
    plain = rng.normal(size=(50, 3))
    scales = np.array([1.0, 2.0**900, 2.0**-500])
    labels = rng.integers(0, 2, 50)
    _, inputs, _, _ = usual_network(plain * scales, labels)
    _, same, _, _ = usual_network(plain, labels)
    np.testing.assert_array_equal(inputs, same)
    _, halves, _, _ = usual_network(
        op.make_dataset(torch.tensor(plain).bfloat16(), torch.tensor(labels))
    )
    np.testing.assert_allclose(halves, same, atol=0.05)


def test_labels_beyond_sixty_four_bits_are_names(here, table, models, tmp_path):
    table["kind"] = 2**63 + (table["kind"] != "wide").to_numpy().astype(np.uint64)
    table.to_csv(tmp_path / "table.csv", index=False)
    code, _, err = ensemble(here, "table.csv", *BAYES, "--models", "4")
    assert code == 0, err
    with open(tmp_path / "studies" / "ensemble-table" / "rows.csv") as file:
        assert {row["label"] for row in csv.DictReader(file)} == {str(2**63), str(2**63 + 1)}


def test_a_table_of_numbers(here, table, tmp_path):
    rng = np.random.default_rng(0)
    table["weight"] = table["width"] + 0.1 * rng.normal(size=N)
    table.drop(columns=["kind", "patient"]).to_csv(tmp_path / "numbers.csv", index=False)
    words = ("numbers.csv", "--target", "weight", "--models", "4", "--out", "e")
    tree = ("--model", "sklearn.tree:DecisionTreeRegressor")
    code, out, err = ensemble(here, *words, *tree)
    assert code == 0, err
    assert "memorized most, as a share of the targets' variance" in out
    with open(tmp_path / "e" / "rows.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == N
    assert float(rows[3]["target"]) == pytest.approx(table["weight"][3])
    code, _, err = ensemble(here, *words)
    assert code != 0
    assert "the usual network learns classes" in err
