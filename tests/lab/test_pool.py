"""The pool: events, errors across the border, and every way a process can end."""

import gc
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from overparam.errors import DataError, ResourceError, UsageError
from overparam.lab.pool import Done, Failed, Pool, Progress, Task
from overparam.lab.worker import find_function
from tests.lab.demo_tasks import results, task

# ------------------------------------------------------------------ what tasks return


@pytest.mark.parametrize("n_workers", [0, 1, 2])
def test_many_short_tasks_each_end_once(tasks, n_workers):
    with Pool(n_workers) as pool:
        found = results(pool.run((i, "pool_tasks:double", i) for i in range(200)))
        assert found == {i: 2 * i for i in range(200)}
        assert results(pool.run([])) == {}
        assert results(pool.run([task("double", 4)])) == {"double": 8}  # the same workers again
        assert len(pool._workers) == n_workers


@pytest.mark.parametrize("n_workers", [0, 1])
def test_progress_comes_in_order_and_before_the_end(tasks, n_workers):
    with Pool(n_workers) as pool:
        events = list(pool.run([task("steps", 3)]))
        assert events == [*(Progress("steps", i) for i in range(3)), Done("steps", 3)]
        heard = []
        assert list(pool.run([task("steps", 3)], heard.append)) == [Done("steps", 3)]
        assert heard == [Progress("steps", i) for i in range(3)]


def test_results_do_not_depend_on_order_or_number_of_workers(tasks):
    work = [(i, "pool_tasks:steps", i) for i in range(20)]
    found = []
    for n_workers, order in ((0, work), (1, work[::-1]), (2, work), (3, work[::-1])):
        with Pool(n_workers) as pool:
            found.append(results(pool.run(order)))
    assert found.count(found[0]) == 4


@pytest.mark.parametrize("flags", ["-O", "-OO", "-bb"])
def test_workers_assert_as_this_process_does(tasks, flags):
    code = (
        f"import sys; sys.path.insert(0, {str(tasks)!r})\n"
        "from overparam.lab.pool import Done, Pool\n"
        "import pool_tasks\n"
        "with Pool(1) as pool:\n"
        "    (done,) = pool.run([(1, 'pool_tasks:asserting', 0)])\n"
        "print(done.result == pool_tasks.asserting(0, None), *done.result)\n"
    )
    run = subprocess.run([sys.executable, flags, "-c", code], capture_output=True, text=True)
    optimize, compare = flags.count("O"), flags.count("b")
    assert run.stdout.split() == ["True", str(not optimize), str(optimize), str(compare)], (
        run.stderr
    )


def test_large_payloads_and_results_do_not_block_each_other(tasks):
    big = bytes(20_000_000)
    with Pool(2) as pool:
        found = results(pool.run((i, "pool_tasks:length", big) for i in range(3)))
    assert {i: (n, len(b)) for i, (n, b) in found.items()} == {i: (len(big),) * 2 for i in range(3)}


def test_a_worker_goes_on_while_an_event_is_dealt_with(tasks):
    mark, until = tasks / "mark", time.monotonic() + 30
    with Pool(1) as pool:
        events = pool.run([task("double", 1), task("marks", str(mark))])
        assert next(events) == Done("double", 2)
        while not mark.exists() and time.monotonic() < until:  # nobody asks for the next event
            time.sleep(0.01)
        assert mark.exists()
        assert results(events) == {"marks": None}


def test_what_ended_is_told_before_a_worker_that_cannot_be_started(tasks, monkeypatch):
    give, given = Pool._give, []

    def give_once(pool, attempt, free):
        if given:
            raise ResourceError("a worker process cannot be started")
        given.append(attempt)
        give(pool, attempt, free)

    monkeypatch.setattr(Pool, "_give", give_once)
    with Pool(1) as pool:
        events = pool.run([task("double", 1), task("double", 2, id="other")])
        assert next(events) == Done("double", 2)
        with pytest.raises(ResourceError, match="cannot be started"):
            next(events)


def test_no_more_workers_than_tasks_are_started(tasks):
    with Pool(8) as pool:
        results(pool.run([task("double", 1)]))
        assert len(pool._workers) == 1


# ------------------------------------------------------------------ where tasks run


def test_workers_have_our_path_folder_and_variables_and_their_own_threads(tasks, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    with Pool(1, threads=1) as pool:
        folder, path, threads, variables = results(pool.run([task("surroundings")]))["surroundings"]
    assert (folder, path, threads) == (os.getcwd(), sys.path, 1)
    assert variables == ["1", "1", "/elsewhere"]
    monkeypatch.delenv("PYTHONPATH")
    with Pool(1, threads=2) as pool:
        _, _, threads, variables = results(pool.run([task("surroundings")]))["surroundings"]
    assert (threads, variables) == (2, ["2", "2", None])


def test_a_worker_imports_nothing_heavy_by_itself(tasks):
    with Pool(1) as pool:
        assert results(pool.run([task("heavy")])) == {"heavy": []}


def test_threads_of_this_process_are_set_and_restored(tasks):
    import torch

    before = torch.get_num_threads()
    with Pool(0, threads=before + 1) as pool:
        assert results(pool.run([task("uses_torch")])) == {"uses_torch": before + 1}
        assert torch.get_num_threads() == before
        (event,) = pool.run([task("zero", 0)])
        assert isinstance(event, Failed)
    assert torch.get_num_threads() == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells the two apart")
def test_the_peak_memory_of_a_worker_is_not_that_of_its_parent(tasks):
    held = np.ones(100_000_000)  # 800 MB, which this process has from now on had
    del held
    with Pool(1) as pool:
        assert 10_000_000 < results(pool.run([task("peak")]))["peak"] < 700_000_000


def test_garbage_is_collected_while_tasks_run(tasks):
    with Pool(1) as pool:
        assert results(pool.run([task("collects")])) == {"collects": True}
    gc.disable()
    try:
        assert results(Pool(0).run([task("collects")])) == {"collects": False}  # as it was
    finally:
        gc.enable()


def test_what_tasks_print_arrives_and_disturbs_nothing(tasks, capfd, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with Pool(1) as pool:
        assert results(pool.run((i, "pool_tasks:loud", i) for i in range(3))) == {0: 0, 1: 1, 2: 2}
    out, err = capfd.readouterr()
    assert [out.count(f"spoken {i}\n") for i in range(3)] == [1, 1, 1]
    assert out.count("raw\n") == 3
    assert err.count("complained") == 3


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize("n_workers", [0, 1])
def test_our_errors_keep_kind_and_fields(tasks, n_workers):
    with Pool(n_workers) as pool:
        (event,) = pool.run([task("bad_data", 11)])
    assert (event.id, event.lost) == ("bad_data", False)
    error = event.error
    assert type(error) is DataError
    assert (error.what, error.got, error.allowed, error.remedy) == (
        "labels are wrong",
        11,
        "0..9",
        "relabel",
    )


def test_other_errors_bring_their_traceback(tasks):
    with Pool(1) as pool:
        events = {e.id: e.error for e in pool.run([task("zero", 0), task("odd"), task("leaves")])}
        assert results(pool.run([task("double", 1)])) == {"double": 2}
    assert type(events["zero"]) is ZeroDivisionError
    assert "return 1 / x" in "".join(events["zero"].__notes__)
    assert type(events["odd"]) is RuntimeError  # it cannot be rebuilt from its pickle
    assert str(events["odd"]) == "Odd: odd"
    assert "raise Odd(1, 2)" in "".join(events["odd"].__notes__)
    assert type(events["leaves"]) is SystemExit


@pytest.mark.parametrize("n_workers", [0, 1])
@pytest.mark.parametrize(
    ("function", "kind", "match"),
    [
        ("nonsense", UsageError, "misspelt; got 'nonsense'"),
        ("pool_tasks:missing.x", UsageError, "does not exist; got 'pool_tasks:missing.x'"),
        ("no_such_module:f", ModuleNotFoundError, "no_such_module"),
    ],
)
def test_functions_that_do_not_exist(tasks, n_workers, function, kind, match):
    with Pool(n_workers) as pool:
        (event,) = pool.run([(0, function, None)])
    with pytest.raises(kind, match=match):
        raise event.error


def test_functions_are_found_by_qualified_name():
    assert find_function("pathlib:Path.exists") is Path.exists


@pytest.mark.parametrize(
    ("work", "match"),
    [
        (task("no_pickle"), "result cannot be sent back from a worker.*got .function"),
        (task("not_rebuilt"), "result cannot be rebuilt in this process.*no number"),
        (task("double", lambda: 0), "payload cannot be sent to a worker.*got .function"),
        (Task(0, "__main__:f", None), "of the running script or notebook.*into a module"),
    ],
)
def test_what_cannot_cross_the_border_fails_alone(tasks, work, match):
    with Pool(1) as pool:
        failed, done = pool.run([work, task("double", 1)])
    assert done == Done("double", 2)
    with pytest.raises(UsageError, match=match):
        raise failed.error


def test_a_payload_that_no_worker_can_rebuild_fails_alone(tasks, monkeypatch):
    # An instance of a class of the running script.
    class Local:
        pass

    Local.__module__, Local.__qualname__ = "__main__", "Local"
    monkeypatch.setattr(sys.modules["__main__"], "Local", Local, raising=False)
    assert pickle.dumps(Local())
    with Pool(1) as pool:
        failed, done = pool.run([task("double", Local(), id=0), task("double", 1)])
    assert done.result == 2
    with pytest.raises(UsageError, match=r"payload cannot be rebuilt in a worker.*Local"):
        raise failed.error


def test_one_run_at_a_time(tasks):
    with Pool(1) as pool:
        first = pool.run([task("double", 1), task("double", 2)])
        next(first)
        with pytest.raises(UsageError, match="running tasks already"):
            next(pool.run([task("double", 3)]))
        first.close()
        assert results(pool.run([task("double", 3)])) == {"double": 6}


def test_counts_are_checked():
    with pytest.raises(UsageError, match="n_workers is out of range; got -1"):
        Pool(-1)


def test_a_python_that_does_not_start_is_a_resource_error(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with Pool(1) as pool, pytest.raises(ResourceError, match=r"cannot be started.*--workers 1"):
        list(pool.run([task("double", 1)]))
