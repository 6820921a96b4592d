"""Versions of the JVM parts, in this one place; the environment may override each."""

from __future__ import annotations

from faultline.config import Environ

SCALA = "2.13"
KAFKA = "4.1.1"
# Must match PySpark's minor version. 4.0.0 is the newest whose whole dependency tree resolves everywhere
# we tried; it runs on pyspark 4.0.5 (see requirements/base.txt).
SPARK_CONNECTOR = "4.0.0"
LOG4J = "2.25.1"


def kafka_coordinates(environ: Environ) -> list[str]:
    """Return the Maven coordinates of the broker (FAULTLINE_KAFKA_VERSION overrides)."""
    version = environ.get("FAULTLINE_KAFKA_VERSION", KAFKA)
    return [f"org.apache.kafka:kafka_{SCALA}:{version}", f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J}"]


def connector_coordinates(environ: Environ) -> list[str]:
    """Return the Maven coordinates of Spark's Kafka source (FAULTLINE_SPARK_CONNECTOR_VERSION overrides)."""
    version = environ.get("FAULTLINE_SPARK_CONNECTOR_VERSION", SPARK_CONNECTOR)
    return [f"org.apache.spark:spark-sql-kafka-0-10_{SCALA}:{version}"]
