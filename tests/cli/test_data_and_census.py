"""`data` and `census`."""

import functools
import http.server
import json
import os
import re
import signal
import socket
import threading

import pytest


def test_data_list(here):
    code, out, _ = here("data", "list")
    assert code == 0
    header, _, *rows = out.splitlines()
    assert header.split() == ["name", "train", "test", "shape", "classes", "where", "licence"]
    assert any(r.startswith("fashion_mnist_small") and "embedded" in r for r in rows)
    sets = {s["name"]: s for s in json.loads(here("data", "list", "--json")[1])["data_sets"]}
    assert sets["mnist"]["input_shape"] == [1, 28, 28]
    assert sets["digits"]["embedded"] is True


def test_data_where(here, tmp_path, monkeypatch):
    monkeypatch.setenv("OVERPARAM_DATA", str(tmp_path / "sets"))
    code, out, _ = here("data", "where", "mnist")
    assert code == 0
    assert out.startswith(f"mnist\n  OVERPARAM_DATA: {tmp_path / 'sets'}  –\n")
    places = json.loads(here("data", "where", "--json")[1])
    assert places["mnist"][0]["found"] is False
    assert places["digits"][0]["found"] is True


@pytest.fixture
def mirror(tmp_path):
    """A server on loopback with files of wrong contents."""
    (tmp_path / "served").mkdir()
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / "served" / f"{part}-ubyte.gz").write_bytes(b"not what was published")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(tmp_path / "served"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_fetch_with_a_wrong_checksum_is_code_3(here, mirror):
    code, out, err = here("data", "fetch", "mnist", "--to", "sets", "--mirror", mirror)
    assert (code, out) == (3, "")
    assert "instead of" in err


def test_fetch_without_a_connection_is_code_5(here):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: refuses
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        code, _, err = here("data", "fetch", "mnist", "--to", "sets", "--mirror", address)
    assert code == 5
    assert "could not be fetched" in err
    assert "no connection" in err


@pytest.mark.parametrize(
    ("name", "message"),
    [("mnst", "did you mean 'mnist'"), ("digits", "comes with the package")],
)
def test_fetch_of_what_cannot_be_fetched_is_code_2(here, name, message):
    code, _, err = here("data", "fetch", name)
    assert code == 2
    assert message in err


def test_fetched(here, monkeypatch, tmp_path):
    import overparam.data

    def fetch(name, mirrors, to, progress):
        assert (name, mirrors, to) == ("mnist", None, None)
        progress("a.gz", 10, 10)
        return tmp_path

    monkeypatch.setattr(overparam.data, "fetch", fetch)
    assert here("data", "fetch", "mnist") == (
        0,
        f"mnist is in {tmp_path}\n",
        "a.gz: 10 B of 10 B\n",
    )
    _, out, err = here("data", "fetch", "mnist", "--quiet", "--json")
    assert (json.loads(out), err) == ({"name": "mnist", "folder": str(tmp_path)}, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_fetch_says_how_to_go_on(here, monkeypatch, number, code):
    import overparam.data

    def fetch(*_):
        os.kill(os.getpid(), number)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(overparam.data, "fetch", fetch)
    found, _, err = here("data", "fetch", "mnist")
    assert found == code
    assert "interrupted; what has come is kept; to go on: overparam data fetch mnist" in err
    assert signal.getsignal(signal.SIGTERM) is before


def test_census_of_a_family(here):
    target = "mlp:input_dim=784,hidden=50,n_outputs=10"
    code, out, err = here("census", target, "--n-train", "4000")
    assert (code, err) == (0, "")
    assert "parameters               39,760" in out  # Belkin et al. 2019: (784+1) 50 + 51 x 10
    assert "interpolation threshold  40,000" in out
    assert "below the threshold" in out
    answer = json.loads(here("census", target, "--n-train", "4000", "--json")[1])
    assert (answer["n_params"], answer["interpolation_threshold"]) == (39760, 40000)
    assert answer["picture"] is None


def test_census_shows_some_settings_and_counts_the_rest(here):
    code, out, _ = here("census", "preact_resnet18:width=2", "--n-outputs", "10")
    assert code == 0
    assert "more with --json" in out


def test_census_of_an_estimator_needs_sizes(here):
    code, out, _ = here("census", "sklearn.linear_model:LogisticRegression")
    assert code == 0
    assert "\nparameters " not in out  # not known before it is fitted
    words = ("--n-train", "500", "--n-outputs", "10", "--input-shape", "1x8x8")
    code, out, _ = here("census", "sklearn.linear_model:LogisticRegression", *words)
    assert "\nparameters               650\n" in out


def test_census_with_a_picture(here, tmp_path):
    target = "mlp:input_dim=3,hidden=5,n_outputs=2"
    code, out, _ = here("census", target, "--picture", "new/network.svg")
    assert code == 0
    assert "wrote new/network.svg" in out
    drawing = (tmp_path / "new" / "network.svg").read_text()
    assert drawing.startswith("<svg")
    assert drawing.count("<circle") == 3 + 5 + 2


def test_census_says_unknown_where_it_does_not_know(here):
    code, out, _ = here("census", "torch.nn:LazyLinear:out_features=3", "--n-train", "5")
    assert code == 0
    assert re.search(r"^total +LazyLinear +unknown +unknown", out, re.M)
    assert "regime" not in out
    assert "give input_shape" in out


def test_census_of_a_file_whose_path_holds_colons(here, tmp_path):
    folder = tmp_path / "2026-11-25 12:30:00"
    folder.mkdir()
    (folder / "models.py").write_text("from torch import nn\nnet = nn.Linear(3, 2)\n")
    code, out, err = here("census", f"{folder}/models.py:net", "--n-train", "5")
    assert code == 0, err
    assert "outputs                  2" in out


def test_census_of_a_module_whose_own_code_fails_is_code_2(here, tmp_path):
    text = "from torch import nn\nclass Half(nn.Module):\n    def __init__(self): pass\n"
    (tmp_path / "half_models.py").write_text(text)
    code, _, err = here("census", "half_models.py:Half")
    assert code == 2
    assert "the census of Half failed; got" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("mlpp",), 2, "did you mean 'mlp'"),
        (("json:loads",), 2, "json:loads cannot be made: missing a required argument"),
        (("os:sep",), 2, "cannot take the census of this object"),
        (("convnet5:width=2", "--picture", "x.svg"), 2, "the network is not fully connected"),
        (("lenet_300_100", "--n-train", "0"), 2, "--n-train is out of range"),
        (("lenet_300_100", "--input-shape", "a"), 2, "this is no shape"),
        (("lenet_300_100", "--picture", "file/x.svg"), 2, "a file stands where a path needs"),
    ],
)
def test_census_refusals(here, tmp_path, words, code, message):
    (tmp_path / "file").write_text("")
    found, out, err = here("census", *words)
    assert (found, out) == (code, "")
    assert message in err
