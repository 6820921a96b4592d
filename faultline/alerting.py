"""When abnormal lines become an alert: the numbers that calibration and the Prometheus rule share."""

from __future__ import annotations

from typing import Final

# As in alert LogAnomaly of prometheus/alerts/faultline.yml, where their origin stands; a test holds them equal.
ALERT_LINES: Final = 3
ALERT_WINDOW_SECONDS: Final = 15
SPREAD_LINES: Final = 2  # of each of so many services
SPREAD_SERVICES: Final = 3
