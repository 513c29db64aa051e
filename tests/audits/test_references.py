"""Reference models: each fits whatever inputs there are, as they come."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from overparam.audits.references import reference_model, references_for
from overparam.audits.subject import make_subject

N = 80


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "number": rng.normal(size=N),
        "whole": rng.integers(0, 9, N),
        "flag": rng.random(N) < 0.5,
        "word": rng.choice(["a", "b", "c"], N).astype(object),
        "kind": pd.Categorical(rng.choice(["x", "y"], N)),
        "text": pd.array(rng.choice(["left", "right"], N), "string"),
        "maybe": pd.array(rng.choice([True, False, None], N), "boolean"),
        "count": pd.array(rng.choice([1, 2, None], N), "Int64"),
        "day": pd.date_range("2020-01-01", periods=N, freq="D"),
        "zoned": pd.date_range("2020-01-01", periods=N, freq="h", tz="Europe/Vienna"),
        "lasted": pd.to_timedelta(rng.integers(1, 99, N), unit="h"),
        "empty": np.full(N, np.nan),
    })  # fmt: skip
    for name in ("number", "word", "day", "kind"):
        frame.loc[frame.index[::7], name] = None
    return frame


def texts():
    rng = np.random.default_rng(1)
    return [" ".join(rng.choice(["tree", "leaf", "root", "bark"], 5)) for _ in range(N)]


INPUTS = {
    "table": table(),
    "array": np.random.default_rng(2).normal(size=(N, 5)),
    "lacking": np.where(np.eye(N, 5) > 0, np.nan, 1.0),
    "wide": np.random.default_rng(3).normal(size=(N, 300)),
    "sparse": sp.random(N, 50, 0.2, format="csr", random_state=0),
    "images": np.random.default_rng(4).random((N, 6, 6)),
    "coloured": np.random.default_rng(5).random((N, 3, 4, 4)).astype(np.float32),
    "texts": texts(),
    "words only": pd.DataFrame({"a": list("xy") * (N // 2)}),
}


def labels(task):
    rng = np.random.default_rng(6)
    return rng.normal(size=N) if task == "numbers" else rng.choice(["no", "yes"], N)


@pytest.mark.parametrize("task", ["classes", "numbers"])
@pytest.mark.parametrize("name", INPUTS)
def test_references_fit_all_inputs_and_answer_for_rows_not_seen(name, task):
    subject = make_subject(None, INPUTS[name], labels(task), task=task)
    found = references_for(subject)
    assert len(found) >= 2
    rows, others = np.arange(0, N, 2), np.arange(1, N, 2)
    given = subject.train.given_labels(rows) if task == "classes" else labels(task)[rows]
    for model in (*(v.model for v in found), reference_model(subject)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(subject.train.take(rows), given)
            said = model.predict(subject.train.take(others))
        assert len(said) == len(others)
        if task == "numbers":
            assert np.isfinite(said).all()


def test_words_and_days_are_used_not_dropped():
    frame = pd.DataFrame({
        "word": ["a", "b"] * (N // 2),
        "day": pd.to_datetime(np.where(np.arange(N) % 4 < 2, "2020-01-01", "2021-01-01")),
    })  # fmt: skip
    for y in (frame["word"] == "a", frame["day"].dt.year == 2020):
        subject = make_subject(None, frame, y.to_numpy())
        model = reference_model(subject).fit(frame, y)
        assert model.score(frame, y) == 1.0


def test_a_model_of_the_same_kind_is_no_reference():
    X, y = INPUTS["array"], labels("classes")
    names = [v.name for v in references_for(make_subject(DummyClassifier(), X, y))]
    assert names == ["a linear model", "nearest neighbours", "boosting"]
    piped = make_subject(make_pipeline(StandardScaler(), LogisticRegression()), X, y)
    assert [v.name for v in references_for(piped)] == names[1:]
