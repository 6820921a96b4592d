import io
import threading

import pytest

from faultline.stack.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_terminal_replaces_the_waiting_line() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.waiting("waiting for kafka 1 s")
    progress.waiting("waiting for kafka 2 s")
    progress.note("kafka up")
    assert stream.getvalue() == "\r\x1b[Kwaiting for kafka 1 s\r\x1b[Kwaiting for kafka 2 s\r\x1b[Kkafka up\n"


def test_terminal_line_is_cut_to_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    Progress(stream).waiting("x" * 100)
    assert stream.getvalue() == "\r\x1b[K" + "x" * 19


def test_close_leaves_a_clean_line_once() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.waiting("a")
    progress.close()
    progress.close()
    assert stream.getvalue() == "\r\x1b[Ka\r\x1b[K"


def test_plain_output_has_one_waiting_line_per_five_seconds() -> None:
    clock, stream = Clock(), io.StringIO()
    progress = Progress(stream, clock)
    for second in range(12):
        clock.now = float(second)
        progress.waiting(f"waiting {second} s")
    assert stream.getvalue() == "waiting 5 s\nwaiting 10 s\n"


def test_step_says_what_and_how_long() -> None:
    clock, stream = Clock(), io.StringIO()
    with Progress(stream, clock).step("fetching"):
        clock.now = 3.5
    assert stream.getvalue() == "fetching ...\nfetching: done in 3.5 s\n"


def test_failed_step_does_not_say_done_and_ends_its_thread() -> None:
    stream, before = io.StringIO(), threading.active_count()
    with pytest.raises(ValueError, match="no network"), Progress(stream).step("fetching"):
        raise ValueError("no network")
    assert stream.getvalue() == "fetching ...\n"
    assert threading.active_count() == before
