from pathlib import Path

import pytest

from faultline.config import REPOSITORY
from faultline.errors import ConfigError
from faultline.records import SourceType
from feeder.app_container_log import parse_json
from feeder.nginx_access import parse_combined
from feeder.sources import FileSource, PolledSource, read_sources


@pytest.fixture
def read(tmp_path):
    def read(text: str | bytes, environ=None):
        path = tmp_path / "sources.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_sources(path, environ or {})

    return read


def entry(**fields) -> str:
    default = {"source_type": "nginx_access", "service_name": "nginx", "path": "/var/log/nginx/access.log"}
    return "sources:\n  - " + str({name: value for name, value in (default | fields).items() if value is not None})


def test_file_source(read):
    [source], polled = read(entry(format="combined", read_from="end"))
    path = "/var/log/nginx/access.log"
    assert source == FileSource(SourceType.NGINX_ACCESS, path, "nginx", parse_combined, from_end=True)
    assert polled == []


def test_first_format_and_the_beginning_are_the_defaults(read):
    [source], _ = read(entry(source_type="app_container_log"))
    assert (source.parser, source.from_end) == (parse_json, False)


def test_polled_source(read):
    files, [source] = read(entry(source_type="fastapi_status", path=None, url="http://h:${PORT_ORDERS}/health"))
    assert files == []
    assert source == PolledSource(SourceType.FASTAPI_STATUS, "http://h:8102/health", "nginx", 5.0)


def test_names_come_from_the_environment(read):
    [source], _ = read(entry(path="${FAULTLINE_WATCHED}/${APP}/*.log"), {"FAULTLINE_HOME": "/srv/f", "APP": "shop"})
    assert source.pattern == "/srv/f/watched/shop/*.log"


def test_sources_of_the_demo_are_valid():
    files, polled = read_sources(REPOSITORY / "demo" / "sources.yaml", {})
    assert {source.source_type for source in [*files, *polled]} == set(SourceType)


@pytest.mark.parametrize(
    ("path", "service"),
    [("/l/orders.log", "orders"), ("/l/orders.log.1", "orders"), ("/l/.orders.log", "orders"), ("/l/...", "unknown")],
)
def test_service_is_the_name_of_the_file(read, path, service):
    [source], _ = read(entry(service_name="@file"))
    assert source.service_of(path) == service


BAD = {
    "not yaml": ("sources: [", "sources.yaml is ", "expected YAML"),
    "not UTF-8": (b"sources: \xff\xfe", "sources.yaml is ", "expected YAML"),
    "empty": ("", "key 'sources' is None", "a list of sources, see demo/sources.yaml"),
    "no sources": ("sources: []", "key 'sources' is []", "a list of sources, see demo/sources.yaml"),
    "a list at the top": ("- 1", "key 'sources' is None", "a list of sources"),
    "entry is text": ("sources: [x]", "entry 1 is 'x'", "a mapping with source_type, service_name and path or url"),
    "no type": (entry(source_type=None), "entry 1: key 'source_type' is None", "expected text"),
    "unknown type": (
        entry(source_type="apache"),
        "entry 1: key 'source_type' is 'apache'",
        "one of app_container_log, nginx_access,",
    ),
    "no path": (entry(path=None), "entry 1: key 'path' is None", "expected text"),
    "path a number": (entry(path=7), "entry 1: key 'path' is 7", "expected text"),
    "service empty": (entry(service_name=""), "entry 1: key 'service_name' is ''", "expected text"),
    "service too long": (entry(service_name="x" * 257), "key 'service_name' is 'xxx", "at most 256 characters"),
    "unset name": (entry(path="/l/${NOPE}"), "key 'path' is '/l/${NOPE}'", "names that are set ('NOPE')"),
    "lone dollar": (entry(path="/l/$"), "key 'path' is '/l/$'", "names that are set (Invalid placeholder"),
    "wrong format": (entry(format="json"), "key 'format' is 'json'", "one of nginx_json, combined"),
    "wrong start": (entry(read_from="middle"), "key 'read_from' is 'middle'", "one of beginning, end"),
    "unknown key": (entry(pth="/x"), "key 'pth' is '/x'", "one of the keys source_type, service_name, path"),
    "url for a file": (entry(url="http://h"), "key 'url' is 'http://h'", "one of the keys"),
    "path for a page": (entry(source_type="fastapi_status"), "key 'path' is '/var", "one of the keys"),
}
BAD_PAGES = {
    "no url": ({"url": None}, "key 'url' is None", "expected text"),
    "url without scheme": ({"url": "h:80/x"}, "key 'url' is 'h:80/x'", "http:// or https:// with a host"),
    "url without host": ({"url": "http:///x"}, "key 'url' is 'http:///x'", "with a host"),
    "url with an impossible port": ({"url": "http://h:99999999"}, "key 'url' is", "with a host"),
    "url with an open bracket": ({"url": "http://[::1"}, "key 'url' is", "with a host"),
    "interval zero": ({"interval_seconds": 0}, "key 'interval_seconds' is 0", "a number from 0.1 to 86400"),
    "interval text": ({"interval_seconds": "5s"}, "key 'interval_seconds' is '5s'", "a number from 0.1 to 86400"),
    "interval bool": ({"interval_seconds": True}, "key 'interval_seconds' is True", "a number from 0.1 to 86400"),
}


@pytest.mark.parametrize(("text", "got", "expected"), BAD.values(), ids=BAD)
def test_bad_file_is_refused(read, text, got, expected):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert got in str(caught.value) and expected in str(caught.value)


@pytest.mark.parametrize(("changes", "got", "expected"), BAD_PAGES.values(), ids=BAD_PAGES)
def test_bad_page_is_refused(read, changes, got, expected):
    fields = {"source_type": "fastapi_status", "path": None, "url": "http://h/health"} | changes
    with pytest.raises(ConfigError) as caught:
        read(entry(**fields))
    assert got in str(caught.value) and expected in str(caught.value)


@pytest.mark.parametrize("interval", [".nan", ".inf"])
def test_interval_without_end_is_refused(read, interval):
    text = f"sources: [{{source_type: fastapi_status, service_name: x, url: 'http://h', interval_seconds: {interval}}}]"
    with pytest.raises(ConfigError, match=r"a number from 0\.1 to 86400"):
        read(text)


def test_second_entry_is_named(read):
    good = entry()
    with pytest.raises(ConfigError, match="entry 2: key 'format'"):
        read(good + "\n" + entry(format="xml").removeprefix("sources:\n"))


@pytest.mark.parametrize(("name", "reason"), [("missing.yaml", "No such file"), (".", "Is a directory")])
def test_file_that_cannot_be_read(tmp_path: Path, name, reason):
    with pytest.raises(ConfigError, match=f"FAULTLINE_SOURCES is .*expected a readable YAML file .{reason}"):
        read_sources(tmp_path / name, {})
