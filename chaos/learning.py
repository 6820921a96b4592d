"""The normal time a run learns from: visitors come and go, and the services are restarted one by one once.

What a team would call normal time has both; a model that has never seen a restart cannot know that it is harmless.
New versions, new lines and jobs of the night are not part of it: they are left to the injected changes.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

from chaos.actions.deployment import restart_each
from faultline.config import Environ
from faultline.stack.programs import SERVICES
from faultline.stack.progress import Progress
from faultline.stack.waiting import pass_time

FIRST_SHARE: Final = 0.4  # of the time, before the restart
LAST_SECONDS: Final = 10.0  # after it, at least


def live(environ: Environ, seconds: float, progress: Progress) -> None:
    """Let `seconds` of normal time pass, one rolling restart included."""
    text, end = "learning: normal traffic is written and collected", monotonic() + seconds
    pass_time(progress, text, seconds * FIRST_SHARE)
    restart_all(environ, progress)
    pass_time(progress, text, max(LAST_SECONDS, end - monotonic()))


def restart_all(environ: Environ, progress: Progress) -> None:
    """Restart every service, one by one, without downtime."""
    with progress.step("normal time also has a rolling restart"):
        restart_each(environ, SERVICES)
