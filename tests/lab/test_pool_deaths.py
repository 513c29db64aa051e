"""The pool when processes die: workers, their children, and the script that started them."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import overparam.lab.worker_process as process_module
from overparam.errors import ResourceError
from overparam.lab.pool import Done, Pool
from tests.lab.demo_tasks import alive, gone_within, results, task

# ------------------------------------------------------------------ time


def test_at_its_deadline_what_is_under_way_is_ended_and_nothing_else_begun(tasks):
    work = [task("double", 1), task("sleeps", 60), task("double", 3, id="never begun")]
    with Pool(1, deadline=time.monotonic() + 3) as pool:
        begun = time.monotonic()
        events = {e.id: e for e in pool.run(work, lambda progress: None)}
        assert time.monotonic() - begun < 30
        assert events["double"].result == 2
        assert events["sleeps"].lost
        assert events["never begun"].lost
        with pytest.raises(ResourceError, match="took longer than the time that there was"):
            raise events["sleeps"].error
        with pytest.raises(ResourceError, match="the time was over before it began"):
            raise events["never begun"].error
        pool.deadline = None
        assert results(pool.run([task("double", 4)])) == {"double": 8}


def test_without_workers_a_deadline_keeps_tasks_from_beginning(tasks):
    with Pool(0, deadline=time.monotonic() - 1) as pool:
        (event,) = pool.run([task("double", 1)])
    assert event.lost


def test_what_is_done_at_the_deadline_is_told(tasks):
    with Pool(1) as pool:
        events = pool.run([task("double", 1), task("double", 2, id="second")])
        assert next(events) == Done("double", 2)  # and the second is under way
        time.sleep(1)
        pool.deadline = time.monotonic()
        assert results(events) == {"second": 4}


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


# Of a shell without job control, what runs in the background ignores Ctrl-C, and so would this.
SCRIPT = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
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
