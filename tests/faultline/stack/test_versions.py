"""Versions of the JVM parts: one place, each overridable, the connector of PySpark's own minor version."""

from __future__ import annotations

from importlib.metadata import version

from faultline.stack.versions import SCALA, SPARK_CONNECTOR, connector_coordinates, kafka_coordinates


def test_the_connector_is_of_the_minor_version_of_pyspark() -> None:
    assert SPARK_CONNECTOR.split(".")[:2] == version("pyspark").split(".")[:2]


def test_coordinates_name_organisation_name_and_version() -> None:
    for coordinate in (*kafka_coordinates({}), *connector_coordinates({})):
        organisation, name, number = coordinate.split(":")
        assert (organisation.startswith("org.apache."), bool(name), number[0].isdigit()) == (True, True, True)


def test_the_environment_overrides_each() -> None:
    environ = {"FAULTLINE_KAFKA_VERSION": "4.2.0", "FAULTLINE_SPARK_CONNECTOR_VERSION": "4.0.9"}
    assert f"org.apache.kafka:kafka_{SCALA}:4.2.0" in kafka_coordinates(environ)
    assert connector_coordinates(environ) == [f"org.apache.spark:spark-sql-kafka-0-10_{SCALA}:4.0.9"]
