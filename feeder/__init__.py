"""The feeder: reads what services write and puts it on topic `logs`; the embedded stand-in for Vector."""
