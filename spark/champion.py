"""Which model streams: chosen at the start, then followed, while the stream runs, as the alias `champion` moves.

A new champion takes over at a batch boundary (faultline/activations.py). One that is refused changes nothing: the
model in use goes on, and goes on over a restart too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from faultline.activations import LEAD, Activations
from faultline.artifact import CHAMPION, point
from faultline.config import StreamConfig
from faultline.errors import ArtifactError, FaultlineError, FeaturesError, RegistryUnavailable
from faultline.metrics import StreamMetrics
from faultline.registry import ModelVersion, Registry
from spark.models.acceptance import accept

logger = logging.getLogger(__name__)

REASONS: Final = ("artifact", "features")
Announce = Callable[[Mapping[str, Any]], None]


def utc_now() -> datetime:
    """Return the time of the driver, which Spark stamps its batches with too."""
    return datetime.now(UTC)


class ChampionWatch:
    """Chooses and follows; `announce` gets the manifest of each model that comes into use."""

    def __init__(
        self,
        config: StreamConfig,
        registry: Registry,
        metrics: StreamMetrics,
        announce: Announce,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._config = config
        self._registry = registry
        self._activations = Activations(config.activations, config.models)
        self._rejected = metrics.model_rejected
        self._announce = announce
        self._clock = clock
        self._seen: ModelVersion | None = None
        self._outage = False
        self._ended = threading.Event()
        for reason in REASONS:
            self._rejected.labels(reason).inc(0)

    @property
    def models(self) -> Path:
        """The folder in which every version that may stream lies."""
        return self._config.models if self._config.follows_champion else self._config.model.resolve().parent

    def begin(self) -> Path | Activations:
        """Return what the stream scores with from its first batch on.

        FAULTLINE_MODEL if it is set; else the champion of the registry; else, when that is refused or the registry
        does not answer, the model that streamed last, or the local mirror of the alias. Raises what was wrong with the
        first of them when none is left.
        """
        if not self._config.follows_champion:
            self._announce(accept(self._config.model))
            return self._config.model.resolve()
        manifest = self._choose()
        if manifest["version"] != self._activations.newest():
            self._activations.activate(manifest["version"], self._clock())  # no batch runs: no lead is needed
        self._use(manifest)
        return self._activations

    def _choose(self) -> dict[str, Any]:
        faults: list[FaultlineError] = []
        for find in (self._from_registry, self._from_activations, self._from_mirror):
            try:
                found = find()
            except (ArtifactError, RegistryUnavailable) as error:
                self._report(error)
                faults.append(error)
                continue
            if found is not None:
                return found
        text = f"no model is champion in {self._registry.uri}, expected one; ./run train learns one"
        raise faults[0] if faults else ArtifactError(text)

    def _from_registry(self) -> dict[str, Any] | None:
        version = self._registry.champion()
        return None if version is None else self._accept(version)

    def _from_activations(self) -> dict[str, Any] | None:
        version = self._activations.newest()
        return None if version is None else accept(self._config.models / version)

    def _from_mirror(self) -> dict[str, Any] | None:
        pointer = self._config.models / CHAMPION
        return accept(pointer.resolve()) if pointer.exists() else None

    def _accept(self, version: ModelVersion) -> dict[str, Any]:
        """Fetch and check; a version that was judged, well or ill, is not looked at again before the alias moves."""
        try:
            manifest = accept(self._registry.fetch(version, self._config.models))
        except ArtifactError:
            self._seen = version
            raise
        self._seen = version
        return manifest

    def _use(self, manifest: Mapping[str, Any]) -> None:
        point(self._config.models, CHAMPION, manifest["version"])
        self._announce(manifest)

    def start(self) -> None:
        """Follow the alias in a thread of its own, until `stop`; nothing to do when FAULTLINE_MODEL is set."""
        if self._config.follows_champion:
            threading.Thread(target=self._follow, name="champion", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end."""
        self._ended.set()

    def _follow(self) -> None:
        while not self._ended.wait(self._config.champion_poll_seconds):
            try:
                self.look()
            except Exception:
                logger.exception("the champion could not be looked up; the model in use goes on")

    def look(self) -> None:
        """Look once; activate a champion that is new and good, report one that is not, once each."""
        try:
            version = self._registry.champion()
            if version is None or version == self._seen:
                self._outage = False
                return
            manifest = self._accept(version)
        except (ArtifactError, RegistryUnavailable) as error:
            self._report(error)
            return
        self._outage = False
        self._switch(manifest)

    def _switch(self, manifest: Mapping[str, Any]) -> None:
        if manifest["version"] == self._activations.newest():
            return
        since = self._clock() + LEAD
        self._activations.activate(manifest["version"], since)
        logger.info("new champion", extra={"version": manifest["version"], "since": since.isoformat()})
        self._ended.wait((since - self._clock()).total_seconds())
        self._use(manifest)

    def _report(self, error: FaultlineError) -> None:
        """Count and log a refusal; of an outage only the beginning."""
        if isinstance(error, RegistryUnavailable):
            if not self._outage:
                logger.warning("%s; the model in use goes on", error)
            self._outage = True
            return
        reason = "features" if isinstance(error, FeaturesError) else "artifact"
        self._rejected.labels(reason).inc()
        logger.error("champion refused, the model in use goes on: %s", error, extra={"reason": reason})
