"""Reports that the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.rag import Stack
from rag_service.reports import ReportIn, Reports
from service_kit.errors import NotFound

PAGE = "<!doctype html><title>x</title><script>alert(1)</script><p>42 tokens/s"


async def test_a_report_is_kept_listed_opened_and_deleted(stack: Stack) -> None:
    made = await stack.http.post("/v1/reports", json={"kind": "migration", "title": "text: from a to b", "html": PAGE})
    assert made.status_code == 201, made.text
    assert (await stack.http.get("/v1/reports")).json() == {"items": [made.json()]}
    opened = await stack.http.get(f"/v1/reports/{made.json()['id']}")
    assert opened.text == PAGE
    assert opened.headers["content-type"].startswith("text/html")
    # No script of it runs, and it is of no origin, so that it could not use the reader's session.
    policy = opened.headers["content-security-policy"]
    assert {"default-src 'none'", "sandbox"} <= set(policy.split("; "))
    assert "script" not in policy
    assert (await stack.http.delete(f"/v1/reports/{made.json()['id']}")).status_code == 204
    assert (await stack.http.get(f"/v1/reports/{made.json()['id']}")).status_code == 404


@pytest.mark.parametrize("name", ["../rag", "report_x", "..%2Frag"])
async def test_a_report_is_no_path(stack: Stack, name: str) -> None:
    for method in ("GET", "DELETE"):
        assert (await stack.http.request(method, f"/v1/reports/{name}")).status_code in (404, 405)


def test_the_newest_hundred_are_kept(tmp_path: Path) -> None:
    reports = Reports(tmp_path)
    made = [reports.publish(ReportIn(kind="comparison", title=str(number), html=PAGE)) for number in range(102)]
    assert [report.id for report in reports.all()] == sorted((each.id for each in made), reverse=True)[:100]
    assert len(list(tmp_path.glob("*.html"))) == 100
    with pytest.raises(NotFound):
        reports.page(min(each.id for each in made))
