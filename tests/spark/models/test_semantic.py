"""Verdicts: known, unknown, flooded; what is cached; and that a stored model judges alike."""

from __future__ import annotations

import json
import string
from itertools import product
from pathlib import Path

import pytest

from faultline.artifact import write_manifest
from faultline.errors import ArtifactError
from spark.models.calibration import POOLED
from spark.models.semantic import EMBEDDINGS_PER_BATCH, SemanticModel, decide
from spark.models.severity import SEVERE_WEIGHT

KNOWN = "INFO order <NUM> placed for customer <NUM>: <NUM> items"
UNKNOWN = "ERROR payments failed: connection refused"
FLOOD = ["".join(letters) + " zzz" for letters in product(string.ascii_lowercase, repeat=2)]


def test_a_known_line_scores_zero(model: SemanticModel) -> None:
    (verdict,) = model.judge([KNOWN])
    assert (verdict.known, verdict.score, verdict.distance, verdict.template) == (True, 0.0, 0.0, KNOWN)
    assert verdict.nearest == KNOWN


def test_an_unknown_line_names_its_nearest_and_its_distance(model: SemanticModel) -> None:
    (verdict,) = model.judge(["WARN charged <NUM> USD for order <NUM>"])
    assert (verdict.known, verdict.nearest) == (False, "INFO charged <NUM> EUR for order <NUM>")
    assert 0.0 < verdict.distance < verdict.score < 0.5


def test_an_unknown_line_that_reads_like_routine_is_no_evidence(model: SemanticModel) -> None:
    routine, trouble = model.judge(["INFO charged <NUM> USD for order <NUM>", "INFO order <NUM> lost, not charged"])
    assert routine.routine and routine.score == 0.0 < routine.distance
    assert not trouble.routine and trouble.score > 0.0


def test_a_known_line_is_not_called_routine(model: SemanticModel) -> None:
    (verdict,) = model.judge([KNOWN])
    assert verdict.score == 0.0 and not verdict.routine


def test_what_reads_otherwise_scores_higher(model: SemanticModel) -> None:
    near, far = model.judge(["INFO charged <NUM> USD for order <NUM>", UNKNOWN])
    assert near.score < far.score


def test_a_new_error_weighs_twice_as_much_at_the_same_distance(model: SemanticModel) -> None:
    (verdict,) = model.judge(["ERROR charged <NUM> EUR for order <NUM>"])
    nearest = model.arms["minilm"].detector.rarity_of(model.references.index(verdict.nearest))
    assert verdict.score == pytest.approx(SEVERE_WEIGHT * nearest * verdict.distance)


def test_with_words_as_the_first_arm_nothing_is_embedded(model_folder: Path) -> None:
    model = SemanticModel.load(model_folder)
    model.primary = "lexical"
    verdicts = model.judge([KNOWN, *FLOOD])
    assert {verdict.arm for verdict in verdicts} == {"lexical"}
    assert model.judge(FLOOD) == verdicts[1:]


def test_verdicts_come_in_the_order_of_the_lines(model: SemanticModel) -> None:
    texts = [UNKNOWN, KNOWN, UNKNOWN, "", KNOWN]
    verdicts = model.judge(texts)
    assert [verdict.template for verdict in verdicts] == texts
    assert verdicts[0] is verdicts[2]
    assert model.judge([]) == []


def test_lines_of_one_template_share_a_verdict(model: SemanticModel) -> None:
    first, second = model.judge(["ERROR disk a1b2c full", "ERROR disk x9y8z full"])
    assert first.template == "ERROR disk <*> full"
    assert first is second


def test_a_flood_is_judged_by_words_beyond_the_limit(model: SemanticModel) -> None:
    verdicts = model.judge(FLOOD)
    assert [verdict.arm for verdict in verdicts] == ["minilm"] * EMBEDDINGS_PER_BATCH + ["lexical"] * (
        len(FLOOD) - EMBEDDINGS_PER_BATCH
    )
    assert all(verdict.distance > 0 for verdict in verdicts)
    assert all(verdict.score > 0 for verdict in verdicts if verdict.arm == "lexical"), "words alone have no tone"


def test_a_flood_is_judged_alike_every_time(model_folder: Path) -> None:
    first, second = (SemanticModel.load(model_folder).judge(FLOOD) for _ in range(2))
    assert first == second


def test_equal_lines_of_a_flood_have_equal_verdicts(model: SemanticModel) -> None:
    verdicts = model.judge([*FLOOD, *reversed(FLOOD)])
    assert verdicts[: len(FLOOD)] == verdicts[: len(FLOOD) - 1 : -1]


def test_a_flood_does_not_crowd_out_known_lines(model: SemanticModel) -> None:
    assert model.judge([*FLOOD, KNOWN])[-1].known


def test_a_flooded_line_is_embedded_when_there_is_time(model: SemanticModel) -> None:
    assert model.judge(FLOOD)[-1].arm == "lexical"
    assert model.judge(FLOOD[-1:])[0].arm == "minilm"


@pytest.mark.parametrize("cache_chars", [1500, 5000])
def test_caches_are_bounded_and_change_no_verdict(model: SemanticModel, cache_chars: int) -> None:
    small = SemanticModel(model.tree, model.arms, model.encoder, cache_chars=cache_chars)
    texts = [KNOWN, UNKNOWN, *FLOOD[:20], KNOWN + " " + "x" * 900]
    expected = [(verdict.template_id, verdict.arm) for verdict in model.judge(texts)]
    for _ in range(3):  # what is cached, what was dropped for it, and what is new meet in one batch
        assert [(verdict.template_id, verdict.arm) for verdict in small.judge(texts)] == expected
        texts, expected = texts[::-1], expected[::-1]
    assert small._lines.currsize <= cache_chars
    assert small._unknown.currsize <= cache_chars


def test_a_cached_line_counts_with_its_own_length(model: SemanticModel) -> None:
    long = "INFO " + "x" * 900
    model.judge([long])
    assert model._lines.currsize > len(long)


def test_a_stored_model_judges_alike(model_folder: Path, tmp_path: Path) -> None:
    model = SemanticModel.load(model_folder)
    (tmp_path / "encoder").symlink_to(model.encoder.parent)
    version = model.save(tmp_path / "again")
    again = SemanticModel.load(tmp_path / "again")
    texts = [KNOWN, UNKNOWN, *FLOOD]
    assert again.judge(texts) == model.judge(texts)
    assert again.version == version == model_folder.name


def test_warming_changes_no_verdict(model_folder: Path) -> None:
    warm, cold = SemanticModel.load(model_folder), SemanticModel.load(model_folder)
    warm.warm()
    assert warm.judge([KNOWN, UNKNOWN]) == cold.judge([KNOWN, UNKNOWN])


def test_a_source_type_without_normal_time_uses_the_pooled_threshold(model: SemanticModel) -> None:
    for arm in model.arms.values():
        assert arm.threshold("public_cloud") is arm.thresholds[POOLED]
        assert arm.threshold("app_container_log") is arm.thresholds["app_container_log"]
    verdicts = model.judge([KNOWN, UNKNOWN])
    p_values, abnormal = decide(model, verdicts * 2, ["public_cloud"] * 2 + ["app_container_log"] * 2)
    assert abnormal.tolist() == [False, True, False, True]
    assert p_values[0] == p_values[2] == 1.0


def test_decisions_do_not_depend_on_the_other_rows(model: SemanticModel) -> None:
    verdicts = model.judge([KNOWN, UNKNOWN, *FLOOD])
    kinds = ["nginx_error", "app_container_log"] * (len(verdicts) // 2)
    together = [values.tolist() for values in decide(model, verdicts, kinds)]
    alone = [decide(model, [verdict], [kind]) for verdict, kind in zip(verdicts, kinds, strict=True)]
    assert together == [[float(p[0]) for p, _ in alone], [bool(a[0]) for _, a in alone]]
    assert [values.tolist() for values in decide(model, [], [])] == [[], []]


def test_a_model_of_another_format_is_refused(model: SemanticModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    state = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**state, "format": 99}))
    write_manifest(tmp_path)
    with pytest.raises(ArtifactError, match="format 99, expected 3; train again with this version"):
        SemanticModel.load(tmp_path)


def test_a_model_without_its_encoder_says_so_when_it_is_warmed(model: SemanticModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    with pytest.raises(ArtifactError, match=r"no model\.onnx, expected an encoder written by build_encoder; train aga"):
        SemanticModel.load(tmp_path / "model").warm()
