"""An encoder for which lines lie near what the catalog says of their service: what it learns from, what it is worth.

Training needs torch and is done elsewhere (finetuning/contrast.py); the labels are who writes a line in normal time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zlib import crc32

import numpy as np

from faultline.catalog.entities import Entity
from faultline.config import TrainConfig
from faultline.errors import TrainingDataError
from faultline.registry import Registry, Training
from spark.models.embedder import Embedder, ensure_encoder
from spark.models.encoders import weights_folder
from spark.models.release import publish_challenger, tags_of
from spark.models.root_cause.flow import FlowProfile
from spark.models.root_cause.meaning import Embed
from spark.models.root_cause.model import RootCauseModel
from spark.models.root_cause.naming import TemplateNames

JOB: Final = "root_cause_finetune"
HELD_OUT: Final = 4  # one line in so many is not learned from
MIN_PAIRS: Final = 8
MIN_SERVICES: Final = 2  # with lines and an entry in the catalog; one alone has nothing to be told from

Train = Callable[[Path, Path, Path], None]  # base weights, pairs, folder to write weights to


@dataclass(frozen=True)
class Pair:
    """A line that a service writes in normal time, and what the catalog says of it."""

    line: str
    about: str


@dataclass(frozen=True)
class Tuned:
    """The new encoder, and the mean reciprocal rank of a service's text for its held-out lines, with it and without."""

    folder: Path
    encoder: str
    pairs: int
    held_out: int
    before: float
    after: float
    wins: bool  # it is not worse on lines that it did not learn from


def pairs_of(flow: FlowProfile, names: Mapping[str, str], catalog: Mapping[str, Entity]) -> list[Pair]:
    """Return the known lines of each service in requests, by service and text; `names`: texts of template ids."""
    found = []
    for service, steps in sorted(flow.ranges.items()):
        ids = {step for before, after in steps.items() for step in (before, *after)}
        if service in catalog:
            lines = sorted({names[step] for step in ids if step in names})
            found += [Pair(line, catalog[service].text) for line in lines]
    return found


def split(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Return what is learned from and what is held out: the same lines every time."""
    is_held_out = [crc32(pair.line.encode()) % HELD_OUT == 0 for pair in pairs]
    learned = [pair for pair, out in zip(pairs, is_held_out, strict=True) if not out]
    return learned, [pair for pair, out in zip(pairs, is_held_out, strict=True) if out]


def agreement(embed: Embed, pairs: Sequence[Pair], texts: Sequence[str]) -> float:
    """Return the mean reciprocal rank of each line's own text among all texts of the catalog, 0 to 1."""
    if not pairs:
        return 0.0
    near = embed([pair.line for pair in pairs]) @ embed(list(texts)).T
    own = np.array([texts.index(pair.about) for pair in pairs])
    ranks = (near > near[np.arange(len(pairs)), own][:, None]).sum(axis=1) + 1
    return float((1.0 / ranks).mean())


def finetune(config: TrainConfig, catalog: Mapping[str, Entity], registry: Registry, train: Train) -> Tuned:
    """Train, judge, and register the champion with the new encoder as challenger; champion when it is not worse.

    Raises TrainingDataError when there is too little to learn from, ArtifactError for a champion without a root-cause
    part, RegistryUnavailable, and what `train` raises.
    """
    champion = RootCauseModel.require(config.base)
    pairs = pairs_of(champion.usual.flow, TemplateNames.load(config.base.resolve()).texts, catalog)
    if len(pairs) < MIN_PAIRS or len({pair.about for pair in pairs}) < MIN_SERVICES:
        text = (
            f"{len(pairs)} lines of services in the catalog, expected {MIN_PAIRS} of {MIN_SERVICES} services at least"
        )
        raise TrainingDataError(f"{text}; FAULTLINE_CATALOG has to know the services, and lines need a request id")
    learned, held_out = split(pairs)
    if not held_out or len({pair.about for pair in learned}) < MIN_SERVICES:
        raise TrainingDataError(
            f"{len(held_out)} of {len(pairs)} lines held out, too few to judge by; watch for longer"
        )
    texts = sorted({entity.text for entity in catalog.values()})
    with TemporaryDirectory(prefix="faultline-finetuning-") as work:
        (Path(work) / "pairs.json").write_text(json.dumps([asdict(pair) for pair in learned]))
        home = config.models / "encoder"
        train(weights_folder(config.encoder, home), Path(work) / "pairs.json", Path(work) / "weights")
        encoder, name = ensure_encoder(home, str(Path(work) / "weights"))
    before = home / champion.encoder if champion.encoder else ensure_encoder(home, config.encoder)[0]
    old, new = (agreement(Embedder(which).embed, held_out, texts) for which in (before, encoder))
    measured = {"pairs": float(len(learned)), "held_out": float(len(held_out)), "before": old, "after": new}

    def build(folder: Path) -> Training:
        champion.with_encoder(name).extend(config.base, folder)
        parameters: dict[str, str | float] = {"base": config.base.resolve().name, "encoder": name}
        return Training(JOB, parameters, measured, tags_of(folder, name))

    wins = new >= old
    folder = publish_challenger(build, registry, config.models, config.alias, wins=wins)
    return Tuned(folder, name, len(learned), len(held_out), old, new, wins)
