"""The feeder's loop: poll files and pages, send, remember what was acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Final

from faultline.config import FeederConfig
from faultline.metrics import FeederMetrics
from feeder.delivery import Delivery, long_line_headers
from feeder.offsets import save_offsets
from feeder.origin import Origin
from feeder.polling import Pollers
from feeder.watching import Read, Watcher

logger = logging.getLogger(__name__)

SAVE_SECONDS: Final = 0.5
FLUSH_SECONDS: Final = 10.0


class Feeder:
    """Runs until `stopping()`; at its end every acknowledged line is remembered, none that was not."""

    def __init__(
        self, config: FeederConfig, watcher: Watcher, pollers: Pollers, delivery: Delivery, metrics: FeederMetrics
    ) -> None:
        self._config = config
        self._watcher = watcher
        self._pollers = pollers
        self._delivery = delivery
        self._metrics = metrics
        self._saved = monotonic()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Loop; a round that read nothing waits `poll_seconds`."""
        self._delivery.give_up_when(stopping)
        try:
            while not stopping():
                sent = self.round()
                self._delivery.serve(0 if sent else self._config.poll_seconds)
                if monotonic() - self._saved > SAVE_SECONDS:
                    self.save()
        finally:
            self._pollers.close()
            left = self._delivery.close(FLUSH_SECONDS)
            self.save()
            logger.info("stopped", extra={"unacknowledged": left})

    def round(self) -> int:
        """Send what there is now; return how many lines and samples that were."""
        sent = 0
        for event in self._pollers.take():
            sent += self._delivery.send(event, lambda: None)
        for read in self._watcher.read_round():
            if not self.send(read):
                break
            sent += 1
        return sent

    def send(self, read: Read) -> bool:
        """Send one line, or set a piece of a long one aside; False when asked to stop before it was handed over."""
        watched, line = read.watched, read.line
        source, path = watched.source, watched.file.path
        service = source.service_of(path)
        acknowledge = partial(watched.acknowledged.acknowledge, watched.acknowledged.sent(line.end))
        if line.too_long:
            place = (self._config.host_name, path, line.offset)
            headers = dict(long_line_headers(place, source.source_type.value, service, line.data))
            return self._delivery.set_aside(line.data, headers, acknowledge)
        now = datetime.now(UTC)
        origin = Origin(source.source_type, service, self._config.host_name, path, line.offset, now)
        return self._delivery.send(source.parser(origin, line.data), acknowledge)

    def save(self) -> None:
        """Store how far each file was acknowledged, and say how much is unread."""
        self._saved = monotonic()
        save_offsets(self._config.state, self._watcher.offsets())
        self._metrics.watched_files.set(self._watcher.files)
        self._metrics.unread_bytes.set(self._watcher.unread_bytes)
