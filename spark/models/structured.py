"""The structured model: what the numbers of a service do, as deviations from its normal time, feature by feature.

Every feature is brought to a scale on which normal noise is about 1 before any spread is learned, so that a minute of
learning that shows no spread at all does not make the next harmless line an anomaly:
- kinds of lines as 2 sqrt(c + 3/8), of standard deviation 1 when they are Poisson (Anscombe 1948, doi
  10.1093/biomet/35.3-4.246), compared with the count expected at the window's number of lines: more traffic alone is no
  deviation, nor are more lines that read like routine (tone.py);
- lines and events in all as 2 / a ln(1 + a sqrt(c + 3/8)), the same for a variance of (sqrt(c) + a c)^2: traffic
  varies by more than chance;
- times and sums as logarithm over a tolerance, the change of a gauge over 1 + sqrt(level) + 2 % of the level, which a
  gauge that counts and one that measures both keep to.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from faultline.artifact import MANIFEST
from faultline.errors import TrainingDataError
from spark.models.calibration import POOLED
from spark.models.features import FEATURES_VERSION, UNKNOWN_TEMPLATE
from spark.models.parts import read_part
from spark.models.threshold import ConformalThreshold
from spark.models.windows import QUANTILES, WIDTH, WIDTHS, RowTable

Values = npt.NDArray[np.float64]
DETECTOR: Final = "structured"
FILE: Final = "structured.json"
MAX_FEATURES: Final = 120  # of a service; the most frequent ones
TRAFFIC: Final = 0.25  # the a above: traffic that is a quarter more or less is noise
# One unit of noise as a difference of logarithms: a bin of the quantiles (half an octave), a silence half as long
# again, a rate a quarter off; of a gauge's level: 2 %.
TOLERANCE: Final = {"quantile": 0.35, "silence": 0.5, "rate": 0.25, "change": 0.02}
CONTINUOUS: Final = ("seconds", "bytes", "_sum", "_ms")  # in the name of a counter that adds up amounts, not events
MAX_DEVIATION: Final = 1e3


@dataclass(frozen=True)
class Profile:
    """What is normal for one service; d features."""

    names: tuple[str, ...]
    shares: Values  # [d] of all lines, for counts; else 0
    typical: Values  # [d] lines in a count's window; else 0
    routine: Values  # [d] 1 where more than usual says nothing; else 0
    medians: Values  # [d]
    spreads: Values  # [d], at least 1

    @classmethod
    def fit(cls, table: RowTable, chosen: npt.NDArray[np.intp], routine: Container[str] = ()) -> Self:
        """Learn from the chosen rows of normal windows; raises TrainingDataError when there is none.

        `routine` are the ids of templates that tell of a service at work: more of them is more work, and no deviation.
        """
        if not len(chosen):
            raise TrainingDataError("no complete window to learn from, expected some minutes of normal time")
        names = feature_names(table)
        x, bases = table.matrix(names)[chosen], _bases(table, names)[chosen]
        counts = _kinds(names) == "count"
        totals = bases.sum(axis=0)
        shares = np.where(counts & (totals > 0), np.nan_to_num(x).sum(axis=0) / np.maximum(totals, 1.0), 0.0)
        typical = np.where(counts, np.median(bases, axis=0), 0.0)
        low, median, high = _quantiles(scaled(names, x, bases, (shares, typical)))
        # The range of the middle 95 %, as a normal distribution has it: rare trouble in normal time does not widen it.
        # A feature that normal time could not tell at all says nothing.
        spread = np.where(np.isnan(median), MAX_DEVIATION, np.maximum(1.0, (high - low) / 3.92))
        more_is_nothing = np.array([_template_of(name) in routine for name in names], np.float64)
        return cls(tuple(names), shares, typical, more_is_nothing, np.nan_to_num(median), spread)

    def deviations(self, table: RowTable) -> Values:
        """Return float64 [n, d]: how far each row lies from normal, in normal spreads; 0 where it cannot tell."""
        bases = _bases(table, self.names)
        values = scaled(self.names, table.matrix(self.names), bases, (self.shares, self.typical))
        deviations = np.nan_to_num((values - self.medians) / self.spreads, nan=0.0)
        return np.clip(deviations, -MAX_DEVIATION, np.where(self.routine > 0, 0.0, MAX_DEVIATION))

    def usual(self, table: RowTable) -> Values:
        """Return float64 [n, d]: the value each feature would usually have in these windows, in its own unit."""
        kinds = _kinds(self.names)
        x, bases = table.matrix(self.names), _bases(table, self.names)
        expected = np.sqrt(_expected(x, bases, (self.shares, self.typical)) + 0.375) + self.medians / 2.0
        tolerance = np.array([TOLERANCE.get(kind, 0.0) for kind in kinds])
        others = np.exp(np.abs(self.medians * tolerance)) - 1.0
        told = np.exp(self.medians * tolerance) - _least(kinds)
        others = np.where(np.isin(kinds, ("rate", "quantile")), told, np.copysign(others, self.medians))
        counts = np.maximum(expected, 0.0) ** 2 - 0.375
        events = (np.expm1(self.medians * TRAFFIC / 2.0) / TRAFFIC) ** 2 - 0.375
        events /= np.where(kinds == "events", float(WIDTH), 1.0)
        chosen = [kinds == "count", kinds == "change", np.isin(kinds, ("lines", "events"))]
        return np.select(chosen, [counts, 0.0, events], others).clip(min=0.0)

    def to_json(self) -> dict[str, list[Any]]:
        """Return the state as JSON values."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return {"names": list(self.names)} | {name: [float(v) for v in array] for name, array in arrays.items()}

    @classmethod
    def from_json(cls, state: Mapping[str, Sequence[Any]]) -> Self:
        """Read what `to_json` wrote."""
        return cls(tuple(state["names"]), *(np.array(state[name], np.float64) for name in _ARRAYS))


_ARRAYS: Final = ("shares", "typical", "routine", "medians", "spreads")
Usual = tuple[Values, Values]  # share of the lines [d], and lines in a window of normal time [d]


def _expected(x: Values, bases: Values, usual: Usual) -> Values:
    """Return the count nearest to x that the share of its lines explains, [n, d].

    A share of the lines that were written now, or of as many as usual: when other lines are added, those that are as
    many as ever have not become too few, and when others fall away, not too many.
    """
    shares, typical = usual
    now, ever = (shares * bases).clip(min=0.0), (shares * typical).clip(min=0.0)
    return np.clip(np.nan_to_num(x), np.minimum(now, ever), np.maximum(now, ever))


def _template_of(name: str) -> str:
    """Return the id in the name of a count of lines, empty for other features."""
    prefix, _, rest = name.partition(":")
    return rest.partition("/")[0] if prefix == "template" else ""


def feature_names(table: RowTable) -> list[str]:
    """Return the features that a service's rows give, the most often seen first, at most MAX_FEATURES."""
    always = [f"{name}/{width}s" for width in WIDTHS for name in ("lines", "level:ERROR", UNKNOWN_TEMPLATE)]
    known = [name for name in table.columns if not name.startswith("gauge:")]
    by_use = sorted(known, key=lambda name: (-table.seen(name), name))
    return list(dict.fromkeys([*always, *by_use]))[:MAX_FEATURES]


def scaled(names: Sequence[str], x: Values, bases: Values, usual: Usual) -> Values:
    """Return features [n, d] in units of noise (see module), NaN where a row cannot tell."""
    kinds = _kinds(names)
    counts = 2.0 * (np.sqrt(np.nan_to_num(x).clip(min=0.0) + 0.375) - np.sqrt(_expected(x, bases, usual) + 0.375))
    least = _least(kinds)
    tolerance = np.array([TOLERANCE.get(kind, 1.0) for kind in kinds])
    with np.errstate(invalid="ignore"):
        others = np.copysign(np.log(np.abs(x) + least), x) if len(x) else x
        others = np.where(np.isin(kinds, ("rate", "quantile")), np.log(np.maximum(x, 0.0) + least), others) / tolerance
    events = 2.0 / TRAFFIC * np.log1p(TRAFFIC * np.sqrt(_events(kinds, x) + 0.375))
    level = np.abs(bases)
    changes = x / (1.0 + np.sqrt(level) + TOLERANCE["change"] * level)
    return np.select(
        [kinds == "count", kinds == "change", np.isin(kinds, ("lines", "events"))], [counts, changes, events], others
    )


def _events(kinds: npt.NDArray[np.str_], x: Values) -> Values:
    """Return how many there were in a window: of events the rate is known."""
    return np.maximum(x, 0.0) * np.where(kinds == "events", float(WIDTH), 1.0)


def _least(kinds: npt.NDArray[np.str_]) -> Values:
    """Below one event a window, or a thousandth of a unit, rates and quantiles are not told apart."""
    return np.select([kinds == "rate", kinds == "quantile"], [1.0 / WIDTH, 1e-3], 1.0)


def _kinds(names: Sequence[str]) -> npt.NDArray[np.str_]:
    return _cached_kinds(tuple(names))


@lru_cache(maxsize=512)  # a profile's names are asked for with every window
def _cached_kinds(names: tuple[str, ...]) -> npt.NDArray[np.str_]:
    return np.array([_kind(name) for name in names])


def _kind(name: str) -> str:
    if name.startswith("lines/"):
        return "lines"
    prefix = name.partition(":")[0]
    if prefix == "rate" and not any(part in name for part in CONTINUOUS):
        return "events"
    return "quantile" if prefix in QUANTILES else prefix if prefix in TOLERANCE else "count"


def _bases(table: RowTable, names: Sequence[str]) -> Values:
    """Return what a feature is compared with, [n, d]: lines in a count's window, the level of a gauge that changed."""
    return np.nan_to_num(table.matrix([_base(name) for name in names]))


@lru_cache(maxsize=16_384)
def _base(name: str) -> str:
    kind, _, rest = name.partition(":")
    return f"gauge:{rest}" if kind == "change" else f"lines/{name.rpartition('/')[2]}"


def _quantiles(values: Values) -> tuple[Values, Values, Values]:
    low, median, high = np.full((3, values.shape[1]), np.nan)
    told = np.isfinite(values).any(axis=0)
    low[told], median[told], high[told] = np.nanquantile(values[:, told], (0.025, 0.5, 0.975), axis=0)
    return low, median, high


def score(deviations: Values) -> Values:
    """Return the score of each window [n]: its greatest deviation, so that one feature explains it."""
    return np.asarray(np.abs(deviations).max(axis=1, initial=0.0))


@dataclass(frozen=True)
class Judgement:
    """What the model says of one window of a service."""

    score: float
    p_value: float
    abnormal: bool


class StructuredModel:
    """Profiles and thresholds of the services that normal time showed; others cannot be judged."""

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        thresholds: Mapping[str, ConformalThreshold],
        floors: Mapping[str, float],
        templates: Mapping[str, str],
    ) -> None:
        self.profiles = profiles
        self.thresholds = thresholds
        self.floors = floors  # a window that scores less is not abnormal, see structured_training.tail_floor
        self.templates = templates  # id -> text, of those that are features
        self.version = ""
        self.folder = ""  # name of its folder, by which the stream's second stage finds it

    def judge(self, service: str, deviations: Values) -> Judgement:
        """Judge a window by its deviations; raises KeyError for a service without a profile."""
        scores = score(deviations[np.newaxis]).astype(np.float32)
        name = service if service in self.thresholds else POOLED
        threshold = self.thresholds[name]
        abnormal = bool(threshold.is_anomaly(scores)[0]) and float(scores[0]) >= self.floors[name]
        return Judgement(float(scores[0]), float(threshold.p_values(scores)[0]), abnormal)

    def feature_text(self, name: str) -> str:
        """Return a feature's name as a person reads it: a template's text in place of its id."""
        rest = name.partition(":")[2]
        template, _, width = rest.partition("/")
        return f'lines "{self.templates[template]}" in {width}' if template in self.templates else name

    def save(self, folder: Path) -> None:
        """Write `structured.json` into the folder."""
        state = {
            "features": FEATURES_VERSION,
            "profiles": {service: profile.to_json() for service, profile in self.profiles.items()},
            "thresholds": {service: threshold.to_json() for service, threshold in self.thresholds.items()},
            "floors": dict(self.floors),
            "templates": dict(self.templates),
        }
        (folder / FILE).write_text(json.dumps(state, sort_keys=True))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read what `save` wrote, None when the model has no structured part; ArtifactError for other features."""
        state = read_part(folder / FILE)
        if state is None:
            return None
        model = cls(
            {service: Profile.from_json(values) for service, values in state["profiles"].items()},
            {service: ConformalThreshold.from_json(values) for service, values in state["thresholds"].items()},
            state["floors"],
            state["templates"],
        )
        model.version, model.folder = json.loads((folder / MANIFEST).read_text())["version"], folder.name
        return model
