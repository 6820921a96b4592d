"""Steps of requests: counting, learning their shares, and finding the service whose steps have changed."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import ArtifactError, TrainingDataError
from spark.models.root_cause.flow import END, MAX_STEPS, FlowLine, FlowProfile, Step, count_steps


def request(service: str, number: int, *templates: str, operation: str = "GET /") -> list[FlowLine]:
    return [FlowLine(service, f"r{number}", i, template, operation) for i, template in enumerate(templates)]


def window(paid: int, declined: int) -> list[FlowLine]:
    """Requests of two services: payments says yes or no, orders always writes the same two lines."""
    lines: list[FlowLine] = []
    for number in range(paid + declined):
        lines += request("payments", number, "asked", "paid" if number < paid else "declined")
        lines += request("orders", number, "received", "stored")
    return lines


NORMAL = [count_steps(window(paid, 20 - paid)) for paid in (18, 19, 20, 18, 19, 20, 18, 19)]


def test_steps_begin_at_the_operation_and_end_at_the_end() -> None:
    assert count_steps(request("orders", 1, "received", "stored")) == {
        Step("orders", "^GET /", "received"): 1,
        Step("orders", "received", "stored"): 1,
        Step("orders", "stored", END): 1,
    }


def test_request_without_a_line_is_a_step_from_its_operation_to_its_end() -> None:
    assert count_steps([FlowLine("orders", "r", 0.0, "", "GET /")]) == {Step("orders", "^GET /", END): 1}


def test_services_of_one_request_are_apart() -> None:
    lines = [*request("orders", 1, "received"), *request("payments", 1, "asked")]
    assert {step.service_name for step in count_steps(lines)} == {"orders", "payments"}
    assert Step("orders", "received", "asked") not in count_steps(lines)


@given(st.permutations(window(5, 2)))
def test_order_of_lines_is_irrelevant(lines: list[FlowLine]) -> None:
    assert count_steps(lines) == count_steps(window(5, 2))


def test_normal_window_deviates_nowhere() -> None:
    found = FlowProfile.fit(NORMAL).deviations(NORMAL[0])
    assert all(deviation.surprise < 0.5 for deviation in found.values())


def test_branch_that_is_taken_less_often_names_the_service_and_the_step() -> None:
    found = FlowProfile.fit(NORMAL).deviations(count_steps(window(4, 16)))
    worst = max(found.values(), key=lambda deviation: deviation.surprise)
    assert (worst.step.service_name, worst.step.before) == ("payments", "asked")
    assert worst.surprise > 10
    assert {(worst.step.after, worst.taken, worst.of)} <= {("paid", 4, 20), ("declined", 16, 20)}
    assert "orders" not in found


def test_step_that_no_longer_comes_is_told_as_share_of_nought() -> None:
    broken = [line for line in window(20, 0) if line.template not in ("paid", "stored")]
    found = FlowProfile.fit(NORMAL).deviations(count_steps(broken))
    assert found["orders"].share in (0.0, 1.0)
    assert found["orders"].usual_share in (pytest.approx(0.976, abs=0.01), pytest.approx(0.024, abs=0.01), 0.0)


def test_step_from_a_line_never_seen_is_left_to_others() -> None:
    counts = Counter({Step("payments", "never seen", "paid"): 50})
    assert FlowProfile.fit(NORMAL).deviations(counts) == {}


def test_a_faulty_window_among_many_does_not_become_usual() -> None:
    profile = FlowProfile.fit([*NORMAL, *NORMAL, count_steps(window(0, 20))])
    assert profile.deviations(count_steps(window(0, 20)))["payments"].surprise > 10


def test_steps_of_a_service_are_bounded() -> None:
    counts = Counter({Step("payments", "asked", f"answer {i:04}"): 1 + (i == 9) for i in range(MAX_STEPS + 50)})
    profile = FlowProfile.fit([counts])
    assert len(profile.ranges["payments"]["asked"]) == MAX_STEPS
    assert "answer 0009" in profile.ranges["payments"]["asked"]


def test_saved_profile_judges_alike() -> None:
    profile = FlowProfile.fit(NORMAL)
    again = FlowProfile.from_json(json.loads(json.dumps(profile.to_json())))
    counts = count_steps(window(4, 16))
    assert again.deviations(counts) == profile.deviations(counts)


@pytest.mark.parametrize("state", [{"payments": 3}, {"payments": {"asked": {"paid": [1]}}}, {"a": {"b": {"c": "de"}}}])
def test_state_of_something_else_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match=r"flow profile: .*train again"):
        FlowProfile.from_json(state)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(TrainingDataError, match="expected lines with a trace or request id"):
        FlowProfile.fit([Counter()])
