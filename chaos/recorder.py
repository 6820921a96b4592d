"""Write down every alert that Alertmanager holds, from its start to its end, while a run goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import msgspec

from chaos.records import COUNTED_SEVERITIES, SIDES, AlertSpan, append_record
from faultline.alerts import FiringAlert

POLL_SECONDS: Final = 0.5  # by how much the end of an alert may be told late, for every side alike
Key = tuple[str, str, str, str, datetime]


class AlertLog:
    """Turns what fires at each look into spans; pure but for the two files, so that a killed run can go on.

    `alerts.jsonl` has the spans that ended; `alerts.open.json` those that had not at the last look.
    """

    def __init__(self, folder: Path) -> None:
        self._closed = folder / "alerts.jsonl"
        self._open_path = folder / "alerts.open.json"
        self._open = {_key(span): span for span in self._stored()}

    def look(self, firing: Iterable[FiringAlert], now: datetime) -> None:
        """Take in what fires at `now`: what is new is opened, what is gone is closed."""
        seen = {_key(span): span for span in map(_span, firing)}
        gone = [span for key, span in self._open.items() if key not in seen]
        if gone or seen.keys() != self._open.keys():
            for span in gone:
                append_record(self._closed, msgspec.structs.replace(span, ends_at=now))
            self._open = seen
            self._store()

    def open_spans(self) -> list[AlertSpan]:
        """Return what fired at the last look."""
        return list(self._open.values())

    def _store(self) -> None:
        aside = self._open_path.with_suffix(".new")
        aside.write_bytes(msgspec.json.encode(self.open_spans()))
        aside.replace(self._open_path)

    def _stored(self) -> list[AlertSpan]:
        if not self._open_path.exists():
            return []
        return msgspec.json.decode(self._open_path.read_bytes(), type=list[AlertSpan])


def _span(alert: FiringAlert) -> AlertSpan:
    return AlertSpan(
        name=alert.name, side=alert.side, severity=alert.severity, service=alert.service, starts_at=alert.starts_at
    )


def _key(span: AlertSpan) -> Key:
    return span.name, span.side, span.severity, span.service, span.starts_at


class Recorder:
    """Looks twice a second, in a thread, from `with` to its end. A look that fails is tried again."""

    def __init__(self, folder: Path, firing: Callable[[], list[FiringAlert]]) -> None:
        self._log = AlertLog(folder)
        self._firing = firing
        self._finished = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="alert recorder", daemon=True)
        self.failed_looks = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished.set()
        self._thread.join()

    def sides_firing(self, severities: Container[str] = COUNTED_SEVERITIES) -> tuple[str, ...]:
        """Return the sides with an alert of these severities at the last look, in the order of SIDES."""
        with self._lock:
            sides = {span.side for span in self._log.open_spans() if span.severity in severities}
        return tuple(side for side in SIDES if side in sides)

    def look(self) -> None:
        """Look once, now."""
        try:
            firing = self._firing()
        except httpx.HTTPError:
            self.failed_looks += 1
            return
        with self._lock:
            self._log.look(firing, datetime.now(UTC))

    def _watch(self) -> None:
        while not self._finished.is_set():
            self.look()
            self._finished.wait(POLL_SECONDS)
