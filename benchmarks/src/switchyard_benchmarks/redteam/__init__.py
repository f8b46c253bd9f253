"""Attacks on a running stack: injected instructions, and questions for what must not be said."""

from __future__ import annotations

from switchyard_benchmarks.redteam.attacks import Attack, load
from switchyard_benchmarks.redteam.run import Attempt, RedTeam

__all__ = ["Attack", "Attempt", "RedTeam", "load"]
