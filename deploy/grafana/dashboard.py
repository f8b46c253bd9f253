"""Write the Grafana dashboard that `panels.py` describes: python deploy/grafana/dashboard.py

The JSON is the dashboard model of Grafana 12, https://grafana.com/docs/grafana/v12.4/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from panels import ROWS, Panel, PanelRow

TARGET = Path(__file__).parent / "provisioning" / "dashboards" / "switchyard.json"
SOURCE = {"type": "prometheus", "uid": "switchyard-prometheus"}
_WIDTH = 24


def dashboard() -> dict[str, Any]:
    return {
        "annotations": {"list": []},
        "description": "What Switchyard does, how well, and on which engine.",
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,  # one cross-hair for all panels
        "id": None,
        "links": [],
        "panels": _panels(),
        "refresh": "30s",
        "schemaVersion": 41,
        "tags": ["switchyard"],
        "templating": {
            "list": [
                _variable("service", 'label_values(up{job="services"}, service)'),
                _variable("role", "label_values(switchyard_provider_active, role)"),
            ]
        },
        "time": {"from": "now-3h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": "Switchyard",
        "uid": "switchyard",
        "version": 1,
        "weekStart": "",
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "allValue": ".*",  # series without the label as well
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": SOURCE,
        "hide": 0,
        "includeAll": True,
        "label": name.capitalize(),
        "multi": True,
        "name": name,
        "options": [],
        "query": {"qryType": 5, "query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes: a role may come with a policy
        "regex": "",
        "sort": 1,
        "type": "query",
    }


def _panels() -> list[dict[str, Any]]:
    panels, y = [], 0
    for row in ROWS:
        panels.append(_row(row, y))
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > _WIDTH:
                x, y = 0, y + height
            panels.append(_panel(panel, x, y))
            x, height = x + panel.width, panel.height
        y += height
    return panels


def _row(row: PanelRow, y: int) -> dict[str, Any]:
    place = {"h": 1, "w": _WIDTH, "x": 0, "y": y}
    return {"collapsed": False, "gridPos": place, "id": row.id, "panels": [], "title": row.title, "type": "row"}


def _panel(panel: Panel, x: int, y: int) -> dict[str, Any]:
    return {
        "datasource": SOURCE,
        "description": panel.about,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "gridPos": {"h": panel.height, "w": panel.width, "x": x, "y": y},
        "id": panel.id,
        "options": _OPTIONS[panel.kind](panel),
        "targets": [
            {
                "datasource": SOURCE,
                "editorMode": "code",
                "expr": expr,
                "instant": panel.kind == "stat",
                "legendFormat": legend,
                "range": panel.kind != "stat",
                "refId": chr(ord("A") + number),
            }
            for number, (expr, legend) in enumerate(panel.queries)
        ],
        "title": panel.title,
        "type": panel.kind,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = panel.steps or ((0, "blue"),)
    defaults: dict[str, Any] = {
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "custom": _CUSTOM[panel.kind](panel),
        "mappings": _mappings(panel),
        "noValue": panel.nothing,
        "thresholds": {
            "mode": "absolute",
            "steps": [
                {"color": color, "value": value if index else None} for index, (value, color) in enumerate(steps)
            ],
        },
        "unit": panel.unit,
    }
    if panel.kind == "timeseries":
        defaults["min"] = 0
    if panel.most is not None:
        defaults["max"] = panel.most
    return defaults


def _mappings(panel: Panel) -> list[dict[str, Any]]:
    if not panel.words:
        return []
    options = {
        str(value): {"color": color, "index": index, "text": word}
        for index, (value, (word, color)) in enumerate(panel.words.items())
    }
    return [{"options": options, "type": "value"}]


def _drawing(panel: Panel) -> dict[str, Any]:
    return {
        "drawStyle": "line",
        "fillOpacity": 30 if panel.stacked else 5,
        "lineWidth": 1,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if panel.stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if panel.steps else "off"},
    }


def _legend(panel: Panel) -> dict[str, Any]:
    return {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True}


_CUSTOM: dict[str, Callable[[Panel], dict[str, Any]]] = {
    "timeseries": _drawing,
    "stat": lambda _: {},
    "state-timeline": lambda _: {"fillOpacity": 70, "lineWidth": 0},
}
_OPTIONS: dict[str, Callable[[Panel], dict[str, Any]]] = {
    "timeseries": lambda panel: {
        "legend": _legend(panel),
        "tooltip": {"hideZeros": False, "mode": "multi", "sort": "desc"},
    },
    "stat": lambda panel: {
        "colorMode": "background" if panel.words or panel.steps else "none",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showPercentChange": False,
        "textMode": "name" if panel.names else "value_and_name" if panel.queries[0][1].startswith("{{") else "value",
        "wideLayout": True,
    },
    "state-timeline": lambda _: {
        "alignValue": "left",
        "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "tooltip": {"hideZeros": False, "mode": "single", "sort": "none"},
    },
}

if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
