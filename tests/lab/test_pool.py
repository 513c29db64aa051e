"""The pool: events, errors across the border, and every way a process can end."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import overparam.lab.worker_process as process_module
from overparam.errors import DataError, ResourceError, UsageError
from overparam.lab.pool import Done, Failed, Pool, Progress, Task
from overparam.lab.worker import find_function

TASKS = '''
"""Functions that the workers import; a module of its own on sys.path."""
import os, signal, sys, time
from pathlib import Path
from overparam.errors import DataError

class Odd(Exception):
    def __init__(self, a, b):
        super().__init__("odd")

class NotRebuilt:
    def __reduce__(self):
        return (int, ("no number",))

def double(x, report):
    return 2 * x

def steps(n, report):
    for i in range(n):
        report(i)
    return n

def loud(x, report):
    print("spoken", x)
    print("complained", x, file=sys.stderr)
    os.write(1, b"raw\\n")
    return x

def process(x, report):
    return os.getpid()

def surroundings(x, report):
    import torch
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONPATH")
    return os.getcwd(), list(sys.path), torch.get_num_threads(), [os.environ.get(n) for n in names]

def uses_torch(x, report):
    return sys.modules["torch"].get_num_threads()

def heavy(x, report):
    return sorted({"numpy", "torch"} & set(sys.modules))

def length(x, report):
    return len(x), bytes(len(x))

def bad_data(x, report):
    raise DataError("labels are wrong", got=x, allowed="0..9", remedy="relabel")

def zero(x, report):
    return 1 / x

def odd(x, report):
    raise Odd(1, 2)

def leaves(x, report):
    sys.exit(3)

def no_pickle(x, report):
    return lambda: x

def not_rebuilt(x, report):
    return NotRebuilt()

def dies(how, report):
    if how == "exit":
        os._exit(7)
    os.kill(os.getpid(), getattr(signal, how))

def dies_once(path, report):
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"

def dies_leaving_a_child(path, report):
    # The child inherits the socket, so that its end of file does not come.
    if not Path(path).exists():
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        Path(path).write_text(str(child))
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"

def sleeps(seconds, report):
    report(os.getpid())
    time.sleep(seconds)

def deaf(seconds, report):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report(os.getpid())
    time.sleep(seconds)
'''


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """The path of a folder with `pool_tasks.py`, on sys.path here and in the workers."""
    (tmp_path / "pool_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("pool_tasks", None)


def task(name, payload=None, id=None):
    return Task(name if id is None else id, f"pool_tasks:{name}", payload)


def results(events):
    """Id to result of tasks that must all succeed."""
    found = {}
    for event in events:
        assert isinstance(event, Done | Progress), event
        if isinstance(event, Done):
            assert event.id not in found
            found[event.id] = event.result
    return found


def alive(pid):
    """Whether a process runs, zombies (which nobody has reaped yet) not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_within(seconds, pids):
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, pids))


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


def test_large_payloads_and_results_do_not_block_each_other(tasks):
    big = bytes(20_000_000)
    with Pool(2) as pool:
        found = results(pool.run((i, "pool_tasks:length", big) for i in range(3)))
    assert {i: (n, len(b)) for i, (n, b) in found.items()} == {i: (len(big),) * 2 for i in range(3)}


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


# ------------------------------------------------------------------ deaths


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("SIGKILL", r"signal 9 \(SIGKILL\)"),
        ("SIGSEGV", r"signal 11 \(SIGSEGV\)"),
        ("exit", "exit code 7"),
    ],
)
def test_a_task_that_kills_its_worker_fails_alone(tasks, how, said):
    work = [task("double", i, id=i) for i in range(6)]
    work.insert(1, task("dies", how, id="dies"))
    with Pool(2) as pool:
        events = {e.id: e for e in pool.run(work)}
    assert {i: events[i].result for i in range(6)} == {i: 2 * i for i in range(6)}
    assert events["dies"].lost
    with pytest.raises(ResourceError, match=f"died 2 times.*got '{said}, {said}.*fewer workers"):
        raise events["dies"].error


def test_a_task_whose_worker_dies_is_tried_again(tasks):
    with Pool(1) as pool:
        work = [task("dies_once", str(tasks / "mark")), task("double", 1)]
        assert results(pool.run(work)) == {"dies_once": "survived", "double": 2}


def test_a_death_is_seen_while_a_grandchild_holds_the_socket_open(tasks):
    with Pool(1) as pool:
        (found,) = results(pool.run([task("dies_leaving_a_child", str(tasks / "mark"))])).values()
    child = int((tasks / "mark").read_text())
    assert (found, alive(child)) == ("survived", True)
    os.kill(child, signal.SIGKILL)


def test_a_worker_killed_from_outside_costs_one_try(tasks):
    with Pool(2) as pool:
        events = pool.run([task("sleeps", 0.3)])
        first = next(events)
        os.kill(int(first.amount), signal.SIGKILL)
        again, done = events
        assert again.amount != first.amount
        assert done == Done("sleeps", None)


def test_a_worker_that_dies_idle_costs_no_try(tasks):
    with Pool(1, tries=1) as pool:
        (pid,) = results(pool.run([task("process")])).values()
        os.kill(pid, signal.SIGKILL)
        pool._workers[0].process.wait()  # until all its threads, and so its socket, are gone
        (other,) = results(pool.run([task("process")])).values()
        assert other != pid


def test_a_worker_that_cannot_start_is_not_tried_for_ever(tasks, monkeypatch, capfd):
    start = process_module.subprocess.Popen
    broken = lambda command, **more: start([command[0], "-c", "import sys; sys.exit(5)"], **more)  # noqa: E731
    monkeypatch.setattr(process_module.subprocess, "Popen", broken)
    with Pool(2) as pool:
        (event,) = pool.run([task("double", 1)])
    assert event.lost
    assert "exit code 5, exit code 5" in str(event.error)


def test_no_process_is_left_behind(tasks):
    with Pool(2) as pool:
        pids = set(results(pool.run(task("process", id=i) for i in range(20))).values())
        assert all(map(alive, pids))
    assert not any(Path(f"/proc/{p}").exists() for p in pids)  # ended and reaped

    pool = Pool(2)
    events = pool.run([task("sleeps", 60, id=0), task("sleeps", 60, id=1)])
    pids = {int(next(events).amount), int(next(events).amount)}
    events.close()
    assert not any(Path(f"/proc/{p}").exists() for p in pids)
    assert results(pool.run([task("double", 1)])) == {"double": 2}
    (worker,) = pool._workers
    del pool, events
    assert gone_within(5, [worker.process.pid])


def test_a_worker_that_ignores_the_request_to_end_is_killed(tasks):
    with Pool(1) as pool:
        events = pool.run([task("deaf", 60)])
        pid = int(next(events).amount)
        events.close()
        assert not Path(f"/proc/{pid}").exists()


# ------------------------------------------------------------------ whole programs


SCRIPT = """
import os, signal, sys, threading
sys.path.insert(0, {folder!r})
from overparam.lab.pool import Pool, Progress
def work():
    with Pool(2, tries=1) as pool:
        for event in pool.run([(i, "pool_tasks:{name}", {payload}) for i in range(2)]):
            print(event, flush=True)
work()
"""


@contextlib.contextmanager
def script(tasks, name, payload, **more):
    path = tasks / "unguarded.py"
    path.write_text(textwrap.dedent(SCRIPT.format(folder=str(tasks), name=name, payload=payload)))
    process = subprocess.Popen(
        [sys.executable, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def sleeping_workers(process):
    lines = [process.stdout.readline() for _ in range(2)]
    return [int(line.split("amount=")[1].rstrip(")\n")) for line in lines]


def test_a_script_without_a_guard_works(tasks):
    with script(tasks, "double", 21) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert sorted(out.splitlines()) == ["Done(id=0, result=42)", "Done(id=1, result=42)"]


@pytest.mark.parametrize("closed", [(0,), (0, 1, 2)])
def test_closed_standard_streams_are_no_hindrance(tasks, closed):
    path = tasks / "closed.py"
    path.write_text(
        f"import sys; sys.path.insert(0, {str(tasks)!r})\n"
        "from overparam.lab.pool import Pool\n"
        "with Pool(1) as pool:\n"
        "    events = list(pool.run([(0, 'pool_tasks:loud', 7)]))\n"
        f"open({str(tasks / 'result')!r}, 'w').write(repr(events))\n"
    )
    shell = " ".join(f"{n}{'<' if n == 0 else '>'}&-" for n in closed)
    subprocess.run(["sh", "-c", f'exec "$0" "$1" {shell}', sys.executable, path], check=True)
    assert (tasks / "result").read_text() == "[Done(id=0, result=7)]"


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent(tasks, end):
    with script(tasks, "sleeps", 60) as process:
        pids = sleeping_workers(process)
        process.send_signal(end)
        process.wait()
        assert gone_within(1, pids)


def test_without_the_kernels_help_the_end_of_the_socket_ends_a_worker(tasks):
    """As on systems without PDEATHSIG; here the call is disarmed."""
    (tasks / "sitecustomize.py").write_text(
        "import ctypes\nclass Nothing:\n    def __init__(self, *_): pass\nctypes.CDLL = Nothing\n"
    )
    with script(tasks, "sleeps", 60) as process:
        pids = sleeping_workers(process)
        process.kill()
        process.wait()
        assert gone_within(1, pids)


def test_ctrl_c_ends_everything_without_noise_from_the_workers(tasks):
    with script(tasks, "sleeps", 60) as process:
        pids = sleeping_workers(process)
        os.killpg(process.pid, signal.SIGINT)  # what the terminal does: to all of them
        _, err = process.communicate(timeout=30)
        assert gone_within(1, pids)
    assert err.count("KeyboardInterrupt") == 1
    assert "worker.py" not in err


def test_ctrl_c_while_workers_start_is_not_seen_by_them(tasks):
    with script(tasks, "sleeps", 0.5) as process:
        # Workers inherit SIGINT blocked, so that none is lost to them before they ignore it.
        deadline = time.monotonic() + 30
        children: list[int] = []
        while not children and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
                children = [int(p) for p in listed.split()]
        for pid in children:
            os.kill(pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert out.count("Done") == 2
    assert "Failed" not in out
    assert err == ""
