from pathlib import Path

import pytest

from faultline.errors import StackError
from faultline.stack.rendering import fill_in, render, template_values

ENVIRON = {"FAULTLINE_HOME": "/srv/faultline home", "FAULTLINE_PORT_OFFSET": "100"}
TEMPLATES = (
    *("kafka/server.properties", "nginx/nginx.conf", "haproxy/haproxy.cfg", "haproxy/delay.lua"),
    *("prometheus/prometheus.yml", "prometheus/alertmanager.yml"),
)


def test_values_hold_every_port_and_folder() -> None:
    values = template_values(ENVIRON, user_id=1000)
    assert (values["kafka_port"], values["nginx_port"]) == ("9192", "8180")
    assert values["watched"] == "/srv/faultline home/watched"
    assert values["user_directive"] == ""


def test_root_names_a_user_for_nginx() -> None:
    assert template_values(ENVIRON, user_id=0)["user_directive"] == "user root;"


def test_unknown_placeholder_is_named_with_those_that_exist() -> None:
    with pytest.raises(StackError, match=r"nginx.conf: placeholder \$\{nginx_prot\} is unknown, expected one of a, b"):
        fill_in("listen ${nginx_prot};", {"a": "1", "b": "2"}, "nginx.conf")


def test_lone_dollar_is_named_with_its_place() -> None:
    with pytest.raises(StackError, match=r"x\.conf: .* line 2, col 3; a dollar that is no placeholder is written \$\$"):
        fill_in("a\n  $ b", {}, "x.conf")


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_of_the_repository_renders(template: str, tmp_path: Path) -> None:
    text = render(Path(template), tmp_path / "new", template_values(ENVIRON, user_id=1000)).read_text()
    settings = [line.split("#")[0] for line in text.splitlines()]
    assert not [line for line in settings if "${" in line]


def test_absent_template_says_how_to_get_it_back(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"nginx/none\.conf is missing from the repository .*git checkout"):
        render(Path("nginx/none.conf"), tmp_path, {})
