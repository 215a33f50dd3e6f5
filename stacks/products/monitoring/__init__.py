"""Monitoring: Prometheus, Alertmanager, exporters and pages."""
