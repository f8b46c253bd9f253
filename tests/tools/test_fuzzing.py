"""Random requests over the three OpenAPI documents: whatever comes, no service fails."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings

from switchyard.services import SERVICES

pytestmark = pytest.mark.security
EXAMPLES = 25
"""Requests of each operation."""
_LEFT_OUT = {
    # They stop or move what the other requests need.
    ("PUT", "/v1/providers"),
    ("POST", "/v1/providers/environment"),
}


@pytest.mark.parametrize("service", [service.path for service in SERVICES])
def test_no_request_makes_a_service_fail(process: Any, service: str) -> None:
    client = process.start()
    base, headers = (
        f"http://127.0.0.1:{process.port}/{service}",
        {"Authorization": client.http.headers["Authorization"]},
    )
    schema = schemathesis.openapi.from_dict(client.http.get(f"/{service}/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    asked = 0
    for operation in operations:
        if (operation.method.upper(), operation.path) in _LEFT_OUT:
            continue

        @seed(20261126)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            nonlocal asked
            answer = case.call(base_url=base, headers=headers, timeout=60)
            asked += 1
            # 503 with a word on what is missing: there is no vision model, no other engine.
            assert answer.status_code < 500 or answer.status_code in (501, 503), (case.as_curl_command(), answer.text)

        send()
    assert asked > EXAMPLES * len(operations) // 3
    assert client.http.get("/readyz").status_code == 200
