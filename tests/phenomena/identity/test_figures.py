"""What is said of networks that do not fit."""

from types import SimpleNamespace

import pytest

from overparam.phenomena.identity._figures import training_note


@pytest.mark.parametrize(
    ("status", "learned", "loss", "note"),
    [
        ("done", True, 1e-9, ""),
        ("done", False, 0.02, "did not train: squared error 0.02 per pixel"),
        ("done", False, float("nan"), "not trained"),
        ("diverged", False, float("nan"), "did not train: it diverged"),
    ],
)
def test_a_network_that_was_never_trained_did_not_fail_to(status, learned, loss, note):
    outcome = SimpleNamespace(learned=learned, train_loss=loss)
    assert training_note(SimpleNamespace(status=status, outcome=outcome)) == note
