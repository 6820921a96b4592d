"""The root-cause part of a model: usual steps, learned calls, and the ranker's weights; JSON beside the other parts."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from faultline.artifact import MANIFEST, read_manifest, write_manifest
from faultline.catalog.graph import Edge
from faultline.errors import ArtifactError
from spark.models.features import FEATURES_VERSION
from spark.models.parts import read_part
from spark.models.root_cause.flow import FlowProfile
from spark.models.root_cause.numbers import NumberProfile
from spark.models.root_cause.ranker import Ranker
from spark.models.root_cause.usual import Usual

FOLDER: Final = "root_cause"
FILE: Final = "usual.json"


@dataclass(frozen=True)
class RootCauseModel:
    """What normal time taught of requests, and what past incidents taught of causes."""

    usual: Usual
    edges: tuple[Edge, ...]
    ranker: Ranker
    encoder: str = ""  # that compares lines with the catalog, a folder of models/encoder; empty: that of the lines

    def save(self, folder: Path) -> None:
        """Write the part below a model's folder."""
        part = folder / FOLDER
        part.mkdir(parents=True, exist_ok=True)
        state = {
            "features": FEATURES_VERSION,
            "flow": self.usual.flow.to_json(),
            "waits": self.usual.waits.to_json(),
            "encoder": self.encoder,
            "edges": [[edge.source, edge.target, edge.requests] for edge in self.edges],
        }
        (part / FILE).write_text(json.dumps(state, sort_keys=True))
        self.ranker.save(part)

    def extend(self, base: Path, folder: Path, **facts: Any) -> dict[str, Any]:
        """Write to `folder` the model in `base` with this part in place of its own; return the manifest.

        `facts` are added to what the manifest says of the part. Raises ArtifactError for a base that is not whole.
        """
        known = {name: value for name, value in read_manifest(base).items() if name not in ("version", "files")}
        shutil.copytree(base, folder, ignore=shutil.ignore_patterns(MANIFEST, FOLDER), dirs_exist_ok=True)
        self.save(folder)
        known["root_cause"] = {**known.get("root_cause", {}), **facts}
        write_manifest(folder, **{**known, "trained_at": datetime.now(UTC).isoformat()})
        return read_manifest(folder)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read the part of a model's folder, None when it has none; raises ArtifactError when it is unusable."""
        path = folder / FOLDER / FILE
        state = read_part(path)
        if state is None:
            return None
        try:
            edges = tuple(Edge(str(source), str(target), int(requests)) for source, target, requests in state["edges"])
            usual = Usual(FlowProfile.from_json(state["flow"]), NumberProfile.from_json(state["waits"]))
            return cls(usual, edges, Ranker.load(path.parent), str(state.get("encoder", "")))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{path}: {error!r}, expected flow and edges; train again") from error

    @classmethod
    def require(cls, folder: Path) -> Self:
        """Do as `load`; raises ArtifactError also when the model has no such part."""
        found = cls.load(folder)
        if found is None:
            raise ArtifactError(f"{folder} has no root-cause part; ./run train adds one")
        return found

    def with_ranker(self, ranker: Ranker) -> Self:
        """Return the part with other weights: what verdicts change."""
        return replace(self, ranker=ranker)

    def with_encoder(self, encoder: str) -> Self:
        """Return the part with another encoder: what fine-tuning changes."""
        return replace(self, encoder=encoder)
