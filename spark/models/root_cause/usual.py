"""What requests are usually like, and the symptoms of a service that follow from what some of them show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from spark.models.root_cause.calls import Part, wait_profile
from spark.models.root_cause.flow import Counts, FlowProfile
from spark.models.root_cause.numbers import NumberProfile
from spark.models.root_cause.requests import SeenRequests
from spark.models.root_cause.symptoms import Symptom, flow_symptom, number_symptom


@dataclass(frozen=True)
class Usual:
    """Steps of requests, and how long callers wait around a call, in normal time."""

    flow: FlowProfile
    waits: NumberProfile

    @classmethod
    def fit(cls, windows: Sequence[Counts], parts: Iterable[Part]) -> Self:
        """Learn from windows of steps and from parts of requests; raises TrainingDataError when there is no step."""
        return cls(FlowProfile.fit(windows), wait_profile(parts))

    def symptoms(self, seen: SeenRequests, names: Mapping[str, str]) -> list[Symptom]:
        """Return what requests show of the services; `names` gives texts of template ids.

        When it began is not told: requests are looked at for the incident as a whole. A wait that has become shorter
        is no symptom, callers give up earlier.
        """
        steps = [flow_symptom(found, names) for found in self.flow.deviations(seen.steps).values()]
        known = self.waits.ranges
        slow = {
            series: [v for v in values if series in known and v > known[series][1]]
            for series, values in seen.waits.items()
        }
        return [*steps, *(number_symptom(found) for found in self.waits.deviations(slow))]
