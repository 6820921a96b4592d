"""Pictures of one set; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Any, Final

import numpy as np

from evaluation.arms.arm import Family
from evaluation.comparison import ArmResult, SetResult
from evaluation.findings import CHOSEN, NOBODY, best, of_family, parts
from evaluation.thresholds import fit_threshold
from faultline.reporting import figure

COLOURS: Final = {
    Family.SEMANTIC: "#2f6db3",
    Family.STRUCTURED: "#2a8c6e",
    Family.COMBINED: "#b3261e",
    Family.BASELINE: "#8a8f98",
    Family.BOUND: "#c98a1b",
}
BUDGETS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def plot_set(folder: Path, result: SetResult) -> dict[str, str]:
    """Write the pictures of a set; return file name by what it shows."""
    name = result.labelled.slug
    files = {"calibration": f"{name}-calibration.png"}
    shown = leading_arms(result)
    _plot_calibration(folder / files["calibration"], result, shown)
    if 0 < result.labels.sum() < len(result.labels):
        files |= {key: f"{name}-{key}.png" for key in ("f1", "curves", "scores", "budget")}
        _plot_f1(folder / files["f1"], result)
        _plot_curves(folder / files["curves"], result, shown)
        _plot_scores(folder / files["scores"], result)
        _plot_budget(folder / files["budget"], result, shown)
    return files


def leading_arms(result: SetResult) -> list[ArmResult]:
    """Return the combination, what it joins, and the best baseline and bound (the first ones without labels)."""
    others = [of_family(result, family) for family in (Family.BASELINE, Family.BOUND)]
    joined = parts(result) if len(parts(result)) > 1 else []  # else the combination is the only one, twice
    return [result.arm(CHOSEN), *joined, *(best(arms, "average_precision") for arms in others if arms)]


def decides_by_budget(arm: ArmResult) -> bool:
    """False for rules of their own and for supervised arms: no budget changes what they say."""
    return not isnan(arm.nominal)


def _plot_f1(path: Path, result: SetResult) -> None:
    arms = [arm for arm in result.arms if arm.name not in NOBODY][::-1]
    with figure(path, 9.0, 0.9 + 0.27 * len(arms)) as axes:
        for row, arm in enumerate(arms):
            m, colour = arm.metrics, COLOURS[arm.family]
            axes.barh(row, m.f1, color=colour, height=0.7)
            axes.plot(m.f1_interval, [row, row], color="black", linewidth=1)
            axes.plot(m.best_f1, row, marker="D", color="white", markeredgecolor=colour, markersize=5)
        axes.set_yticks(range(len(arms)), [f"{arm.name} (streams)" if arm.streams else arm.name for arm in arms])
        axes.set_xlim(0, 1)
        axes.set_xlabel("F1 at the arm's own decision; line: 95 % interval; diamond: best threshold (oracle)")
        _families(axes, arms)


def _families(axes: Any, arms: Sequence[ArmResult]) -> None:
    from matplotlib.patches import Patch

    families = dict.fromkeys(arm.family for arm in arms[::-1])
    axes.legend(
        handles=[Patch(color=COLOURS[f], label=f.value) for f in families],
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
    )


def _plot_curves(path: Path, result: SetResult, arms: Sequence[ArmResult]) -> None:
    from sklearn.metrics import precision_recall_curve

    with figure(path) as axes:
        for arm in arms:
            precision, recall, _ = precision_recall_curve(result.labels, arm.scores)
            label = f"{arm.name} (AP {arm.metrics.average_precision:.2f})"
            axes.step(recall, precision, where="post", color=COLOURS[arm.family], label=label)
            axes.plot(arm.metrics.recall, arm.metrics.precision, "o", color=COLOURS[arm.family])
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        axes.axhline(result.labels.mean(), color="black", linewidth=0.7, linestyle=":", label="luck")
        axes.legend(frameon=False, fontsize=8, title="dot: the decision taken", title_fontsize=8)


def _plot_scores(path: Path, result: SetResult) -> None:
    """Draw the surprise of the combination for both labels, on one scale, as shares of each."""
    arm = result.arm(CHOSEN)
    edges = np.linspace(0, max(float(arm.scores.max()), 0.1), 41)
    with figure(path, height=3.6) as axes:
        for label, name, colour in ((0, "normal", "#8a8f98"), (1, "abnormal", COLOURS[Family.COMBINED])):
            values = arm.scores[result.labels == label]
            weights = np.full(len(values), 1 / len(values))
            axes.hist(values, edges, weights=weights, label=f"{name} ({len(values)})", color=colour, alpha=0.6)
        axes.axvline(_border(arm), color="black", linewidth=1, label="lowest score called abnormal")
        axes.set_yscale("log")
        axes.set(xlabel=f"score of {CHOSEN}: surprise, -log10 p", ylabel="share of the units")
        axes.legend(frameon=False, fontsize=8)


def _border(arm: ArmResult) -> float:
    return float(arm.scores[arm.flags].min()) if arm.flags.any() else float("nan")


def _plot_budget(path: Path, result: SetResult, arms: Sequence[ArmResult]) -> None:
    """Draw F1 for any budget: what a person who allows more or fewer false alarms would get."""
    from sklearn.metrics import f1_score

    with figure(path) as axes:
        for arm in arms:
            if decides_by_budget(arm):
                flags = [fit_threshold(arm.held_out, budget).is_anomaly(arm.scores) for budget in BUDGETS]
                values = [f1_score(result.labels, flag, zero_division=0.0) for flag in flags]
                axes.plot(BUDGETS, values, marker="o", color=COLOURS[arm.family], label=arm.name)
        axes.axvline(result.budget, color="black", linewidth=0.8, linestyle=":", label="budget of this run")
        axes.set(xscale="log", ylim=(0, 1.02), ylabel="F1")
        axes.set_xlabel("budget: false alarms allowed per 10,000 normal units")
        axes.legend(frameon=False, fontsize=8)


def _plot_calibration(path: Path, result: SetResult, arms: Sequence[ArmResult]) -> None:
    normal = result.labels == 0
    with figure(path) as axes:
        for arm in arms:
            if decides_by_budget(arm):
                thresholds = [fit_threshold(arm.held_out, budget) for budget in BUDGETS]
                asked = [10_000 * threshold.level for threshold in thresholds]
                got = [10_000 * threshold.is_anomaly(arm.scores[normal]).mean() for threshold in thresholds]
                axes.plot(asked, np.maximum(got, 0.8), marker="o", color=COLOURS[arm.family], label=arm.name)
        axes.plot(BUDGETS, BUDGETS, color="black", linewidth=0.8, linestyle=":", label="as asked for")
        axes.set(xscale="log", yscale="log", ylabel="false alarms per 10,000 unseen normal units\n(0 is drawn at 0.8)")
        axes.set_xlabel("asked for, or the least that held-out time can promise")
        axes.legend(frameon=False, fontsize=8)
