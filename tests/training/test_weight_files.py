"""Weights from files that hold no code, and what else such a file can be."""

import json
import pickle
import struct

import pytest
import torch
from torch import nn

from overparam.errors import DataError, ResourceError, UsageError
from overparam.training.weight_files import read_weights, with_weights


def net(width=3):
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width), nn.Linear(width, 2))


def as_safetensors(state, **changes):
    """The bytes of a file as the format's own library writes it."""
    names = {torch.float32: "F32", torch.int64: "I64", torch.bfloat16: "BF16", torch.bool: "BOOL"}
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in state.items():
        numbers = bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(body), len(body) + len(numbers)],
        }
        body += numbers
    header |= changes
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


@pytest.mark.parametrize("inside", [None, "state_dict", "model"])
def test_a_state_dict_comes_back(tmp_path, inside):
    module = net()
    state = module.state_dict()
    torch.save(state if inside is None else {inside: state, "epoch": 3}, tmp_path / "net.pt")
    made = with_weights(net(), tmp_path / "net.pt")
    rows = torch.randn(4, 2)
    assert torch.equal(made.eval()(rows), module.eval()(rows))


def test_safetensors_come_back(tmp_path):
    state = net().state_dict() | {"half": torch.ones(2, dtype=torch.bfloat16)}
    state |= {"none": torch.empty(0, 3), "one": torch.tensor(True)}
    (tmp_path / "net.safetensors").write_bytes(as_safetensors(state))
    found = read_weights(tmp_path / "net.safetensors")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[k], state[k]) and found[k].dtype == state[k].dtype for k in state)


def test_the_module_itself_is_not_changed(tmp_path):
    module, other = net(), net()
    before = module.state_dict()["0.weight"].clone()
    torch.save(other.state_dict(), tmp_path / "net.pt")
    with_weights(module, tmp_path / "net.pt")
    assert torch.equal(module.state_dict()["0.weight"], before)


@pytest.mark.parametrize("width", [2, 4])
def test_weights_of_another_network_are_refused(tmp_path, width):
    torch.save(net(width).state_dict(), tmp_path / "net.pt")
    with pytest.raises(UsageError, match=r"are not those of this network: '0\.bias' differs"):
        with_weights(net(), tmp_path / "net.pt")


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.PICKLE"])
def test_a_pickle_is_never_loaded(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Armed(tmp_path / "ran")))
    with pytest.raises(UsageError, match=r"never loaded.*my_models\.py:make"):
        read_weights(tmp_path / name)
    assert not (tmp_path / "ran").exists()


class Armed:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (self.path.touch, ())


def test_code_in_a_file_of_weights_is_not_run(tmp_path):
    torch.save(Armed(tmp_path / "ran"), tmp_path / "net.pt")
    with pytest.raises(DataError, match="holds more than weights"):
        read_weights(tmp_path / "net.pt")
    assert not (tmp_path / "ran").exists()


def test_what_holds_no_weights_is_refused(tmp_path):
    torch.save([torch.ones(2)], tmp_path / "net.pt")
    with pytest.raises(DataError, match="holds no weights by their names"):
        read_weights(tmp_path / "net.pt")
    with pytest.raises(UsageError, match="no file of weights"):
        read_weights(tmp_path / "net.onnx")
    with pytest.raises(DataError, match="there is no file"):
        read_weights(tmp_path / "gone.pt")
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(ResourceError, match="cannot be read"):
        read_weights(tmp_path / "folder.pt")


GOOD = {"w": torch.ones(3)}
ENTRY = {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 5) + b"{",
        as_safetensors(GOOD, w=ENTRY | {"data_offsets": [0, 400]}),
        as_safetensors(GOOD, w=ENTRY | {"data_offsets": [-4, 8]}),
        as_safetensors(GOOD, w=ENTRY | {"shape": [2**40]}),
        as_safetensors(GOOD, w=ENTRY | {"shape": [-1, -3]}),
        as_safetensors(GOOD, w=ENTRY | {"dtype": "F8_E4M3"}),
        as_safetensors(GOOD, w=3),
    ],
)
def test_damaged_safetensors_are_refused(tmp_path, content):
    (tmp_path / "net.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="no file of safetensors, or is damaged"):
        read_weights(tmp_path / "net.safetensors")
