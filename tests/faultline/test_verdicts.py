"""Verdicts as the training jobs read them."""

from __future__ import annotations

import pytest

from faultline import verdicts as subject
from faultline.errors import SinkUnavailable
from faultline.feedback import Verdict
from faultline.verdicts import decode_verdicts, kept_abnormal, read_verdicts
from tests.faultline.test_feedback import FALSE, ODD, SLOW, TRUE, verdict


def test_verdicts_are_read_once_each_and_the_rest_is_told(caplog: pytest.LogCaptureFixture) -> None:
    values = [FALSE.to_bytes(), b"no verdict", FALSE.to_bytes(), TRUE.to_bytes()]
    assert [found.feedback_id for found in decode_verdicts(values)] == ["f1", "f2"]
    assert "a record is no verdict" in caplog.text


def test_missing_topic_has_no_verdicts(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def missing(bootstrap: str, topic: str) -> list[object]:
        raise SinkUnavailable(f"{topic}: the broker has no such topic", 1)

    monkeypatch.setattr(subject, "read_topic", missing)
    assert read_verdicts("127.0.0.1:1", "feedback") == []
    assert "verdicts cannot be read" in caplog.text


def test_signs_of_a_fault_are_kept_until_the_verdict_is_taken_back() -> None:
    told = verdict(3, "i3", Verdict.TRUE, patterns=[ODD])
    assert kept_abnormal([FALSE, TRUE, told]) == {SLOW, ODD}
    assert kept_abnormal([FALSE, TRUE, told, verdict(4, "i3", Verdict.TRUE, undoes="f3")]) == {SLOW}
