"""The shop's JSON log files: one object per line, renamed away at 10 MB."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from demo.context import current
from faultline.log import JsonFormatter

MAX_BYTES: Final = 10_000_000
BACKUPS: Final = 3
# These write a line per call at INFO; the shop's own lines say the same with more sense.
_QUIET: Final = ("httpx", "httpcore", "asyncio")


class RequestFields(logging.Filter):
    """Add request id, trace id, route and elapsed time of the current request to each record."""

    def filter(self, record: logging.LogRecord) -> bool:
        context = current.get()
        if context is not None:
            record.request_id = context.request_id
            record.trace_id = context.trace.trace_id
            record.route = context.route
            record.duration_ms = context.elapsed_ms
        return True


def log_to_file(service: str, folder: Path, max_bytes: int = MAX_BYTES) -> logging.Handler:
    """Send every record of this process to `folder/<service>.log`; return the handler.

    Rotation is by rename (`.1` to `.3`), so a reader that holds the file open can finish it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(folder / f"{service}.log", maxBytes=max_bytes, backupCount=BACKUPS, encoding="utf-8")
    handler.setFormatter(JsonFormatter(service))
    handler.addFilter(RequestFields())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler
