"""From a line to a record or a dead letter: what the tailing feeder and the replay of a file have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from faultline.records import MAX_RECORD_BYTES, make_event_id
from feeder.delivery import Delivery
from feeder.lines import Line
from feeder.origin import Origin
from feeder.sources import FileSource

PIECE: str = "a piece of a line longer than FAULTLINE_MAX_LINE_BYTES; pieces follow each other by offset"


class LineSender:
    """Parses lines and sends them; nothing is dropped: what makes no record goes to logs-dead-letter."""

    def __init__(
        self, delivery: Delivery, host_name: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._delivery = delivery
        self._host_name = host_name
        self._clock = clock

    def send(self, source: FileSource, path: str, line: Line, acknowledge: Callable[[], None]) -> bool:
        """Send a line, or set it aside; False when asked to stop before it was handed over."""
        service = source.service_of(path)
        origin = Origin(source.source_type, service, self._host_name, path, line.offset, self._clock())
        if line.too_long:
            return self._set_aside(origin, line.data, ("line_too_long", PIECE), acknowledge)
        event = source.parser(origin, line.data)
        value = event.to_bytes()
        if len(value) > MAX_RECORD_BYTES:
            why = f"its record is {len(value)} bytes, expected at most {MAX_RECORD_BYTES}"
            return self._set_aside(origin, line.data, ("too_large", why), acknowledge)
        return self._delivery.send(event, value, acknowledge)

    def _set_aside(self, origin: Origin, data: bytes, why: tuple[str, str], acknowledge: Callable[[], None]) -> bool:
        reason, detail = why
        headers = {
            "reason": reason,
            "source_type": origin.source_type.value,
            "service_name": origin.service_name,
            "detail": detail,
            "log.file.path": origin.path,
            "log.file.offset": str(origin.offset),
            "event_id": make_event_id(origin.host_name, origin.path, origin.offset, data),
        }
        return self._delivery.set_aside(data, headers, acknowledge)
