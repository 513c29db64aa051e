"""Fetching from servers that stall, redirect in circles or never end; two at once; a full disk."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from overparam.data.entries import entry_of
from overparam.data.entry import Download
from overparam.data.fetching import fetch_entry
from overparam.errors import ResourceError, UsageError
from tests.data.local_server import CONTENT, Server, md5, serving


@pytest.fixture
def entry():
    return replace(
        entry_of("mnist"),
        downloads=(Download("file.gz", md5(CONTENT)),),
        fetch_folder="Set/raw",
    )


@contextmanager
def answering(answer) -> Iterator[str]:
    """A server whose every answer is `answer(handler)`; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def test_all_that_a_slow_server_sent_is_kept(tmp_path, entry):
    go_on = threading.Event()

    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:1000])
        go_on.wait(10)

    def stop_at_once(name, n_bytes, total):
        raise KeyboardInterrupt

    with answering(trickle) as address:
        with pytest.raises(KeyboardInterrupt):
            fetch_entry(entry, [address], tmp_path, stop_at_once)
        go_on.set()
    assert (tmp_path / "Set/raw/file.gz.part").read_bytes() == CONTENT[:1000]
    with serving(Server({"file.gz": CONTENT})) as server:
        folder = fetch_entry(entry, [server.address], tmp_path)
        assert server.requests == [("/data/file.gz", "bytes=1000-")]
    assert (folder / "file.gz").read_bytes() == CONTENT


def test_redirections_in_a_circle_are_one_line(tmp_path, entry):
    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", handler.path)
        handler.end_headers()

    with (
        answering(redirect) as address,
        pytest.raises(ResourceError, match=r"HTTP 302 .* infinite loop") as caught,
    ):
        fetch_entry(entry, [address], tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_without_end_is_given_up_and_the_next_mirror_tried(tmp_path, entry, monkeypatch):
    monkeypatch.setattr("overparam.data.download.MAX_FILE_BYTES", 2_000_000)

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(1 << 16))
        except OSError:
            pass

    with answering(endless) as address:
        with pytest.raises(ResourceError, match=r"it sends more than 2,000,000 bytes"):
            fetch_entry(entry, [address], tmp_path)
        assert list((tmp_path / "Set/raw").iterdir()) == []
        with serving(Server({"file.gz": CONTENT})) as server:
            folder = fetch_entry(entry, [address, server.address], tmp_path)
    assert (folder / "file.gz").read_bytes() == CONTENT


def test_words_that_are_no_http_are_a_cut_connection_with_its_reason(tmp_path, entry):
    def garbage(handler):
        handler.wfile.write(b"\x00\xff no status\r\n\r\n")

    with (
        answering(garbage) as address,
        pytest.raises(ResourceError, match=r"cut 3 times, the last time: \S.* no status"),
    ):
        fetch_entry(entry, [address], tmp_path)


@pytest.mark.parametrize(
    "mirror",
    ["http://[bad/d", "http://", "http://host:port/d", "http://a b/", "http://host/d\n", "/etc"],
)
def test_what_is_no_address_is_refused(tmp_path, entry, mirror):
    with pytest.raises(UsageError, match="a mirror must be an HTTP address"):
        fetch_entry(entry, [mirror], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_of_two_at_once_the_second_is_refused_and_the_first_goes_on(tmp_path, entry):
    with serving(Server({"file.gz": CONTENT})) as server:
        refused = []

        def fetch_too(name, n_bytes, total):
            if not refused:
                with pytest.raises(ResourceError, match="another process is fetching into") as e:
                    fetch_entry(entry, [server.address], tmp_path)
                refused.append(e.value)

        folder = fetch_entry(entry, [server.address], tmp_path, fetch_too)
        assert refused[0].remedy.startswith("wait for it to end")
        assert (folder / "file.gz").read_bytes() == CONTENT
        assert len(server.requests) == 1
        fetch_entry(entry, [server.address], tmp_path)  # the lock has been given back


def test_a_folder_that_is_taken_away_meanwhile(tmp_path, entry):
    import shutil

    with serving(Server({"file.gz": CONTENT}, cut=300_000)) as server:

        def take_away(name, n_bytes, total):
            shutil.rmtree(tmp_path / "Set", ignore_errors=True)

        with pytest.raises(ResourceError, match=r"raw is not writable: No such file"):
            fetch_entry(entry, [server.address], tmp_path, take_away)


@pytest.mark.parametrize("told", [True, False])  # whether the server says how long the file is
def test_a_disk_that_is_really_full(full_disk, entry, told):
    place = full_disk.folder

    def send(handler):
        asked = handler.headers.get("Range")
        start = int(asked[6:-1]) if asked else 0
        handler.send_response(206 if start else 200)
        if start:
            last = len(CONTENT) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(CONTENT)}")
        if told:
            handler.send_header("Content-Length", str(len(CONTENT) - start))
        handler.end_headers()
        handler.wfile.write(CONTENT[start:])

    full_disk.fill(free=400_000)
    match = r"no space for file\.gz\.part" if told else r"part cannot be written: No space left"
    with answering(send) as address:
        with pytest.raises(ResourceError, match=match):
            fetch_entry(entry, [address], place)
        full_disk.make_room()
        folder = fetch_entry(entry, [address], place)
    assert (folder / "file.gz").read_bytes() == CONTENT
