"""The dashboard for Grafana, and what Grafana is told before its first start: where Prometheus is, where the dashboard
lies. Pure (https://grafana.com/docs/grafana/latest/administration/provisioning/)."""

import json
from typing import Any, Final

import yaml

from components.services.monitoring import names
from components.services.monitoring.dashboards import GRAPHS, TABLES, TITLE, Column, Graph, Table, Unit

DASHBOARD_PATH: Final = "/etc/flotilla/dashboards/swarm.json"
DATA_SOURCE_PATH: Final = "/etc/grafana/provisioning/datasources/prometheus.yaml"
PROVIDER_PATH: Final = "/etc/grafana/provisioning/dashboards/flotilla.yaml"
_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_UNITS: Final[dict[Unit, str]] = {
    "count": "short",
    "cores": "short",
    "bytes": "bytes",
    "bytes per second": "Bps",
    "percent": "percent",
    "seconds": "s",
}
_WIDTH = 24
_HEIGHT = 8


def render_data_source() -> str:
    """Prometheus, with the password from a file."""
    source = {
        "name": "Prometheus",
        "uid": _SOURCE["uid"],
        "type": "prometheus",
        "access": "proxy",
        "url": f"http://{names.PROMETHEUS}:{names.PROMETHEUS_PORT}",
        "isDefault": True,
        "basicAuth": True,
        "basicAuthUser": names.USER,
        "secureJsonData": {"basicAuthPassword": f"$__file{{{names.PASSWORD_FILE}}}"},
    }
    return yaml.safe_dump({"apiVersion": 1, "datasources": [source]}, sort_keys=False)


def render_provider() -> str:
    """Where the dashboard lies."""
    folder = DASHBOARD_PATH.rpartition("/")[0]
    provider = {"name": "flotilla", "type": "file", "allowUiUpdates": False, "options": {"path": folder}}
    return yaml.safe_dump({"apiVersion": 1, "providers": [provider]}, sort_keys=False)


def render_dashboard() -> str:
    """The dashboard as JSON: tables over the whole width, then graphs two by two."""
    panels = [_panel(number, panel, _place(number)) for number, panel in enumerate((*TABLES, *GRAPHS))]
    dashboard = {
        "uid": "flotilla-swarm",
        "title": TITLE,
        "schemaVersion": 38,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "panels": panels,
    }
    return json.dumps(dashboard, indent=1)


def _place(number: int) -> dict[str, int]:
    if number < len(TABLES):
        return {"x": 0, "y": number * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
    row, column = divmod(number - len(TABLES), 2)
    half = _WIDTH // 2
    return {"x": column * half, "y": (len(TABLES) + row) * _HEIGHT, "w": half, "h": _HEIGHT}


def _panel(number: int, panel: Table | Graph, place: dict[str, int]) -> dict[str, Any]:
    own = _table(panel) if isinstance(panel, Table) else _graph(panel)
    return {"id": number + 1, "title": panel.title, "datasource": _SOURCE, "gridPos": place, **own}


def _graph(graph: Graph) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "fieldConfig": {"defaults": {"unit": _UNITS[graph.unit], "min": 0}, "overrides": []},
        "targets": [
            {"refId": _letter(number), "expr": query.expression, "legendFormat": f"{{{{{query.line}}}}}"}
            for number, query in enumerate(graph.queries)
        ],
    }


def _table(table: Table) -> dict[str, Any]:
    """Each column is a query of its own, renamed to have the row's label, and joined by it."""
    queried = [column for column in table.columns if column.expression]
    labels = [column for column in table.columns if column.label]
    targets = [{"refId": "A", "expr": table.rows, "format": "table", "instant": True}]
    targets += [
        {
            "refId": _letter(number),
            "expr": f"sum by ({table.label}) ({_with_label(column, table)})",
            "format": "table",
            "instant": True,
        }
        for number, column in enumerate(queried, start=1)
    ]
    shown = {table.label: 0, **{column.label: place for place, column in enumerate(labels, start=1)}}
    values = {f"Value #{_letter(number)}": column for number, column in enumerate(queried, start=1)}
    return {
        "type": "table",
        "fieldConfig": {
            "defaults": {},
            "overrides": [_override(name, column) for name, column in values.items()],
        },
        "targets": targets,
        "transformations": [
            {"id": "merge", "options": {}},
            {"id": "filterFieldsByName", "options": {"include": {"names": [*shown, *values]}}},
            {
                "id": "organize",
                "options": {
                    "indexByName": shown | {name: len(shown) + place for place, name in enumerate(values)},
                    "renameByName": {table.label: table.heading} | {column.label: column.title for column in labels},
                },
            },
        ],
    }


def _with_label(column: Column, table: Table) -> str:
    if column.key == table.label:
        return column.expression
    return f'label_replace({column.expression}, "{table.label}", "$1", "{column.key}", "(.+)")'


def _override(name: str, column: Column) -> dict[str, Any]:
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [
            {"id": "displayName", "value": column.title},
            {"id": "unit", "value": _UNITS[column.unit]},
        ],
    }


def _letter(number: int) -> str:
    return chr(ord("A") + number)
