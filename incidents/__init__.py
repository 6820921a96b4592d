"""Incidents as they happen: groups anomalies, ranks causes, tells Alertmanager, takes verdicts."""
