"""The report's sentences: what was reached, what was not, and why, written from the figures."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Final

from evaluation.arms.arm import Family
from evaluation.combining import parts_of
from evaluation.comparison import ArmResult, SetResult
from evaluation.datasets.labelled import UnitKind
from evaluation.diagnosis import Diagnosis
from evaluation.metrics import Interval
from evaluation.thresholds import shuffled_rate

CHOSEN: Final = "combined_max"
NOBODY: Final = ("constant", "random")
TARGET_F1: Final = 0.95  # the project's own aim, for TARGET_SETS
TARGET_SETS: Final = ("HDFS", "BGL")
CLEARLY: Final = 0.05  # a difference of F1 worth a sentence


def best(arms: Sequence[ArmResult], value: str) -> ArmResult:
    """Return the arm with the highest metric of a name; the first of equals."""
    return max(arms, key=lambda arm: getattr(arm.metrics, value))


def of_family(result: SetResult, *families: Family) -> list[ArmResult]:
    """Return the arms of families, without luck and constant."""
    return [arm for arm in result.arms if arm.family in families and arm.name not in NOBODY]


def parts(result: SetResult) -> list[ArmResult]:
    """Return the arms that the combination joins: what streams."""
    return [result.arm(name) for name in parts_of(result.labelled.kind)]


def findings(result: SetResult, diagnosis: Diagnosis, seed: int) -> list[str]:
    """Return the sentences of one set."""
    chosen = result.arm(CHOSEN)
    if isnan(chosen.metrics.f1):
        return [_without_labels(result, chosen), _calibration(result, chosen, seed)]
    return [
        _headline(result, chosen),
        _against_parts(result, chosen),
        _against_baselines(result, chosen),
        *_why(result, chosen, diagnosis),
        _against_singles(result, chosen),
        _against_classic(result),
        _bound(result),
        _calibration(result, chosen, seed),
    ]


def _without_labels(result: SetResult, chosen: ArmResult) -> str:
    m = chosen.metrics
    return (
        f"No labels: every alarm counts as false. {CHOSEN} raises {m.false_alarms} alarms in"
        f" {len(result.labels)} {result.labelled.kind}s of unseen time; recall cannot be told."
    )


def _headline(result: SetResult, chosen: ArmResult) -> str:
    m = chosen.metrics
    low, high = m.f1_interval
    return (
        f"{CHOSEN} finds {m.true_alarms} of {m.true_alarms + m.missed} abnormal {result.labelled.kind}s with"
        f" {m.false_alarms} false alarms: F1 {m.f1:.3f} (95 % interval {low:.3f} to {high:.3f}). The best threshold"
        f" there is, which only the test labels can tell, gives {m.best_f1:.3f}.{_target(result, chosen)}"
    )


def _target(result: SetResult, chosen: ArmResult) -> str:
    if result.labelled.name not in TARGET_SETS:
        return ""
    if chosen.metrics.f1 >= TARGET_F1:
        return f" The aim of {TARGET_F1} is reached."
    reachable = (
        "can be reached by another threshold" if chosen.metrics.best_f1 >= TARGET_F1 else "is out of reach at any"
    )
    return f" The aim of {TARGET_F1} is missed, and {reachable}."


def _against_baselines(result: SetResult, chosen: ArmResult) -> str:
    baselines = of_family(result, Family.BASELINE)
    by_f1, by_ap = best(baselines, "f1"), best(baselines, "average_precision")
    mine = chosen.metrics
    better = [
        f"{name} {value:.3f} by {arm.name} ({arm.metrics.false_per_10000:.0f} false alarms per 10,000 normal"
        f" {result.labelled.kind}s) against {own:.3f}, {_place(value, interval)}"
        for name, arm, value, own, interval in (
            ("F1", by_f1, by_f1.metrics.f1, mine.f1, mine.f1_interval),
            (
                "average precision",
                by_ap,
                by_ap.metrics.average_precision,
                mine.average_precision,
                mine.average_precision_interval,
            ),
        )
        if value > own
    ]
    if better:
        return f"A trivial baseline is better: {'; '.join(better)}."
    return (
        f"Better than every trivial baseline: the best F1 of those is {by_f1.metrics.f1:.3f} ({by_f1.name}), the best"
        f" average precision {by_ap.metrics.average_precision:.3f} ({by_ap.name})."
    )


def _why(result: SetResult, chosen: ArmResult, d: Diagnosis) -> list[str]:
    return [*_why_false(d), *_why_missed(result, d), *_why_undecided(chosen, d)]


def _why_false(d: Diagnosis) -> list[str]:
    if not d.false_alarms:
        return []
    text = (
        f"Of {d.false_alarms} false alarms {d.false_with_new_templates} hold templates that normal training time never"
        " had: normal time went on to say new things."
    )
    if d.false_like_abnormal:
        text += (
            f" {d.false_like_abnormal} hold the very same new templates as abnormal units: without labels nothing tells"
            " these apart by what they say."
        )
    return [text]


def _why_missed(result: SetResult, d: Diagnosis) -> list[str]:
    if not d.missed:
        return []
    what = (
        "a known template"
        if result.labelled.kind is UnitKind.LINE
        else "counts of templates that normal units had, too"
    )
    text = (
        f"Of {d.missed} misses {d.missed_without_new_templates} hold no new template; {d.missed_with_seen_counts} have"
        f" {what}, and cannot be found by counting or reading these lines."
    )
    return [text if d.missed == d.missed_with_seen_counts else f"{text} The others score above 0, but too low."]


def _why_undecided(chosen: ArmResult, d: Diagnosis) -> list[str]:
    if d.missed and chosen.metrics.best_f1 > chosen.metrics.f1 + CLEARLY:
        return [
            "The order of the scores is better than the decision: late normal training time held units as odd as those"
            " missed, and the budget allows no more false alarms. A higher --budget finds more: see the picture."
        ]
    if d.false_alarms and chosen.metrics.best_f1 > chosen.metrics.f1 + CLEARLY:
        return [
            "The order of the scores is better than the decision: normal training time held few new lines to tell by."
        ]
    return []


def _against_parts(result: SetResult, chosen: ArmResult) -> str:
    """Say whether joining cost anything, by both figures."""
    joined = parts(result)
    if len(joined) == 1:
        return f"A {result.labelled.kind} has no counts of its own: {CHOSEN} is {joined[0].name} alone, and as good."
    judged = [
        _beside(chosen, joined, value, name)
        for value, name in (("f1", "F1"), ("average_precision", "average precision"))
    ]
    return f"Against the two detectors it joins, {CHOSEN} is {' and '.join(judged)}."


def _beside(chosen: ArmResult, joined: Sequence[ArmResult], value: str, name: str) -> str:
    """Return the judgement by one figure, with the figures of all."""
    figures = ", ".join(f"{getattr(arm.metrics, value):.3f} by {arm.name}" for arm in joined)
    mine, other = getattr(chosen.metrics, value), getattr(best(joined, value).metrics, value)
    if mine == other == 0:
        return f"as good as both by {name} (none of the three finds any)"
    verdict = (
        "at least as good as the better one"
        if mine >= other
        else f"not as good as the better one, which is {_place(other, getattr(chosen.metrics, f'{value}_interval'))},"
    )
    return f"{verdict} by {name} ({mine:.3f}; {figures})"


def _against_singles(result: SetResult, chosen: ArmResult) -> str:
    singles = of_family(result, Family.SEMANTIC, Family.STRUCTURED)
    mine = chosen.metrics
    f1, ap = best(singles, "f1"), best(singles, "average_precision")
    worse = []
    if f1.metrics.f1 > mine.f1:
        worse.append(f"F1 {f1.metrics.f1:.3f} by {f1.name}, {_place(f1.metrics.f1, mine.f1_interval)}")
    if ap.metrics.average_precision > mine.average_precision:
        place = _place(ap.metrics.average_precision, mine.average_precision_interval)
        worse.append(f"average precision {ap.metrics.average_precision:.3f} by {ap.name}, {place}")
    if worse:
        return f"A single detector of ours is better here than the combination: {'; '.join(worse)}."
    return (
        f"No single detector of ours is better: best F1 {f1.metrics.f1:.3f} ({f1.name}), best average precision"
        f" {ap.metrics.average_precision:.3f} ({ap.name})."
    )


def _place(value: float, interval: Interval) -> str:
    return "within the combination's interval" if interval[0] <= value <= interval[1] else "outside its interval"


def _against_classic(result: SetResult) -> str:
    names = {arm.name for arm in result.arms}
    if "autoencoder_97.5" not in names:
        return "The classic autoencoder was left out of this run."
    classic = result.arm("autoencoder_97.5").metrics
    return (
        f"The classic, an autoencoder 384-64-384 with its 97.5th percentile: F1 {classic.f1:.3f},"
        f" {classic.false_per_10000:.0f} false alarms per 10,000 normal units."
    )


def _bound(result: SetResult) -> str:
    bounds = of_family(result, Family.BOUND)
    if not bounds:
        return "No supervised bound: training time holds one kind of label only."
    m = bounds[0].metrics
    return (
        f"With the labels of training time, logistic regression reaches F1 {m.f1:.3f}; at its best threshold"
        f" {m.best_f1:.3f}."
    )


def _calibration(result: SetResult, chosen: ArmResult, seed: int) -> str:
    m = chosen.metrics
    low, high = (10_000 * value for value in m.false_rate_interval)
    asked = 10_000 * chosen.nominal
    share = shuffled_rate(chosen.held_out, result.budget, seed)
    text = (
        f"False alarms on unseen normal units: {m.false_per_10000:.0f} per 10,000 (95 % interval {low:.0f} to"
        f" {high:.0f}), asked for {result.budget:.0f}"
        + (f", {asked:.0f} with so few held-out units" if asked > 1.01 * result.budget else "")
    )
    if low <= asked <= high:
        return f"{text}: within the interval."
    if high < asked:
        return f"{text}: fewer than allowed, which ties between scores cause."
    return (
        f"{text}: more than allowed. On shuffled held-out time, where nothing drifts, the same rule gives"
        f" {10_000 * share:.0f}: what is too many here is change between training and test time."
    )
