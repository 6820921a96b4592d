"""One error family; each text says what, where, and what to do."""

from __future__ import annotations

import pytest

from faultline import errors
from faultline.errors import ConfigError, DecodeError, FaultlineError, SinkUnavailable

FAMILY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_is_of_the_family_and_says_what_it_means(kind: type[Exception]) -> None:
    assert issubclass(kind, FaultlineError)
    assert kind.__doc__


def test_config_error_names_key_value_and_expectation() -> None:
    error = ConfigError("FAULTLINE_PORT_KAFKA", "x", "a whole number")
    assert (str(error), error.key) == ("FAULTLINE_PORT_KAFKA is 'x', expected a whole number", "FAULTLINE_PORT_KAFKA")


def test_decode_error_keeps_reason_and_detail() -> None:
    error = DecodeError("not_json", "invalid character (byte 0)")
    assert (str(error), error.reason, error.detail) == (
        "not_json: invalid character (byte 0)",
        "not_json",
        "invalid character (byte 0)",
    )


def test_sink_unavailable_names_the_wait() -> None:
    error = SinkUnavailable("broker:9092: no answer", 1.5)
    assert (str(error), error.retry_after_seconds) == ("broker:9092: no answer; next try in 1.5 s", 1.5)
