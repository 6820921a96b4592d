from __future__ import annotations

from io import StringIO

import pytest

from faultline.errors import StackError
from faultline.stack import waiting
from faultline.stack.progress import Progress
from faultline.stack.waiting import pass_time, wait_for, wait_until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.001)


def test_what_was_waited_for_is_returned_and_said() -> None:
    answers, stream = ["", "", "there"], StringIO()
    assert wait_until(Progress(stream), "the alert", lambda: answers.pop(0), 60) == "there"
    assert stream.getvalue().startswith("the alert: 0.")


def test_nothing_until_the_deadline() -> None:
    stream = StringIO()
    assert wait_until(Progress(stream), "the alert", lambda: None, 0.01) is None
    assert stream.getvalue() == "the alert: not within 0 s\n"


def test_what_must_come_is_an_error_when_it_does_not() -> None:
    with pytest.raises(StackError, match=r"waited 0 s for the stream; see \./run status"):
        wait_for(Progress(StringIO()), "the stream", lambda: False, 0.01)


def test_time_that_passes_on_purpose_is_announced() -> None:
    stream = StringIO()
    pass_time(Progress(stream), "learning", 0.01)
    assert stream.getvalue() == "learning (0 s)\n"
