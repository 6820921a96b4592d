"""The feeder's loop: poll files and pages, send, remember what was acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

from faultline.config import FeederConfig
from faultline.metrics import FeederMetrics
from feeder.delivery import COMPLAIN_SECONDS, Delivery
from feeder.offsets import OffsetsUnwritable, save_offsets
from feeder.polling import Pollers
from feeder.sending import LineSender
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
        self._lines = LineSender(delivery, config.host_name)
        self._saved = monotonic()
        self._complained = float("-inf")

    def run(self, stopping: Callable[[], bool]) -> None:
        """Loop; a round that read nothing waits `poll_seconds`. Raises OffsetsUnwritable before anything is sent."""
        self._delivery.while_full(stopping, self._save_when_due)
        try:
            self._watcher.look()
            save_offsets(self._config.state, self._watcher.offsets())
            while not stopping():
                sent = self.round()
                self._delivery.serve(0 if sent else self._config.poll_seconds)
                self._save_when_due()
        finally:
            self._pollers.close()
            self.save()  # a kill may cut the wait for the last acknowledgements short
            left = self._delivery.close(FLUSH_SECONDS)
            self.save()
            self._watcher.close()
            logger.info("stopped", extra={"unacknowledged": left})

    def round(self) -> int:
        """Send what there is now; return how many lines and samples that were."""
        sent = 0
        for event in self._pollers.take():
            sent += self._delivery.send(event, event.to_bytes(), lambda: None)
        if self._watcher.look():
            self.save()
        for read in self._watcher.read_round():
            if not self.send(read):
                break
            sent += 1
            self._save_when_due()
        return sent

    def send(self, read: Read) -> bool:
        """Send one line, or set a piece of a long one aside; False when asked to stop before it was handed over."""
        watched, line = read.watched, read.line
        acknowledge = partial(watched.acknowledged.acknowledge, watched.acknowledged.sent(line.end))
        return self._lines.send(watched.source, watched.file.path, line, acknowledge)

    def _save_when_due(self) -> None:
        """Look first: a file that is begun and rotated away while the broker is away would never be seen."""
        if monotonic() - self._saved > SAVE_SECONDS:
            self._watcher.look()
            self.save()

    def save(self) -> None:
        """Store how far each file was acknowledged, and say how much is unread.

        When they cannot be stored (the disk is full) reading goes on: an end now would lose nothing, only repeat.
        """
        self._saved = monotonic()
        self._metrics.watched_files.set(self._watcher.files)
        self._metrics.unread_bytes.set(self._watcher.unread_bytes)
        try:
            save_offsets(self._config.state, self._watcher.offsets())
        except OffsetsUnwritable as error:
            if self._saved - self._complained > COMPLAIN_SECONDS:
                self._complained = self._saved
                logger.error("%s; until then lines are sent again after an end", error)
