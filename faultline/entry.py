"""How every component's process begins and ends: JSON logs, and errors of ours as one clear line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from faultline import log
from faultline.config import Environ
from faultline.errors import FaultlineError


def run(service: str, main: Callable[[Environ], None]) -> None:
    """Run `main(environ)`; a FaultlineError ends the process with status 1 and its text, without a traceback."""
    log.configure(service)
    try:
        main(os.environ)
    except FaultlineError as error:
        logging.getLogger(service).error("%s", error, extra={"error": type(error).__name__})
        sys.stdout.flush()
        sys.exit(1)
