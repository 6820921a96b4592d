"""The embedded stack: real Kafka, Spark, nginx, Prometheus and the demo shop as local processes."""
