"""The services of the stack: the one list from which everything else takes them.

Needs the standard library of Python 3.9 and nothing else, as `switchyard.stack` does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """A service: its `name` in Compose, its `path` at the gateway, its `port` on the internal network.

    `volume` is what it writes alone: databases and its audit log, or the audit log only.
    """

    name: str
    path: str
    port: int
    volume: str

    @property
    def module(self) -> str:
        """The package that `python -m` runs."""
        return self.name.replace("-", "_")

    @property
    def settings_class(self) -> str:
        """The name of the class in its `settings` module."""
        return self.path.title().replace("-", "") + "Settings"

    @property
    def port_setting(self) -> str:
        """The variable that says on which port of this machine it is published."""
        return f"{self.path.upper().replace('-', '_')}_PORT"


SERVICES = (
    Service("rag-service", "rag", 8001, "rag"),
    Service("notes-service", "notes", 8002, "notes"),
    Service("doc-processor", "doc-processor", 8003, "processor-audit"),
    Service("graph-service", "graph", 8004, "graph"),
)
"""The first one holds the admin key and the policy's audit."""

VOLUMES = ("keys", "policy", *(service.volume for service in SERVICES), "chroma")
"""What a backup holds."""
WRITERS = (*(service.name for service in SERVICES), "chroma")
"""Containers that write to these volumes; together they mount every one."""
