"""One error family: each error is named after the fault and says what to do about it."""

from __future__ import annotations


class FaultlineError(Exception):
    """Base of every error this project raises on purpose."""


class ConfigError(FaultlineError):
    """A setting is missing or unusable; nothing has been connected yet."""

    def __init__(self, key: str, value: object, expected: str) -> None:
        super().__init__(f"{key} is {value!r}, expected {expected}")
        self.key = key


class DecodeError(FaultlineError):
    """Bytes are not a valid record; `reason` is one of `records.DEAD_LETTER_REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class NotFittedError(FaultlineError):
    """A model was asked to score before it was fitted or loaded."""


class ArtifactError(FaultlineError):
    """A stored model is missing, incomplete, altered, or made by another version."""


class FeaturesError(ArtifactError):
    """A stored model was trained on other features than this code makes."""


class RegistryUnavailable(FaultlineError):
    """The model registry does not answer, or answers with a fault of its own."""


class TrainingDataError(FaultlineError):
    """There is too little, or unusable, data to learn from."""


class SinkUnavailable(FaultlineError):
    """A sink does not answer; try again after `retry_after_seconds`."""

    def __init__(self, what: str, retry_after_seconds: float) -> None:
        super().__init__(f"{what}; next try in {retry_after_seconds:g} s")
        self.retry_after_seconds = retry_after_seconds


class StackError(FaultlineError):
    """A part of the embedded stack is missing, in the way, or did not come up."""
