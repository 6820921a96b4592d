"""The template ids of lines, without judging them: as the stream names them, and no encoder is loaded."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
from cachetools import LRUCache

from faultline.artifact import read_manifest
from faultline.errors import ArtifactError
from faultline.records import Event
from spark.models.features import event_text
from spark.models.masking import mask_texts
from spark.models.templates import TemplateTree, generalise, template_id

CACHED_LINES: Final = 50_000  # distinct masked lines; some 10 MB
NEW_TEMPLATES: Final = 5000  # that the model does not have; their texts, as seen last


class TemplateNames:
    """Names lines by the templates of one model."""

    def __init__(self, tree: TemplateTree) -> None:
        self._tree = tree
        self._ids: LRUCache[str, str] = LRUCache(CACHED_LINES)
        self._known = {template_id(text): text for text in tree.templates}
        self._new: LRUCache[str, str] = LRUCache(NEW_TEMPLATES)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Check a model's manifest and read its templates; raises ArtifactError."""
        read_manifest(folder)
        path = folder / "model.json"
        try:
            return cls(TemplateTree(json.loads(path.read_text())["templates"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: {error!r}, expected templates in it; train again") from error

    def ids(self, events: Sequence[Event]) -> list[str]:
        """Return the template id of each event's text, [n]."""
        masked = mask_texts(pa.array([event_text(event) for event in events], pa.string())).to_pylist()
        return [self._id(text) for text in masked]

    @property
    def texts(self) -> Mapping[str, str]:
        """The templates by id: those of the model, and new ones that `ids` has met lately."""
        return ChainMap(self._known, self._new)

    def _id(self, masked: str) -> str:
        found = self._ids.get(masked)
        if found is None:
            text = self._tree.match(masked) or generalise(masked)
            found = self._ids[masked] = template_id(text)
            if found not in self._known:
                self._new[found] = text
        return found
