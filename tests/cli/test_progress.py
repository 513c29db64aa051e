import io
import sys

import pytest

from overparam.cli import progress
from overparam.cli.progress import Meter, show_download, show_progress
from overparam.lab.runner import Advance


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_meter_counts_only_the_work_of_this_run():
    clock = Clock()
    meter = Meter(clock)
    meter.add(Advance(40, 100, 0.0))  # 40 cells were in the store
    assert meter.seconds_left is None
    assert meter.words() == "40 of 100 cells"
    clock.now += 10
    meter.add(Advance(40, 100, 4e9))
    assert meter.words() == "40 of 100 cells, 0.4 GFLOP/s"
    meter.add(Advance(60, 100, 1e9))  # 20 cells in 10 s, 40 to go
    assert meter.seconds_left == pytest.approx(20)
    assert meter.words() == "60 of 100 cells, 2 cells/s, 0.5 GFLOP/s, about 20 s left"
    meter.add(Advance(100, 100, 0.0))
    assert meter.words() == "100 of 100 cells, 6 cells/s, 0.5 GFLOP/s"


def test_plain_lines_come_every_ten_seconds(monkeypatch, capsys):
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock)
    monkeypatch.setattr(Meter.__init__, "__defaults__", (clock,))
    monkeypatch.setattr(progress, "can_redraw", lambda: False)
    with show_progress(quiet=False) as tell:
        for second in range(25):
            clock.now = 100.0 + second
            tell(Advance(second, 25, 0.0))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" of")[0] for line in lines] == ["0", "10", "20"]


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress, "can_redraw", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with show_progress(quiet=False) as tell:
        tell(Advance(3, 10, 2e9))
    shown = capsys.readouterr()
    assert "3 of 10 cells" in shown.err
    assert shown.out == ""


def test_quiet_is_quiet(capsys):
    with show_progress(quiet=True) as tell:
        tell(Advance(1, 2, 1.0))
    with show_download(quiet=True) as tell_bytes:
        tell_bytes("file", 3, 3)
    assert capsys.readouterr() == ("", "")


def test_downloads(monkeypatch, capsys):
    monkeypatch.setattr(progress, "can_redraw", lambda: False)
    with show_download(quiet=False) as tell:
        tell("a.gz", 1024, 4096)
        tell("a.gz", 2048, 4096)  # too soon
        tell("a.gz", 4096, 4096)
        tell("b.gz", 10, None)  # too soon
    assert capsys.readouterr().err == "a.gz: 1 KiB of 4 KiB\na.gz: 4 KiB of 4 KiB\n"
    monkeypatch.setattr(progress, "can_redraw", lambda: True)
    with show_download(quiet=False) as tell:
        tell("b.gz", 10, None)
    assert capsys.readouterr().err == "\r\x1b[Kb.gz: 10 B\n"


def test_what_can_redraw(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert progress.can_redraw()
    monkeypatch.setenv("TERM", "dumb")
    assert not progress.can_redraw()
    monkeypatch.setattr(sys, "stderr", None)
    assert not progress.can_redraw()
