"""Requests of a service within a minute."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from evaluation.arms import arms_for
from evaluation.corpus import Corpus, Space, Units
from evaluation.datasets.labelled import UnitKind
from evaluation.datasets.lines import RawLine, line_event
from evaluation.datasets.service_windows import window_set
from faultline.records import Severity


def test_a_request_that_ends_early_stands_out(make_line, tmp_path):
    start = make_line(0, "x").timestamp
    events = []
    for request in range(240):  # four a minute and service
        moment = start + timedelta(seconds=15 * (request // 2))
        steps = ["asked", "answered"] if request not in (200, 202) else ["asked"]
        for step in steps:
            line = RawLine(moment, Severity.INFO, step)
            events.append(line_event("t", len(events), line, moment, service=f"s{request % 2}", trace_id=f"r{request}"))
    events = [
        *events,
        *[
            line_event(
                "t",
                9000 + m,
                RawLine(start, Severity.INFO, "tick"),
                start + timedelta(minutes=m, seconds=59),
                service="clock",
            )
            for m in range(30)
        ],
    ]
    labelled = window_set("t", events, [], lambda moment: "train" if moment < start + timedelta(minutes=20) else "test")
    corpus = Corpus(labelled, tmp_path)
    space = Space(corpus, labelled.of_split("train"))
    for name in ("window_requests", "window_paths"):
        arm = next(arm for arm in arms_for(UnitKind.WINDOW) if arm.name == name)
        scores = arm.make().fit(Units(space, labelled.of_split("train"))).score(Units(space, labelled.of_split("test")))
        odd = [labelled.units[labelled.of_split("test")[row]].key for row in np.flatnonzero(scores > 0)]
        assert odd == ["s0@01-01T00:25"], name
