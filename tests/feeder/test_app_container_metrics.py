import pytest

from faultline.records import MAX_RECORD_BYTES, Event, Severity
from feeder.app_container_metrics import parse

PAGE = b"""# HELP orders_total Orders.
# TYPE orders_total counter
orders_total{state="paid",city="K\xc3\xb6ln"} 7
orders_created{state="paid"} 1.7e9
# TYPE wait_seconds histogram
wait_seconds_bucket{le="1"} 2
wait_seconds_bucket{le="+Inf"} 3
wait_seconds_sum 4.5
wait_seconds_count 3
# TYPE size_bytes summary
size_bytes{quantile="0.5"} 10
size_bytes_sum 30
size_bytes_count 3
# TYPE temperature gauge
temperature NaN
free_bytes 12
"""


@pytest.fixture
def read(make_origin):
    origin = make_origin("app_container_metrics", path="http://h/metrics")
    return lambda page, status=200: parse(origin, status, page, 0.25)


def test_page(read):
    event = read(PAGE)
    assert (event.body, event.severity) == ("metrics of shop", Severity.INFO)
    assert event.measures == {
        'orders_total{city="Köln",state="paid"}': 7.0,
        "wait_seconds_sum": 4.5,
        "wait_seconds_count": 3.0,
        "size_bytes_sum": 30.0,
        "size_bytes_count": 3.0,
        "free_bytes": 12.0,
        "scrape.duration_seconds": 0.25,
    }
    assert "series_left_out" not in event.attributes


def test_empty_page_is_a_record_without_series(read):
    assert read(b"").measures == {"scrape.duration_seconds": 0.25}


def test_series_above_the_bound_are_counted(read):
    page = "".join(f"m{n:03} {n}\n" for n in range(250)) + f'long{{x="{"x" * 600}"}} 1\n'
    event = read(page.encode())
    assert len(event.measures) == 201
    assert event.attributes["series_left_out"] == "51"


BAD = {
    "not prometheus": (200, b"<html>hello there</html>", "not in Prometheus's text format: "),
    "json": (200, b'{"status": "ok"}', "not in Prometheus's text format: "),
    "wrong value": (200, b"up one\n", "not in Prometheus's text format: "),
    "unknown type": (200, b"# TYPE up gouge\nup 1\n", "not in Prometheus's text format: "),
    "cut inside a label": (200, b'up{a="', "not in Prometheus's text format: "),
    "cut behind an escape": (200, b'up{a="\\', "not in Prometheus's text format: "),
    "not found": (404, b"no such page", "HTTP status 404"),
    "error with a page": (500, PAGE, "HTTP status 500"),
}


@pytest.mark.parametrize(("status", "page", "error"), BAD.values(), ids=BAD)
def test_bad_page(read, status, page, error):
    event = read(page, status)
    assert (event.body, event.severity) == ("metrics of shop: unreadable", Severity.ERROR)
    assert event.attributes["parse.error"].startswith(error)
    assert event.attributes["metrics.answer"] == page.decode()
    assert event.attributes["http.response.status_code"] == str(status)


@pytest.mark.parametrize("n", range(0, len(PAGE), 7))
def test_page_cut_anywhere_is_a_record(read, n):
    read(PAGE[:n])


def test_record_is_bounded_whatever_the_page(read):
    names = "".join(f'm{n}{{x="{chr(1) * 480}"}} 1\n' for n in range(250)).encode()
    for page in (names, b"\xff" * 4_000_000, b'm{x="' + b"y" * 4_000_000 + b'"} 1\n'):
        value = read(page).to_bytes()
        assert len(value) < MAX_RECORD_BYTES
        Event.from_bytes(value)


def test_start_of_the_process_is_kept_however_long_the_page(read):
    page = "".join(f"a_{number} 1\n" for number in range(250)) + "process_start_time_seconds 5\n"
    assert read(page.encode()).measures["process_start_time_seconds"] == 5.0
