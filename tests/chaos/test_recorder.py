from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from chaos.recorder import AlertLog, Recorder
from chaos.records import AlertSpan, counts, read_records
from faultline.alerts import FiringAlert

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def alert(name: str = "LogAnomaly", seconds: float = 0, side: str = "ml", severity: str = "page") -> FiringAlert:
    return FiringAlert(name, "payments", side, at(seconds), "it is wrong", severity)


def spans(folder: Path) -> list[tuple[str, datetime, datetime | None]]:
    return [(span.name, span.starts_at, span.ends_at) for span in read_records(folder / "alerts.jsonl", AlertSpan)]


def test_an_alert_is_written_when_it_is_gone(tmp_path: Path) -> None:
    log = AlertLog(tmp_path)
    log.look([alert()], at(1))
    log.look([alert()], at(2))
    assert spans(tmp_path) == []
    log.look([], at(3))
    assert spans(tmp_path) == [("LogAnomaly", at(0), at(3))]


def test_an_alert_that_fires_again_is_another_one(tmp_path: Path) -> None:
    log = AlertLog(tmp_path)
    log.look([alert(seconds=0)], at(1))
    log.look([alert(seconds=2)], at(2))
    log.look([], at(3))
    assert spans(tmp_path) == [("LogAnomaly", at(0), at(2)), ("LogAnomaly", at(2), at(3))]


def test_a_recorder_that_was_killed_goes_on(tmp_path: Path) -> None:
    AlertLog(tmp_path).look([alert(), alert("Down", side="rules")], at(1))
    later = AlertLog(tmp_path)
    assert {span.name for span in later.open_spans()} == {"LogAnomaly", "Down"}
    later.look([alert("Down", side="rules")], at(9))
    assert spans(tmp_path) == [("LogAnomaly", at(0), at(9))]


@pytest.mark.parametrize(
    ("severity", "side", "counted"),
    [("page", "ml", True), ("ticket", "slo", True), ("info", "ml", False), ("page", "pipeline", False)],
)
def test_what_counts(severity: str, side: str, counted: bool) -> None:
    assert counts(severity, side) is counted


def test_the_sides_that_fire_now(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, lambda: [alert(side="slo"), alert(side="ml"), alert(side="rules", severity="info")])
    recorder.look()
    assert recorder.sides_firing() == ("ml", "slo")


def test_a_look_that_fails_changes_nothing(tmp_path: Path) -> None:
    answers = [[alert()], None]

    def firing() -> list[FiringAlert]:
        answer = answers.pop(0)
        if answer is None:
            raise httpx.ConnectError("refused")
        return answer

    recorder = Recorder(tmp_path, firing)
    recorder.look()
    recorder.look()
    assert recorder.sides_firing() == ("ml",)
    assert recorder.failed_looks == 1
    assert spans(tmp_path) == []
