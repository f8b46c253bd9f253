"""What goes out: leaked prompts, secrets, internal addresses, foreign links and HTML in what a model wrote."""

from __future__ import annotations

from service_kit.output_guard.guard import Finding, GuardModes, OutputGuard, guarded
from service_kit.output_guard.metrics import GuardMetrics
from service_kit.output_guard.prompt_leak import marked
from service_kit.output_guard.settings import OutputGuardSettings

__all__ = ["Finding", "GuardMetrics", "GuardModes", "OutputGuard", "OutputGuardSettings", "guarded", "marked"]
