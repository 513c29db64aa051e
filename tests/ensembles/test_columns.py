"""What members say, read one kind at a time: equal to all of it at once, and in little memory."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from overparam.ensembles import columns as module
from overparam.ensembles.columns import Columns, mapped
from overparam.ensembles.member import MemberOutcome
from overparam.ensembles.setup import study_of
from overparam.errors import ResourceError
from overparam.lab.records import Record
from overparam.lab.store import Store
from overparam.measures import memorization_scores, out_of_sample_probabilities
from tests.ensembles.made import made_up_outcomes

K, N, C = 30, 2000, 100


@dataclass
class Kept:
    """Columns of a study on the disk, and how many bytes its arrays have."""

    columns: Columns
    n_bytes: int


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("columns")
    study = study_of()
    _, _, outcomes = made_up_outcomes(K, N, C, keep_outputs=True)
    with Store.open(folder, study) as store:
        for k, outcome in enumerate(outcomes):
            store.write([Record(study.condition(k, 0.7, "x"), 0, outcome)], f"unit {k}")
    n_bytes = sum(v.nbytes for o in outcomes for v in vars(o).values() if hasattr(v, "nbytes"))
    del outcomes
    with Store.read_only(folder) as store:
        records = store.read(study)
    assert type(records[0].outcome) is not MemberOutcome  # lazy
    return Kept(Columns([r.outcome for r in records], N, 0, C, folder), n_bytes)


def peak_of(act):
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_scores_take_a_fraction_of_the_memory_of_what_is_kept(kept, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK_BYTES", 2**20)
    columns = kept.columns

    def summarise():
        memorization_scores(columns.in_subset, margins=columns["margin"])
        for rows, block in columns.outside():
            out_of_sample_probabilities(columns.in_subset[:, rows], block)

    assert kept.n_bytes > 20 * 2**20
    assert peak_of(summarise) < kept.n_bytes / 3


def test_nothing_stays_of_what_was_read_once(kept):
    def read():
        for outputs in kept.columns.each("outputs"):
            assert outputs.shape == (N, C)

    assert peak_of(read) < 4 * N * C * 8  # a few at a time, of forty


def test_blocks_are_the_probabilities_of_those_that_did_not_see_the_row(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_BLOCK_BYTES", 4 * 6 * 3 * 7)  # seven rows
    masks, labels, outcomes = made_up_outcomes(6, 50, 3)
    columns = Columns(outcomes, 50, 0, 3, tmp_path)
    whole = np.full((6, 50, 3), np.nan, np.float32)
    for k, outcome in enumerate(outcomes):
        whole[k, ~masks[k]] = outcome.outside
    blocks = list(columns.outside())
    assert [rows.stop - rows.start for rows, _ in blocks] == [7] * 7 + [1]
    np.testing.assert_array_equal(np.concatenate([b for _, b in blocks], axis=1), whole)
    np.testing.assert_array_equal(columns.in_subset, masks)
    own = whole[np.arange(6)[:, None], np.arange(50), labels]
    np.testing.assert_allclose(own, np.where(masks, np.nan, columns["probability"]), atol=1e-3)


def test_some_members(tmp_path):
    masks, _, outcomes = made_up_outcomes(6, 50, 3)
    some = Columns(outcomes, 50, 0, 3, tmp_path).some(np.array([1, 4]))
    assert len(some) == 2
    np.testing.assert_array_equal(some.in_subset, masks[[1, 4]])


def test_what_is_read_cannot_be_written_to(tmp_path):
    _, _, outcomes = made_up_outcomes(3, 20, 2)
    with pytest.raises(ValueError, match="read-only"):
        Columns(outcomes, 20, 0, 2, tmp_path)["margin"][0, 0] = 1


def test_a_mapped_array_leaves_no_file_behind(tmp_path):
    held = mapped((2, 3), np.float32, tmp_path)
    held[:] = 1
    assert list(tmp_path.iterdir()) == []
    assert mapped((2, 0), np.float32, tmp_path).shape == (2, 0)


def test_where_a_study_can_only_be_read_the_temporary_folder_serves(tmp_path):
    assert mapped((2, 2), np.float32, tmp_path / "gone").shape == (2, 2)


def test_no_room(tmp_path, monkeypatch):
    def full(**_):
        raise OSError("no space left")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", full)
    with pytest.raises(ResourceError, match="no room for what is read of an ensemble"):
        mapped((2, 2), np.float32, tmp_path)
