"""What Spark does in a worker around each task suits large tasks; ours are small, and come all the time."""

from __future__ import annotations

import gc
import sys
from functools import lru_cache
from pathlib import Path
from zipimport import zipimporter


def forget_archives() -> None:
    """Take archives off this process's import path, and forget what is known of their content.

    Spark puts its core jar and two zip files on the path of Python workers, and invalidates Python's import caches at
    the begin of each task; Python then reads the directory of each archive anew, in Python: 0.1 s and more a task,
    four fifths of what a worker does for a small micro-batch. What was imported from an archive stays imported, and
    what is imported from it later is found by the path of its package.
    """
    sys.path[:] = [entry for entry in sys.path if not Path(entry).is_file()]
    for entry, finder in list(sys.path_importer_cache.items()):
        if isinstance(finder, zipimporter):
            del sys.path_importer_cache[entry]


@lru_cache(maxsize=1)
def freeze_heap(model: str) -> None:
    """Exempt from garbage collection what is there once a model is loaded: Spark has each task end with a full one.

    Done again for another model, so that nothing of the last one is kept.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
