from pathlib import Path

from faultline.catalog.reading import read_catalog
from faultline.config import REPOSITORY, Ports
from faultline.stack.prerequisites import TOOLS
from faultline.stack.programs import declare_programs, has_model

ENVIRON = {"FAULTLINE_HOME": "/srv/f", "FAULTLINE_PORT_OFFSET": "100"}
PROGRAMS = declare_programs({**ENVIRON, "FAULTLINE_SHOP_PROXY": "1"})


def test_every_port_of_the_configuration_belongs_to_one_program() -> None:
    declared = [port for program in PROGRAMS.values() for port in program.ports]
    ports = Ports.from_env({"FAULTLINE_PORT_OFFSET": "100"})
    assert sorted([*declared, ports.mlflow]) == sorted(vars(ports).values())  # ./run mlflow is in the foreground


def test_needs_name_programs_and_form_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(PROGRAMS):
        ready = {name for name, program in PROGRAMS.items() if set(program.needs) <= done} - done
        assert ready, f"circle among {set(PROGRAMS) - done}"
        done |= ready


def test_the_proxy_is_there_when_asked_for_and_before_those_that_call_through_it() -> None:
    plain = declare_programs(ENVIRON)
    assert set(PROGRAMS) - set(plain) == {"proxy"}
    assert [name for name, program in PROGRAMS.items() if "proxy" in program.needs] == ["orders", "storefront"]
    assert not any("haproxy" in program.tools for program in plain.values())
    assert PROGRAMS["proxy"].probe is not None
    assert "nobody listens on /srv/f/run/proxy.sock; start the stack" in str(PROGRAMS["proxy"].probe())


def test_what_needs_a_model_says_which_part_of_it() -> None:
    parts = {name: program.needs_part for name, program in PROGRAMS.items() if program.needs_part is not None}
    assert parts == {"stream": "", "incidents": "root_cause"}


def test_tools_and_templates_exist() -> None:
    for program in PROGRAMS.values():
        assert set(program.tools) <= set(TOOLS)
        assert all((REPOSITORY / template).is_file() for template in program.templates)


def test_commands_listen_on_loopback_only() -> None:
    for name in ("prometheus", "alertmanager", "node_exporter"):
        listen = [arg for arg in PROGRAMS[name].command().argv if arg.startswith("--web.listen-address=")]
        assert listen == [f"--web.listen-address=127.0.0.1:{PROGRAMS[name].ports[0]}"]
    assert "--cluster.listen-address=" in PROGRAMS["alertmanager"].command().argv


def test_prometheus_is_bounded_in_time_and_size() -> None:
    argv = PROGRAMS["prometheus"].command().argv
    assert {"--storage.tsdb.retention.time=7d", "--storage.tsdb.retention.size=1GB"} <= set(argv)


def test_the_stream_has_a_model_once_its_folder_exists(tmp_path: Path) -> None:
    environ = {"FAULTLINE_HOME": str(tmp_path)}
    assert not has_model(environ)
    (tmp_path / "models" / "champion").mkdir(parents=True)
    assert has_model(environ)
    assert not has_model(environ, "root_cause")


def test_incidents_know_the_shop_unless_the_user_names_a_catalog(tmp_path: Path) -> None:
    environ = {"FAULTLINE_HOME": str(tmp_path)}
    command = declare_programs(environ)["incidents"].command()
    path = Path(command.environment["FAULTLINE_CATALOG"])
    assert path.is_relative_to(tmp_path)
    assert "orders" in read_catalog([path]).by_log_name()
    own = declare_programs({**environ, "FAULTLINE_CATALOG": "/srv/catalog"})["incidents"].command()
    assert own.environment == {"FAULTLINE_CATALOG": "/srv/catalog"}
