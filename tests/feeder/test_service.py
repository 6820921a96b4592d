"""The feeder's loop with real files and a broker in memory."""

import pytest

from faultline.errors import SinkUnavailable
from feeder import service
from feeder.offsets import OffsetsUnwritable, load_offsets
from feeder.origin import plain_event


def stop_after(n: int, act=lambda: None):
    """Return a `stopping` that says yes the n-th time, after `act`."""
    asked = []

    def stopping() -> bool:
        asked.append(1)
        if len(asked) == n:
            act()
        return len(asked) >= n

    return stopping


def test_run_sends_stores_and_stops(machine):
    machine.write("one\ntwo\nthr")
    run = machine.start()
    run.feeder.run(stop_after(10))
    assert run.bodies == ["one", "two"]
    assert [offset.offset for offset in load_offsets(run.config.state)] == [8]
    assert run.metric("faultline_feeder_lines_read_total", source_type="app_container_log") == 2
    assert run.metric("faultline_feeder_records_acknowledged_total", source_type="app_container_log") == 2
    assert run.watcher.files == 0  # closed


def test_stop_waits_for_the_last_acknowledgements(machine, monkeypatch):
    machine.write("one\n")
    run = machine.start()
    run.producer.acknowledging = False
    real = run.producer.flush

    def flush(timeout):
        assert timeout == service.FLUSH_SECONDS
        run.producer.acknowledging = True
        return real(timeout)

    monkeypatch.setattr(run.producer, "flush", flush)
    run.feeder.run(stop_after(10))
    assert load_offsets(run.config.state)[0].offset == 4


def test_stop_while_the_broker_is_away_stores_only_what_it_has(machine, caplog):
    caplog.set_level("INFO")
    machine.write("one\ntwo\n")
    run = machine.start()
    run.producer.acknowledging = False
    run.feeder.run(stop_after(10, lambda: run.producer.acknowledge(slice(0, 1))))
    assert load_offsets(run.config.state)[0].offset == 4
    assert next(record.unacknowledged for record in caplog.records if record.getMessage() == "stopped") == 1
    assert machine.start().rounds() == ["two"]


def test_stop_while_the_queue_is_full_loses_nothing(machine, monkeypatch):
    machine.write("one\ntwo\nthree\n")
    run = machine.start()
    run.producer.capacity, run.producer.acknowledging = 1, False
    run.feeder.run(stop_after(10))
    assert run.bodies == ["one"]
    assert machine.start().rounds() == ["one", "two", "three"]


def test_refused_record_ends_the_run_and_is_read_again(machine):
    machine.write("one\n")
    run = machine.start()
    run.producer.refusal = "Broker: Message size too large"
    with pytest.raises(SinkUnavailable, match="the broker refused a record of"):
        run.feeder.run(lambda: False)
    assert load_offsets(run.config.state)[0].offset == 0
    assert machine.start().rounds() == ["one"]


def test_unread_bytes_grow_while_the_queue_is_full(machine, monkeypatch):
    """The alert FaultlineFeederBlocked depends on it: nothing else moves while the feeder waits for the broker."""
    monkeypatch.setattr(service, "SAVE_SECONDS", -1.0)
    machine.write("one\ntwo\n")
    run = machine.start()
    run.producer.capacity, run.producer.acknowledging = 1, False
    seen = []

    def stopping() -> bool:
        machine.write("another line\n")
        seen.append(run.metric("faultline_feeder_unread_bytes"))
        return len(seen) > 10

    run.feeder.run(stopping)
    assert seen[-1] > seen[-2] > seen[-3]


def test_file_that_is_rotated_away_while_the_queue_is_full_is_read_later(machine, monkeypatch):
    monkeypatch.setattr(service, "SAVE_SECONDS", -1.0)
    machine.write("one\ntwo\n")
    run = machine.start()
    run.producer.capacity, run.producer.acknowledging = 1, False
    asked = []

    def stopping() -> bool:
        asked.append(1)
        if len(asked) in (5, 10, 15):
            machine.path().rename(machine.path(f"app.log.{len(asked)}"))
            machine.write(f"begun at {len(asked)}\n")
        if len(asked) == 20:
            run.producer.capacity, run.producer.acknowledging = 100, True
        return len(asked) > 60

    run.feeder.run(stopping)
    assert run.bodies == ["one", "two", "begun at 5", "begun at 10", "begun at 15"]


def test_offsets_are_stored_before_a_line_of_a_new_file_is_sent(machine):
    machine.write("one\n")
    run = machine.start()
    real, stored = run.producer.produce, []

    def produce(*arguments, **options):
        stored.append(load_offsets(run.config.state))
        real(*arguments, **options)

    run.producer.produce = produce
    run.feeder.round()
    machine.write("two\n", "other.log")
    run.feeder.round()
    assert [len(offsets) for offsets in stored] == [1, 2]


def test_offsets_that_cannot_be_stored_at_the_start_end_the_run(machine):
    machine.write("one\n")
    run = machine.start()
    run.config.state.parent.touch()
    with pytest.raises(OffsetsUnwritable, match="make room, or let this user write to"):
        run.feeder.run(lambda: False)
    assert run.bodies == []


def test_offsets_that_cannot_be_stored_later_do_not_stop_the_lines(machine, caplog):
    machine.write("one\n")
    run = machine.start()
    run.rounds()
    run.config.state.with_suffix(".new").mkdir()
    machine.write("two\n")
    run.rounds()
    assert run.rounds() == ["one", "two"]
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.getMessage().endswith("; until then lines are sent again after an end")
    run.config.state.with_suffix(".new").rmdir()
    run.rounds()
    assert load_offsets(run.config.state)[0].offset == 8


def test_samples_are_sent_beside_lines(machine, make_origin):
    machine.write("one\n")
    run = machine.start()
    run.pollers._events.put(plain_event(make_origin("fastapi_status"), b"health"))
    assert run.rounds() == ["health", "one"]


def test_offsets_are_stored_within_a_long_round(machine, monkeypatch):
    monkeypatch.setattr(service, "SAVE_SECONDS", -1.0)
    machine.write("one\ntwo\nthree\n")
    run = machine.start()
    offsets = []
    real = run.producer.produce

    def produce(*arguments, **options):
        offsets.append(load_offsets(run.config.state)[0].offset)
        real(*arguments, **options)

    run.producer.produce = produce
    run.feeder.round()
    assert offsets == [0, 4, 8]
