"""Profiles of normal time: which features move when something changes, and which do not."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from faultline.artifact import write_manifest
from faultline.errors import ArtifactError, TrainingDataError
from spark.models.features import Fact
from spark.models.structured import MAX_DEVIATION, MAX_FEATURES, Profile, StructuredModel, score
from spark.models.structured_training import normal_time, train
from spark.models.windows import RowTable

START = 1_700_000_000
Rows = list[dict[str, float]]


def row(lines: float = 60.0, errors: float = 0.0, **more: float) -> dict[str, float]:
    """Return a window of 15 s; more as keywords with `__` for `:`."""
    named = {name.replace("__", ":"): value for name, value in more.items()}
    return {"lines/5s": lines / 3, "lines/15s": lines, "level:ERROR/15s": errors, "level:ERROR/5s": errors / 3, **named}


def normal_rows(count: int = 200) -> Rows:
    rng = np.random.default_rng(0)
    return [
        row(lines=float(rng.poisson(60)), errors=float(rng.poisson(1)), p50__ms=float(rng.choice([8.0, 11.3])))
        for _ in range(count)
    ]


def profile_of(rows: Rows) -> Profile:
    return Profile.fit(RowTable(rows), np.arange(len(rows)))


def deviation(profile: Profile, window: dict[str, float], name: str) -> float:
    return float(profile.deviations(RowTable([window]))[0][profile.names.index(name)])


PROFILE = profile_of(normal_rows())


def mixed_rows(count: int = 200) -> Rows:
    """Windows in which half the lines show a page and a sixth places an order."""
    rng = np.random.default_rng(1)
    counts = rng.poisson([30, 10], (count, 2)).astype(float).tolist()
    return [row(lines=60.0, template__page_15s=page, template__order_15s=order) for page, order in counts]


def of_kinds(page: float, order: float, lines: float = 60.0) -> dict[str, float]:
    named = row(lines=lines, template__page_15s=page, template__order_15s=order)
    return {name.replace("_15s", "/15s"): value for name, value in named.items()}


def mixed_profile(*routine: str) -> Profile:
    rows = [{name.replace("_15s", "/15s"): value for name, value in found.items()} for found in mixed_rows()]
    return Profile.fit(RowTable(rows), np.arange(len(rows)), routine)


def test_more_of_one_kind_of_line_makes_the_others_not_too_few() -> None:
    window = of_kinds(page=90.0, order=10.0, lines=120.0)
    assert abs(deviation(mixed_profile(), window, "template:order/15s")) < 2
    assert deviation(mixed_profile(), window, "template:page/15s") > 3


def test_more_lines_that_read_like_routine_are_no_deviation() -> None:
    profile = mixed_profile("page")
    assert deviation(profile, of_kinds(page=90.0, order=10.0, lines=120.0), "template:page/15s") == 0
    assert deviation(profile, of_kinds(page=30.0, order=60.0, lines=110.0), "template:order/15s") > 6


def test_routine_lines_that_stay_away_deviate() -> None:
    assert deviation(mixed_profile("page"), of_kinds(page=0.0, order=10.0, lines=40.0), "template:page/15s") < -6


def test_when_lines_fall_away_the_others_are_not_too_many() -> None:
    window = of_kinds(page=0.0, order=10.0, lines=30.0)
    assert abs(deviation(mixed_profile(), window, "template:order/15s")) < 2


def test_normal_windows_do_not_deviate() -> None:
    scores = score(PROFILE.deviations(RowTable(normal_rows(50))))
    assert np.median(scores) < 3


def test_errors_deviate_upwards() -> None:
    assert deviation(PROFILE, row(errors=40.0), "level:ERROR/15s") > 6


def test_more_traffic_with_its_share_of_errors_is_no_deviation_of_errors() -> None:
    assert abs(deviation(PROFILE, row(lines=240.0, errors=4.0), "level:ERROR/15s")) < 2


def test_silence_deviates_downwards() -> None:
    assert deviation(PROFILE, row(lines=0.0), "lines/15s") < -6


def test_a_slower_answer_deviates_a_missing_quantile_does_not() -> None:
    assert deviation(PROFILE, row(p50__ms=256.0), "p50:ms") > 6
    assert deviation(PROFILE, row(), "p50:ms") == 0.0


def test_a_leak_deviates_a_gauge_that_wanders_does_not() -> None:
    profile = profile_of([row(gauge__rss=6e7, change__rss=1e5, gauge__carts=9.0, change__carts=1.0) for _ in range(60)])
    assert deviation(profile, row(gauge__rss=6e7, change__rss=1.5e7), "change:rss") > 6
    assert abs(deviation(profile, row(gauge__carts=80.0, change__carts=8.0), "change:carts")) < 2


def test_one_error_after_a_minute_without_is_no_anomaly() -> None:
    calm = profile_of([row() for _ in range(60)])
    assert abs(deviation(calm, row(errors=1.0), "level:ERROR/15s")) < 2


def test_values_that_are_no_numbers_deviate_by_nothing_or_the_bound() -> None:
    strange = row(lines=float("inf"), errors=float("nan"), p50__ms=float("nan"))
    found = PROFILE.deviations(RowTable([strange]))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= MAX_DEVIATION


def test_usual_says_what_a_person_would_expect() -> None:
    usual = dict(zip(PROFILE.names, PROFILE.usual(RowTable([row(lines=120.0)]))[0], strict=True))
    assert usual["lines/15s"] == pytest.approx(60, rel=0.1)
    assert usual["level:ERROR/15s"] == pytest.approx(2, abs=1)
    assert usual["p50:ms"] == pytest.approx(9.5, rel=0.3)


def test_features_are_bounded_the_most_frequent_ones_stay() -> None:
    rows = [row(**{f"template__{n:03}/15s": 1.0 for n in range(300)}) for _ in range(3)]
    rows += [row(**{"template__299/15s": 1.0})]
    names = profile_of(rows).names
    assert len(names) == MAX_FEATURES
    assert "template:299/15s" in names


def test_no_rows_cannot_be_learned_from() -> None:
    with pytest.raises(TrainingDataError, match="no complete window to learn from"):
        Profile.fit(RowTable(), np.arange(0))


def facts(seconds: int, service: str = "orders", seed: int = 1) -> list[Fact]:
    rng, found = random.Random(seed), []
    for second in range(START, START + seconds):
        lines = rng.randint(3, 6)
        found.append(Fact(service, second, "lines:app_container_log", float(lines), float(lines), lines))
        found.append(Fact(service, second, "template:ab", float(lines - 1), float(lines), lines))
        if rng.random() < 0.05:
            found.append(Fact(service, second, "level:ERROR", 1.0, 1.0, 1))
    return found


def test_training_gives_a_profile_and_a_threshold_to_each_service() -> None:
    model = train([*facts(300), *facts(300, "payments", 2)], {"ab": "INFO paid <NUM>", "cd": "never"}, 1.0)
    assert sorted(model.profiles) == ["orders", "payments"]
    assert sorted(model.thresholds) == ["*", "orders", "payments"]
    assert model.templates == {"ab": "INFO paid <NUM>"}
    assert model.feature_text("template:ab/15s") == 'lines "INFO paid <NUM>" in 15s'
    assert model.feature_text("level:ERROR/5s") == "level:ERROR/5s"


def test_training_calls_hardly_a_second_of_later_normal_time_abnormal() -> None:
    model = train(facts(1800), {}, 1.0)
    later = normal_time(facts(1800, seed=9))["orders"].rows
    deviations = model.profiles["orders"].deviations(later)
    flagged = sum(model.judge("orders", found).abnormal for found in deviations)
    assert flagged <= 0.005 * len(later)


def test_training_order_does_not_matter() -> None:
    shuffled = facts(200)
    random.Random(3).shuffle(shuffled)
    one, other = (train(given, {}, 1.0).profiles["orders"].to_json() for given in (facts(200), shuffled))
    assert one == other


@pytest.mark.parametrize("given", [[], facts(20)])
def test_too_short_a_time_is_refused(given: list[Fact]) -> None:
    with pytest.raises(TrainingDataError, match=r"none has 10 of 15 s; watch normal time for longer"):
        train(given, {}, 1.0)


def test_a_saved_model_judges_alike(tmp_path: Path) -> None:
    model = train(facts(300), {"ab": "INFO paid"}, 1.0)
    model.save(tmp_path)
    version = write_manifest(tmp_path)
    loaded = StructuredModel.load(tmp_path)
    assert loaded is not None
    table = RowTable([row(errors=9.0)])
    before, after = (m.profiles["orders"].deviations(table)[0] for m in (model, loaded))
    np.testing.assert_array_equal(before, after)
    assert loaded.judge("orders", after) == model.judge("orders", before)
    assert (loaded.version, loaded.templates) == (version, model.templates)


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    train(facts(300), {}, 1.0).save(tmp_path)
    state = json.loads((tmp_path / "structured.json").read_text())
    (tmp_path / "structured.json").write_text(json.dumps(state | {"features": 1}))
    with pytest.raises(ArtifactError, match=r"made for features 1, this code computes 3; train again"):
        StructuredModel.load(tmp_path)


def test_a_model_without_structured_part_has_none(tmp_path: Path) -> None:
    assert StructuredModel.load(tmp_path) is None


def test_a_service_that_always_does_the_same_is_not_abnormal_for_one_line_more() -> None:
    constant = [Fact("orders", START + n, "lines:app_container_log", 4.0, 1.0, 4) for n in range(300)]
    model = train(constant, {}, 1.0)
    profile = model.profiles["orders"]
    same, more, silent = profile.deviations(RowTable([row(lines=60.0), row(lines=61.0), row(lines=0.0)]))
    assert not model.judge("orders", same).abnormal
    assert not model.judge("orders", more).abnormal
    assert model.judge("orders", silent).abnormal
