"""A process that was met before: the same one, or nobody."""

from __future__ import annotations

from typing import Final

import psutil

# A start time is the boot time plus ticks, and the boot time moves by up to a second when the clock is set. A number
# comes round again only after thousands of new processes.
CLOCK_SECONDS: Final = 2.0


def find_again(pid: int, created: float) -> psutil.Process | None:
    """Return the process with this number that was started at `created` (Unix seconds); None when it has ended.

    A number that belongs to another process by now leads nowhere: that process is never touched.
    """
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created) > CLOCK_SECONDS or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return process
