"""Tasks for the pool's tests, of which some end badly, and what is asked of their processes."""

import time
from pathlib import Path

from overparam.lab.pool import Done, Progress, Task

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

def asserting(x, report):
    return __debug__, sys.flags.optimize, sys.flags.bytes_warning

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

def collects(x, report):
    import gc
    return gc.isenabled()

def peak(x, report):
    from overparam.lab.unit import peak_memory_bytes
    return peak_memory_bytes()

def marks(path, report):
    Path(path).touch()

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
