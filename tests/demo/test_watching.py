"""Reading Prometheus's record of an alert."""

from datetime import UTC, datetime

from demo.watching import _runs


def test_a_gap_ends_a_run():
    series = {"metric": {"service_name": "orders"}, "values": [[10, "1"], [11, "1"], [12, "1"], [30, "1"]]}
    first, second = _runs(series)
    assert first == ("orders", datetime.fromtimestamp(10, UTC), datetime.fromtimestamp(12, UTC))
    assert second[1:] == (datetime.fromtimestamp(30, UTC),) * 2


def test_one_missed_sample_is_no_gap():
    series = {"metric": {}, "values": [[10, "1"], [12, "1"]]}
    assert len(_runs(series)) == 1
