"""How many threads compute: one inside the block, and as many as before outside, whoever asks."""

from __future__ import annotations

import contextlib
import sys
import threading

import pytest
import torch
from threadpoolctl import threadpool_info

from overparam.threads import one_thread, spread, torch_threads


@contextlib.contextmanager
def having(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("outside", [1, 2, 3])
def test_one_inside_and_as_before_outside(outside):
    with having(outside):
        with one_thread():
            assert (torch.get_num_threads(), spread()) == (1, outside)
            with one_thread():
                assert (torch.get_num_threads(), spread()) == (1, 1)
            assert (torch.get_num_threads(), spread()) == (1, outside)
        with pytest.raises(KeyError), one_thread():
            raise KeyError
        assert (torch.get_num_threads(), spread()) == (outside, outside)


def test_linear_algebra_of_scipy_too():
    import scipy.linalg  # noqa: F401

    def threads():
        return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

    before = threads()
    with one_thread():
        assert threads() <= {1}
        with one_thread():
            assert threads() <= {1}
        assert threads() <= {1}
    assert threads() == before


def test_threads_that_come_and_go_leave_no_trace():
    """New threads inherit what the last one set: it must be what was there before all of them."""
    inside, leave = threading.Barrier(3), [threading.Event() for _ in range(2)]
    found: list[tuple[str, int]] = []

    def work(number):
        with one_thread():
            inside.wait()
            leave[number].wait()
            found.append(("inside", torch.get_num_threads()))
        found.append(("outside", torch.get_num_threads()))

    with having(3):
        workers = [threading.Thread(target=work, args=[n]) for n in range(2)]
        for worker in workers:
            worker.start()
        inside.wait()  # both are inside: the second began with what the first had set
        for event, worker in zip(leave, workers, strict=True):
            event.set()
            worker.join()
        late = threading.Thread(target=lambda: found.append(("late", torch.get_num_threads())))
        late.start()
        late.join()
        assert torch.get_num_threads() == 3
    assert found == [("inside", 1), ("outside", 3)] * 2 + [("late", 3)]


def test_without_pytorch_there_is_nothing_to_do(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    with torch_threads(7):
        pass
    monkeypatch.undo()
    assert torch.get_num_threads() != 7
