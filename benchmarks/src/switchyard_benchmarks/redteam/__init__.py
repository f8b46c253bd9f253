"""Attacks on a running stack: injected instructions, and questions for what must not be said."""

from __future__ import annotations

from switchyard_benchmarks.redteam.attacks import Attack, load
from switchyard_benchmarks.redteam.run import Attempt, RedTeam, false_blocks

__all__ = ["Attack", "Attempt", "RedTeam", "false_blocks", "load"]
