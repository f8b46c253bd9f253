"""What a person does on the page: sign in, add documents, ask, look at the proof."""

from __future__ import annotations

import io
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from reportlab.pdfgen.canvas import Canvas

from browser.site import CRANE, TRUE, Site
from engines.faults import Fault

pytestmark = pytest.mark.browser
FALSE = "It was painted green in 1987."


def written(*lines: str) -> bytes:
    """Make a PDF with a text layer."""
    file = io.BytesIO()
    canvas = Canvas(file)
    for number, line in enumerate(lines):
        canvas.drawString(72, 750 - 24 * number, line)
    canvas.save()
    return file.getvalue()


def test_a_key_is_exchanged_for_a_session(site: Site, picture: Callable[[Page, str], None]) -> None:
    page = site.open()
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_label("API key").fill("sy-wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("unknown or was revoked")
    picture(page, "sign-in")
    key = site.client.call("POST", "/rag/v1/keys", json={"name": "anna"})
    # The wrong one must be forgiven first: addresses that fail wait a second.
    page.get_by_label("API key").fill(key["key"])
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    for _ in range(20):
        page.get_by_role("button", name="Sign in").click()
        expect(
            page.get_by_role("button", name="Sign in").or_(page.get_by_role("textbox", name="Question", exact=True))
        ).to_be_enabled()
        if page.get_by_role("textbox", name="Question", exact=True).is_visible():
            break
    expect(page.locator("#nav")).not_to_contain_text("Keys")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert key["key"] not in kept
    assert cookie["value"] not in kept

    site.client.call("DELETE", f"/rag/v1/keys/{key['id']}")
    page.goto(f"{site.url}/#/documents")
    expect(page.get_by_role("alert")).to_contain_text("sign in again")


def test_a_link_signs_in_once(site: Site) -> None:
    secret = site.client.call("POST", "/rag/v1/session/links")["secret"]
    first, second = site.open(), site.browser.new_context().new_page()
    first.goto(f"{site.url}/#once={secret}")
    expect(first.get_by_role("textbox", name="Question", exact=True)).to_be_visible()
    assert secret not in first.url
    second.goto(f"{site.url}/#once={secret}")
    expect(second.get_by_role("alert")).to_contain_text("was used already")
    second.context.close()


def test_documents_are_added_watched_found_opened_and_deleted(site: Site, picture: Callable[[Page, str], None]) -> None:
    page = site.open("documents")
    page.get_by_label("Add to collection").fill("cranes")
    good = {"name": "crane.pdf", "mimeType": "", "buffer": written("The harbour crane lifts", "4,200 kilograms.")}
    bad = {"name": "broken.pdf", "mimeType": "", "buffer": b"%PDF-1.7\nnothing of a PDF follows"}
    page.locator("input[type=file]").first.set_input_files([good, bad])
    uploads = page.locator(".uploads li")
    expect(uploads.filter(has_text="crane.pdf")).to_contain_text("ready · 1 page")
    broken = uploads.filter(has_text="broken.pdf")
    expect(broken).to_contain_text("damaged or cut short")
    picture(page, "documents")
    expect(broken.get_by_role("button", name="Retry")).to_be_visible()
    row = page.locator("tr[data-document]")
    expect(row).to_have_count(2)
    expect(row.filter(has_text="broken")).to_contain_text("damaged or cut short")
    row.filter(has_text="broken").get_by_role("button", name="Retry").click()
    expect(row.filter(has_text="broken")).to_contain_text("failed")
    page.get_by_label("Search by name").fill("crane")
    expect(row).to_have_count(1)
    row.get_by_role("link").click()
    expect(page.locator(".paper img")).to_be_visible()
    page.get_by_text("4,200 kilograms.").hover()
    expect(page.locator(".pointed")).to_have_count(1)
    assert within(page.locator(".pointed").bounding_box(), page.locator(".paper").bounding_box())

    page.go_back()
    expect(row).to_have_count(2)
    row.filter(has_text="broken").get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    expect(row).to_have_count(2)
    row.filter(has_text="broken").get_by_role("button", name="Delete").click()
    page.goto(f"{site.url}/#/ask")  # leaving ends the time for "Undo"
    page.goto(f"{site.url}/#/documents")
    expect(row).to_have_count(1)


def test_an_older_version_is_shown_and_restored(site: Site) -> None:
    site.add_file("tide.pdf", written("The tide table is that of 2025."), "tides")
    new = site.add_file("tide.pdf", written("The tide table is that of 2026."), "tides")
    page = site.open(f"documents/{new}")
    versions = page.get_by_role("list", name="Versions")
    expect(versions.locator("li")).to_have_count(2)
    expect(versions.locator("li").first).to_contain_text("Version 2 · answers")
    versions.get_by_role("button", name="Restore").click()
    expect(versions.locator("li").first).to_contain_text("Version 3 · answers")
    expect(versions.locator("li").last).to_contain_text("Version 2 · replaced")
    expect(page.locator(".page-text")).to_contain_text("that of 2025")


def test_the_page_says_whether_documents_leave_the_machine(site: Site) -> None:
    page = site.open("documents")
    expect(page.get_by_role("heading", name="Documents")).to_be_visible()
    expect(page.get_by_role("note")).to_have_count(0)
    page.route("**/doc-processor/health", lambda route: route.fulfill(json={"llamaparse": {"host": "cloud.example"}}))
    page.reload()
    expect(page.get_by_role("note")).to_contain_text("they are sent to LlamaParse (cloud.example)")


def within(inner: Any, outer: Any) -> bool:
    return bool(
        outer["x"] - 1 <= inner["x"]
        and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
        and outer["y"] - 1 <= inner["y"]
        and inner["y"] + inner["height"] <= outer["y"] + outer["height"] + 1
    )


def test_every_sentence_shows_its_proof(site: Site, picture: Callable[[Page, str], None]) -> None:
    site.serve_text("embedded")
    page = site.open("ask")
    site.ask(page, "Below which temperature does the climate alarm sound in the North House?")
    chip = page.locator(".chip").first
    chip.click()
    proof = page.get_by_role("complementary", name="Proof")
    expect(proof.locator("h2")).to_contain_text("Climate and irrigation manual, page 2")
    expect(proof.locator(".quoted").first).to_be_visible()
    picture(page, "answer-with-proof")
    page.keyboard.press("Escape")
    expect(proof).to_be_hidden()
    expect(chip).to_be_focused()

    # A scan: the words that OCR has read are boxed on the picture.
    page.goto(f"{site.url}/#/ask")
    site.ask(page, "Who has inspected the pumps, and when?")
    page.locator(".chip[data-document]").first.click()
    expect(proof.locator(".quoted, mark").first).to_be_visible()
    # What is in no document is said to be so, with the nearest ones.
    page.goto(f"{site.url}/#/ask")
    site.ask(page, "Who won the chess championship of 1972?")
    expect(page.locator(".reply.none")).to_contain_text("not found in your documents")
    expect(page.locator(".reply .foot")).to_contain_text("Closest documents")


def test_sentences_without_support_are_marked(site: Site) -> None:
    site.add(CRANE, "The crane", "marks")
    site.serve_text("vllm")
    site.vllm.answer = lambda _: f"{TRUE} {FALSE}"
    page = site.open("ask")
    page.get_by_label("Collection").select_option("marks")
    site.ask(page, "How much does the crane lift?")
    expect(page.locator(".supported").first).to_contain_text("4,200 kilograms")
    expect(page.locator(".unsupported")).to_contain_text("painted green")
    expect(page.locator(".reply")).to_contain_text("1 sentence without proof")
    page.locator(".how summary").click()
    expect(page.locator(".how")).to_contain_text("tokens")


def test_an_answer_comes_as_it_is_written_and_can_be_stopped(site: Site) -> None:
    site.serve_text("vllm")
    words = " ".join(f"word{number}" for number in range(2000))
    site.vllm.answer, site.vllm.delay = (lambda _: words), 0.02
    page = site.open("ask")
    site.ask(page, "How is the climate manual used?")
    expect(page.locator(".streaming")).to_contain_text("word5")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible()
    seen = site.vllm.requests("/chat/completions")[-1]
    assert seen.finished.wait(20)
    assert seen.cancelled


def test_conversations_are_kept_searched_changed_and_rated(site: Site) -> None:
    site.serve_text("embedded")
    page = site.open("ask")
    site.ask(page, "How much gas did the thermal screen save?")
    expect(page.locator(".reply .tools")).to_be_visible()
    site.ask(page, "Who is on frost watch in week 45?")
    expect(page.locator(".reply .tools")).to_have_count(2)
    page.once("dialog", lambda dialog: dialog.accept("It names the wrong week."))
    page.get_by_role("button", name="Bad").first.click()
    expect(page.get_by_role("button", name="Bad").first).to_have_attribute("aria-pressed", "true")
    assert site.client.call("GET", "/rag/v1/ratings")["items"][0]["reason"] == "It names the wrong week."

    page.get_by_role("button", name="Edit").first.click()
    page.get_by_label("Changed question").fill("What does pump 2 need?")
    page.get_by_role("button", name="Ask again").first.click()
    expect(page.locator(".question")).to_have_count(1)
    expect(page.locator(".question")).to_contain_text("pump 2")
    expect(page.locator(".reply .tools")).to_have_count(1)
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".reply .tools")).to_have_count(1)

    conversations = page.locator(".conversations li")
    page.get_by_label("More about").first.click()
    page.once("dialog", lambda dialog: dialog.accept("Of seals"))
    page.get_by_role("button", name="Rename").first.click()
    expect(conversations.first).to_contain_text("Of seals")
    page.get_by_label("Search conversations").fill("no such words")
    expect(conversations.first).to_contain_text("None holds these words.")
    page.get_by_label("Search conversations").fill("of seals")
    expect(conversations).to_have_count(1)
    expect(conversations.get_by_role("link")).to_have_text("Of seals")
    page.reload()
    expect(page.locator(".reply")).to_have_count(1)
    page.get_by_label("More about Of seals").click()
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(conversations.filter(has_text="Of seals")).to_have_count(0)


def test_a_failover_leaves_its_mark_at_the_place(site: Site, picture: Callable[[Page, str], None]) -> None:
    site.add(CRANE, "The crane", "failover")
    site.serve_text("vllm", "ollama")
    whole = f"{TRUE} It was tested on 3 May 2026 [1]. Nobody may stand below it [1]."
    site.vllm.answer = site.ollama.answer = lambda _: whole
    site.vllm.script(Fault.cut(after=8), path="/chat/completions")
    page = site.open("ask")
    page.get_by_label("Collection").select_option("failover")
    site.ask(page, "What is to be known about the crane?")
    mark = page.locator(".reply .switch")
    expect(page.locator(".reply .tools")).to_be_visible()
    expect(mark).to_contain_text("vllm failed here; ollama continues")
    picture(page, "failover")
    before = page.locator(".reply .answer").inner_text()
    page.reload()
    expect(mark).to_have_count(1)
    assert page.locator(".reply .answer").inner_text() == before
    assert before.index("vllm failed here") < before.index("Nobody")


def test_reloading_in_mid_stream_finds_the_answer_that_went_on(site: Site) -> None:
    site.serve_text("vllm")
    words = " ".join(f"word{number}" for number in range(150))
    site.vllm.answer, site.vllm.delay = (lambda _: words), 0.05
    page = site.open("ask")
    site.ask(page, "What does the handbook say?")
    expect(page.locator(".streaming")).to_contain_text("word3")
    other = page.context.new_page()
    other.goto(page.url)
    page.reload()
    for tab in (page, other):
        expect(tab.locator(".question")).to_contain_text("What does the handbook say?")
        expect(tab.locator(".reply .tools")).to_be_visible()
        expect(tab.locator(".reply")).to_have_count(1)
    assert len(site.vllm.requests("/chat/completions")) > 0


def test_a_lost_connection_is_made_again(site: Site) -> None:
    site.serve_text("vllm")
    site.vllm.answer, site.vllm.delay = (lambda _: " ".join(f"word{number}" for number in range(120))), 0.05
    page = site.open("ask")
    site.ask(page, "What does the handbook say of visitors?")
    expect(page.locator(".streaming")).to_contain_text("word2")
    page.context.set_offline(True)
    expect(page.locator(".toast").filter(has_text="offline")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator(".reply .tools")).to_be_visible()


def test_a_server_that_was_restarted_finds_its_users_signed_in(site: Site) -> None:
    page = site.open("documents")
    site.process.kill(signal.SIGTERM)
    try:
        page.get_by_role("link", name="Notes").click()
        expect(page.locator("#main")).to_contain_text("does not answer")
    finally:
        site.client = site.process.start()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Notes")).to_be_visible()


def test_notes_are_made_ticked_off_and_exported(site: Site, picture: Callable[[Page, str], None]) -> None:
    site.serve_text("embedded")
    page = site.open("notes")
    page.get_by_label("Text", exact=True).fill(
        "Ilse: We have decided to replace the seal of pump 2.\n\nIlse: Ruben, please order the seal kit by 15 October 2027.\n\n"
        "Ruben: Good.\n\nTobias: I will call the engineer by Friday."
    )
    page.get_by_role("button", name="Make a note").click()
    actions = page.locator(".points li:has(input)")
    expect(actions.first).to_be_visible()
    picture(page, "note")
    page.locator(".points button.plain").filter(has_text="seal kit").first.click()
    expect(page.locator("pre mark")).to_contain_text("Ruben, please order the seal kit")
    first = actions.filter(has_text="seal kit")
    first.get_by_role("checkbox").check()
    expect(first).to_have_class(re.compile("done"))
    page.reload()
    expect(first.get_by_role("checkbox")).to_be_checked()
    page.get_by_label("open only").check()
    expect(first).to_have_count(0)
    page.get_by_label("open only").uncheck()
    page.get_by_label("Owner").select_option("Ruben")
    expect(actions).to_have_count(1)
    with page.expect_download() as calendar:
        page.get_by_role("button", name="Calendar").click()
    text = calendar.value.path().read_bytes().decode()
    assert "DTSTART;VALUE=DATE:20271015\r\n" in text
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    with page.expect_download() as markdown:
        page.get_by_role("link", name="Markdown").click()
    assert "- [x] **Ruben**" in markdown.value.path().read_text()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Title").fill("About pump 2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="About pump 2")).to_be_visible()


def test_engines_are_switched_with_a_question_first(site: Site, picture: Callable[[Page, str], None]) -> None:
    site.serve_text("vllm", "ollama")
    page = site.open("engines")
    text = page.get_by_role("region", name="Role text")
    expect(text.locator("tr").filter(has_text="vllm").first).to_contain_text("serves")
    text.get_by_label("Engine for text").select_option("ollama")
    text.get_by_role("button", name="Canary").click()
    page.get_by_role("dialog").get_by_role("button", name="Begin").click()
    expect(text).to_contain_text("ollama on trial: canary 10 %")
    expect(text).to_contain_text("of at least 20")
    picture(page, "engines")
    text.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("dialog")).to_contain_text("ollama serves all of text; vllm becomes its fallback.")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    text.get_by_role("button", name="Promote").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(text.locator("tr").filter(has_text="ollama").first).to_contain_text("serves")
    text.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(text.locator("tr").filter(has_text="vllm").first).to_contain_text("serves")
    page.get_by_role("button", name="Emergency stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(text).to_contain_text("stopped")
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(text).not_to_contain_text("stopped")
    expect(page.locator("table").last).to_contain_text("promote, on the page")


def test_a_migration_goes_on_once_its_stage_has_held(site: Site, picture: Callable[[Page, str], None]) -> None:
    site.serve_text("vllm", "ollama")
    page = site.open()
    page.clock.install()
    page.goto(f"{site.url}/#/engines")
    text = page.get_by_role("region", name="Role text")
    text.get_by_label("Engine for text").select_option("ollama")
    text.get_by_role("button", name="Migrate").click()
    expect(page.get_by_role("dialog")).to_contain_text("shadow 20 %, canary 10 %, canary 50 %, canary 100 %, promote")
    page.get_by_role("dialog").get_by_role("button", name="Begin").click()
    expect(text.locator("[aria-current=step]")).to_have_text("shadow 20 %")
    expect(text).to_contain_text("waiting for traffic: 0 of 20")
    expect(text.get_by_role("button", name="Next: canary 10 %")).to_be_disabled()

    # As the command line goes on: the page follows, and leaves the steps to it.
    change_text(site, "migration: canary 100 %", canary_percent=100, shadow_percent=0)
    expect(text.locator("[aria-current=step]")).to_have_text("canary 100 %")
    expect(text).to_contain_text("`switchyard migrate` takes the steps")
    expect(text.get_by_role("button", name="Next")).to_have_count(0)

    change_text(site, "by hand", canary_percent=100)
    for number in range(20):
        site.client.call("POST", "/rag/v1/query", json={"question": f"What does the crane lift on day {number}?"})
    page.clock.fast_forward(150_000)
    expect(text).to_contain_text(re.compile("held, with 2[0-9] requests"))
    picture(page, "migration")
    text.get_by_role("button", name="Next: promote").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    expect(text.locator("tr").filter(has_text="ollama").first).to_contain_text("serves")


def change_text(site: Site, why: str, **change: Any) -> None:
    """Change the policy of the role text, as somebody elsewhere does."""
    revision = site.client.call("GET", "/rag/v1/providers")["revision"]
    body = {"revision": revision, "why": why, "policy": {"roles": {"text": change}}}
    site.client.call("PUT", "/rag/v1/providers", json=body)


def test_reports_are_opened_from_the_page(site: Site) -> None:
    html = "<title>x</title><h1>Two engines</h1><script>document.title = 'run'</script><p>42 tokens/s"
    given = {"kind": "comparison", "title": "ollama and vllm <b>", "html": html}
    site.client.call("POST", "/rag/v1/reports", json=given)
    page = site.open("engines")
    link = page.get_by_role("link", name="ollama and vllm <b>")
    with page.expect_popup() as opened:
        link.click()
    expect(opened.value.get_by_role("heading", name="Two engines")).to_be_visible()
    assert opened.value.title() == "x"
    page.get_by_role("button", name="Delete the report ollama").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(link).to_have_count(0)
    assert site.client.call("GET", "/rag/v1/reports")["items"] == []


def test_keys_are_made_bound_and_revoked(site: Site) -> None:
    page = site.open("keys")
    page.get_by_label("Name").fill("the printer")
    page.get_by_label("Only these collections").select_option("default")
    page.get_by_role("button", name="Create the key").click()
    secret = page.locator(".secret").inner_text()
    assert secret.startswith("sy-")
    row = page.locator("tbody tr").filter(has_text="the printer")
    expect(row).to_contain_text("default")
    page.reload()
    expect(row).to_be_visible()
    assert secret not in page.content()
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)


@pytest.mark.parametrize("path", ["ask", "documents", "notes", "programs"])
def test_who_may_not_see_engines_and_keys_is_not_offered_them(site: Site, path: str) -> None:
    key = site.client.call("POST", "/rag/v1/keys", json={"name": f"reader {path}", "collections": ["default"]})["key"]
    page = site.open(path, key=key)
    expect(page.locator("#nav a")).to_have_count(5)
    page.goto(f"{site.url}/#/keys")
    expect(page.locator("h1")).to_contain_text("Ask your documents")


def test_a_view_that_comes_late_does_not_overwrite_the_next(site: Site) -> None:
    page = site.open("programs")
    held: list[Route] = []
    page.route("**/rag/v1/collections", lambda route: held.append(route))
    with page.expect_request("**/rag/v1/collections"):
        page.goto(f"{site.url}/#/keys")
    page.goto(f"{site.url}/#/programs")
    expect(page.locator("h1")).to_have_text("For programs")
    with page.expect_response("**/rag/v1/keys"):
        held[0].continue_()
    expect(page.locator("h1")).to_have_text("For programs")
