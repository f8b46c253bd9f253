"""Notes over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service_kit.state import service_state

MEETING = """Weekly meeting of the boat club, 3 March

Anna: The new boats arrived on Monday and lie at berth twelve.
Ben: We have decided to raise the rent to nine euros an hour.
Anna: I will send the new price list to all members by Friday.
Chloe: Ben should order six life jackets before 12 March.
"""


async def test_a_meeting_becomes_a_note_whose_every_point_stands_in_the_text(stack: Any) -> None:
    note = await stack.note(MEETING, kind="meeting", title="club")
    assert note["status"] == "ready"
    assert note["title"] == "Weekly meeting of the boat club, 3 March"
    assert note["extractive"] is True
    assert note["incomplete"] is False
    (decision,) = note["content"]["decisions"]
    assert "nine euros" in decision["text"]
    actions = [(action["owner"], action["due"]) for action in note["content"]["action_items"]]
    assert actions == [("Anna", "Friday"), ("Ben", "12 March")]
    source = (await stack.http.get(f"/v1/notes/{note['id']}/source")).json()["text"]
    points = note["content"]["decisions"] + note["content"]["action_items"] + note["content"]["key_points"]
    assert points
    for point in points:
        span = point["source"]
        assert source[span["start"] : span["end"]] == span["quote"]


async def test_a_file_goes_through_the_processor(stack: Any) -> None:
    file = {"file": ("meeting.txt", MEETING.encode())}
    answer = await stack.http.post("/v1/notes", files=file, data={"kind": "meeting"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["source_name"] == "meeting.txt"
    assert answer.json()["content"]["action_items"]


async def test_not_waiting_answers_202_with_a_job_that_can_be_watched(stack: Any) -> None:
    answer = await stack.http.post("/v1/notes?wait=0", json={"text": MEETING})
    assert answer.status_code == 202
    job = await stack.ended(answer.json()["job_id"])
    assert (job["status"], job["parts_done"], job["parts_total"]) == ("ready", 1, 1)
    watched = await stack.http.get(f"/v1/jobs/{job['id']}/events")
    assert watched.text.startswith("event: ready\n")


@pytest.mark.live
async def test_a_hundred_notes_at_once_are_all_accepted(stack: Any) -> None:
    posts = [stack.http.post("/v1/notes?wait=0", json={"text": f"Note {number}. It rains."}) for number in range(100)]
    answers = await asyncio.gather(*posts)
    assert [answer.status_code for answer in answers] == [202] * 100
    async with asyncio.timeout(120):
        while not (await stack.http.get("/v1/jobs", params={"status": "ready", "limit": 100})).json()["items"][99:]:
            await asyncio.sleep(0.2)


async def test_list_search_edit_export_delete(stack: Any) -> None:
    first = await stack.note(MEETING, kind="meeting")
    await stack.note("The lecture was about glaciers. Ice flows under its own weight, slowly.", kind="lecture")
    listed = (await stack.http.get("/v1/notes")).json()["items"]
    assert len(listed) == 2
    found = (await stack.http.get("/v1/notes", params={"q": "life jackets"})).json()["items"]
    assert [note["id"] for note in found] == [first["id"]]
    assert (await stack.http.get("/v1/notes", params={"q": "100%_"})).json()["items"] == []
    assert [n["kind"] for n in (await stack.http.get("/v1/notes", params={"kind": "lecture"})).json()["items"]] == [
        "lecture"
    ]

    content = {**first["content"], "summary": "Boats, rent, jackets."}
    edit = {"title": "Boats *and* rent", "content": content, "revision": first["revision"]}
    edited = await stack.http.put(f"/v1/notes/{first['id']}", json=edit)
    assert edited.status_code == 200
    assert edited.json()["revision"] == 2
    assert (await stack.http.put(f"/v1/notes/{first['id']}", json=edit)).status_code == 409

    exported = await stack.http.get(f"/v1/notes/{first['id']}/markdown")
    assert exported.headers["content-type"].startswith("text/markdown")
    assert exported.text.startswith("# Boats \\*and\\* rent\n\nBoats, rent, jackets.")
    assert "- [ ] **Anna**: I will send the new price list to all members by Friday. (due Friday)" in exported.text

    assert (await stack.http.delete(f"/v1/notes/{first['id']}")).status_code == 204
    assert (await stack.http.get(f"/v1/notes/{first['id']}")).status_code == 404


async def test_a_user_sees_only_their_own_notes(stack: Any) -> None:
    note = await stack.note(MEETING)
    other = {"Authorization": f"Bearer {service_state(stack.app).keys.create('other', 'user')}"}
    assert (await stack.http.get("/v1/notes", headers=other)).json()["items"] == []
    for method, path in (("GET", ""), ("GET", "/source"), ("GET", "/markdown"), ("DELETE", ""), ("POST", "/retry")):
        answer = await stack.http.request(method, f"/v1/notes/{note['id']}{path}", headers=other)
        assert answer.status_code == 404
    assert (await stack.http.get(f"/v1/jobs/{note['job_id']}", headers=other)).status_code == 404


async def test_bad_input_is_a_problem_detail(stack: Any) -> None:
    json = {"Content-Type": "application/json"}
    for status, options in (
        (422, {"json": {"text": "  "}}),
        (422, {"json": {"text": "x", "kind": "poem"}}),
        (422, {"json": {}}),
        (422, {"content": b"[" * 100_000, "headers": json}),
        (422, {"files": {"file": ("a.txt", b"")}}),
        (422, {"files": {"file": ("a.txt", b"x")}, "data": {"kind": "poem"}}),
        (415, {"content": b"x", "headers": {"Content-Type": "text/plain"}}),
    ):
        answer = await stack.http.post("/v1/notes", **options)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
    assert (await stack.http.get("/v1/notes")).json()["items"] == []


async def test_an_unreadable_file_fails_with_the_reason_and_can_be_retried(stack: Any) -> None:
    stack.processor.refuse = {"status": 422, "type": "urn:x:password-required", "detail": "needs a password"}
    note = (await stack.http.post("/v1/notes", files={"file": ("a.pdf", b"secret text of the file")})).json()
    assert note["status"] == "failed"
    job = (await stack.http.get(f"/v1/jobs/{note['job_id']}")).json()
    assert job["error"]["detail"] == "needs a password"
    stack.processor.refuse = None
    retried = (await stack.http.post(f"/v1/notes/{note['id']}/retry")).json()
    assert (await stack.ended(retried["job_id"]))["status"] == "ready"
    assert (await stack.http.post(f"/v1/notes/{note['id']}/retry")).status_code == 409
