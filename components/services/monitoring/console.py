"""The dashboard as a console page of Prometheus itself: a Go template whose tables the server fills in and whose graphs
its own script draws (https://prometheus.io/docs/visualization/consoles/). Pure."""

import json
from collections.abc import Iterator
from typing import Final

from components.services.monitoring.dashboards import GRAPHS, TABLES, TITLE, Column, Graph, Table, Unit

PAGE: Final = "swarm.html"
CONSOLE_PATH: Final = f"/etc/prometheus/consoles/{PAGE}"
PAGE_PATH: Final = f"/consoles/{PAGE}"
_STATIC = "{{ pathPrefix }}/classic/static"
_FORMATS: Final[dict[Unit, str]] = {
    "count": '{{ printf "%.0f" .Value }}',
    "cores": '{{ printf "%.2f" .Value }}',
    "bytes": "{{ humanize1024 .Value }}B",
    "bytes per second": "{{ humanize1024 .Value }}B/s",
    "percent": '{{ printf "%.0f" .Value }} %',
    "seconds": "{{ humanizeDuration .Value }}",
}
_STYLE = """
body { font-family: sans-serif; margin: 2em; color: #222 }
h1 { font-size: 1.5em } h2 { font-size: 1.1em; margin: 1.5em 0 .5em }
table.list { border-collapse: collapse }
.list th, .list td { padding: .25em .8em; text-align: left; white-space: nowrap }
.list th { border-bottom: 2px solid #888 } .list td { border-bottom: 1px solid #ddd }
.graphs { display: grid; grid-template-columns: repeat(auto-fit, minmax(34em, 1fr)); gap: 0 2em }
"""
_SCRIPTS = ("jquery/jquery.min.js", "d3/d3.min.js", "rickshaw/rickshaw.min.js", "js/prom_console.js")


def render_console() -> str:
    """The whole page."""
    styles = ("rickshaw/rickshaw.min.css", "css/prom_console.css")
    return "\n".join(
        (
            "<!DOCTYPE html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{TITLE}</title>',
            '<meta http-equiv="refresh" content="60">',
            *(f'<link rel="stylesheet" href="{_STATIC}/{style}">' for style in styles),
            f"<style>{_STYLE}</style>",
            "<script>var PATH_PREFIX = {{ pathPrefix }};</script>",
            *(f'<script src="{_STATIC}/{script}"></script>' for script in _SCRIPTS),
            f"</head><body><h1>{TITLE}</h1>",
            *(line for table in TABLES for line in _table(table)),
            '<div class="graphs">',
            *(line for graph in GRAPHS for line in _graph(graph)),
            "</div></body></html>",
            "",
        )
    )


def _table(table: Table) -> Iterator[str]:
    queried = [(number, column) for number, column in enumerate(table.columns) if column.expression]
    for number, column in queried:
        yield f"{{{{ $column{number} := query `{column.expression}` }}}}"
    yield f'<h2>{table.title}</h2><table class="list" id="{table.key}">'
    head = "".join(f"<th>{title}</th>" for title in (table.heading, *(column.title for column in table.columns)))
    yield f"<thead><tr>{head}</tr></thead><tbody>"
    yield f"{{{{ range query `{table.rows}` | sortByLabel `{table.label}` }}}}{{{{ $row := .Labels }}}}"
    yield f"<tr><td>{{{{ .Labels.{table.label} }}}}</td>"
    for number, column in enumerate(table.columns):
        yield f"<td>{_cell(number, column, table)}</td>"
    yield f"</tr>{{{{ else }}}}<tr><td>{table.empty}</td></tr>{{{{ end }}}}</tbody></table>"


def _cell(number: int, column: Column, table: Table) -> str:
    if not column.expression:
        return f"{{{{ .Labels.{column.label} }}}}"
    same = f"eq .Labels.{column.key} $row.{table.label}"
    return f"{{{{ range $column{number} }}}}{{{{ if {same} }}}}{_FORMATS[column.unit]}{{{{ end }}}}{{{{ end }}}}"


def _graph(graph: Graph) -> Iterator[str]:
    options = {
        "expr": [query.expression for query in graph.queries],
        "name": [f"[[ {query.line} ]]" for query in graph.queries],
        "min": 0,
        "yTitle": graph.unit,
    }
    yield f'<div><h2>{graph.title}</h2><div id="{graph.key}"></div></div>'
    yield (
        f"<script>new PromConsole.Graph(Object.assign({json.dumps(options)}, "
        f'{{node: document.getElementById("{graph.key}")}}));</script>'
    )
