"""All checks, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from switchyard.stack.preflight import engine_checks, gpu_checks, host_checks, setting_checks
from switchyard.stack.preflight.facts import Facts
from switchyard.stack.preflight.findings import Finding

Check = Callable[[Facts], Iterator[Finding]]
CHECKS: Sequence[Check] = (
    engine_checks.command,
    engine_checks.engine,
    engine_checks.compose,
    engine_checks.files,
    gpu_checks.cards,
    gpu_checks.runtime,
    gpu_checks.drivers,
    gpu_checks.visible_devices,
    gpu_checks.shares,
    gpu_checks.vllm_fits,
    gpu_checks.ollama_fits,
    host_checks.cores,
    host_checks.memory,
    host_checks.ports,
    host_checks.disk,
    setting_checks.secrets_in_dotenv,
    setting_checks.secret_files,
    setting_checks.closed_files,
    setting_checks.tracked,
    setting_checks.names,
    setting_checks.licences,
    setting_checks.policy,
)


def run(facts: Facts) -> list[Finding]:
    return [finding for check in CHECKS for finding in check(facts)]
