"""How a stream ends: with advice for each known cause, and at a batch boundary when asked to."""

from __future__ import annotations

import pytest

from spark.lifetime import explain

LOST = "[KAFKA_DATA_LOSS.{}] Some data may have been lost because they are not available in Kafka any more; Reason: {}"
CASES = {
    "records were dropped": (
        LOST.format("START_OFFSET_RESET", "Starting offset for logs-0 was 5 but consumer reset to 9."),
        "The broker no longer holds records this stream has not read",
    ),
    "topic was deleted": (
        LOST.format("PARTITIONS_DELETED", "Partitions logs-0 have been deleted."),
        "The broker no longer holds records this stream has not read",
    ),
    "broker was wiped": (
        LOST.format("PARTITION_OFFSET_CHANGED", "Partition logs-0 offset was changed from 10 to 0."),
        "The topic's offsets went backwards: was the broker wiped?",
    ),
    "broker was wiped, older Spark": (
        "Partition logs-0's offset was changed from 10 to 0, some data may have been missed.",
        "The topic's offsets went backwards: was the broker wiped?",
    ),
    "disk is full": (
        "java.io.IOException: No space left on device\n\tat org.apache.spark.ShufflePartitionWriter.write",
        "The disk is full: free space; the stream goes on from its checkpoint.",
    ),
    "checkpoint is damaged": (
        "java.lang.IllegalStateException: Incomplete log file in the offset log for TopicPartition logs-0",
        "The checkpoint is damaged: move its folder away (FAULTLINE_CHECKPOINT).",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_known_cause_has_its_advice(name: str) -> None:
    text, advice = CASES[name]
    assert explain(text).splitlines()[-1].startswith(advice)
    assert explain(text).startswith(text.splitlines()[0])


def test_advice_to_move_something_names_the_setting() -> None:
    for text, advice in CASES.values():
        assert ("disk" in advice) != ("FAULTLINE_CHECKPOINT" in explain(text))


def test_an_unknown_cause_is_shown_as_it_is_but_not_whole() -> None:
    text = "\n".join(f"line {number}" for number in range(100))
    assert explain(text) == "\n".join(f"line {number}" for number in range(6))
    assert len(explain("x" * 1_000_000)) == 2000
    assert explain("") == ""
