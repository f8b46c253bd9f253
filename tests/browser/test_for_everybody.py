"""The page for everybody: by keyboard alone, by screen reader, on a telephone, in the dark; and what hostile content does there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from importlib.resources import files

import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, expect
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from browser.site import CRANE, SECONDS, TRUE, Site
from harness.boxes import Box, overlap

pytestmark = pytest.mark.browser
VIEWS = ("ask", "documents", "graph", "notes", "engines", "keys", "programs")
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
_RULES = "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
HOSTILE = (
    "<img src=x onerror=window.done=1>",
    "<script>window.done=1</script>",
    "[click](javascript:window.done=1)",
    "![](https://collect.invalid/a.png)",
    '"><svg onload=window.done=1>',
    "<iframe srcdoc='<script>parent.done=1</script>'></iframe>",
    "{{constructor.constructor('window.done=1')()}}",
    "</code></pre><style>@import url(https://collect.invalid/s.css)</style>",
)


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it is now."""
    page.evaluate(AXE)
    found = page.evaluate(_RULES)["violations"]
    return [f"{one['id']}: {one['nodes'][0]['target']} {one['nodes'][0]['failureSummary']}" for one in found]


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_anybody_out(site: Site, scheme: str, picture: Callable[[Page, str], None]) -> None:
    site.serve_text("embedded")
    page = site.open(color_scheme=scheme)
    for view in VIEWS:
        page.goto(f"{site.url}/#/{view}")
        expect(page.locator("#nav [aria-current]")).to_have_count(1)
        expect(page.locator("h1").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert violations(page) == [], view
        picture(page, f"{view}-{scheme}")
    page.goto(f"{site.url}/#/ask")
    site.ask(page, "Below which temperature does the climate alarm sound in the North House?")
    page.locator(".chip").first.click()
    expect(page.locator(".quoted").first).to_be_visible()
    assert violations(page) == []
    page.goto(f"{site.url}/#/documents")
    page.get_by_role("link", name="pump-inspection-scan").click()
    expect(page.locator(".paper img")).to_be_visible()
    assert violations(page) == []
    page.locator("#account summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert violations(page) == []


def test_the_main_job_by_keyboard_alone(site: Site) -> None:
    site.serve_text("embedded")
    page = site.open("ask")
    expect(page.get_by_role("textbox", name="Question", exact=True)).to_be_focused()
    page.keyboard.type("Below which temperature does the climate alarm sound in the North House?")
    page.keyboard.press("Enter")
    expect(page.locator(".reply .tools")).to_be_visible()
    reach(page, ".chip")
    chip = page.locator(".chip:focus").evaluate_handle("one => one")
    page.keyboard.press("Enter")
    expect(page.locator(".proof .quoted").first).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("one => document.activeElement === one", chip)
    page.goto(f"{site.url}/#/documents")
    expect(page.locator("h1")).to_have_text("Documents")
    reach(page, "tr[data-document] a")
    page.keyboard.press("Enter")
    expect(page.locator(".paper img, .text").first).to_be_visible()


def reach(page: Page, selector: str) -> None:
    """Press the tabulator key until what `selector` names has the focus."""
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if selector == ".chip" else "Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} can't be reached with the keyboard")


def test_on_a_telephone(site: Site, picture: Callable[[Page, str], None]) -> None:
    site.serve_text("embedded")
    page = site.open(is_mobile=True, has_touch=True)
    page.set_viewport_size({"width": 360, "height": 740})
    for view in VIEWS:
        page.goto(f"{site.url}/#/{view}")
        expect(page.locator("h1").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert fits(page), view
        picture(page, f"{view}-360")
    page.goto(f"{site.url}/#/ask")
    site.ask(page, "Below which temperature does the climate alarm sound in the North House?")
    page.locator(".chip").first.tap()
    expect(page.locator(".quoted").first).to_be_visible()
    assert fits(page)
    picture(page, "proof-360")


def test_hostile_content_does_nothing(site: Site) -> None:
    """As file names, titles, documents, and in what a model writes: it is shown as text, and nothing is fetched."""
    for number, hostile in enumerate(HOSTILE):
        site.add(f"# {hostile}\n\n{CRANE} {hostile} Number {number}.", hostile, "hostile")
        site.add_file(f"{hostile.replace('/', '')}.txt", f"{hostile} {number}".encode(), "hostile")
    site.serve_text("vllm")
    site.vllm.answer = lambda _: "\n\n".join((TRUE, *HOSTILE))
    page = site.open("documents")
    page.get_by_label("Collection", exact=True).select_option("hostile")
    expect(page.locator("tr[data-document]")).to_have_count(2 * len(HOSTILE))
    for link in page.locator("tr[data-document] a").all()[:4]:
        link.click()
        expect(page.locator(".view .text")).to_be_visible()
        page.go_back()
        expect(page.locator("tr[data-document]").first).to_be_visible()
    page.goto(f"{site.url}/#/ask")
    page.get_by_label("Collection", exact=True).select_option("hostile")
    for question in (HOSTILE[0], "How much does the crane lift?"):
        page.goto(f"{site.url}/#/ask")
        site.ask(page, question)
        expect(page.locator(".reply .foot")).to_be_visible()
    page.locator(".chip").first.click()
    expect(page.locator(".view mark, .view .quoted").first).to_be_visible()
    page.goto(f"{site.url}/#/notes")
    page.get_by_label("Text", exact=True).fill("\n".join(f"Ilse: We have decided {one}." for one in HOSTILE))
    page.get_by_role("button", name="Make a note").click()
    expect(page.locator(".points, .warn").first).to_be_visible()
    assert page.evaluate("window.done") is None
    assert page.locator("main iframe, main svg:not(.plot svg), main script").count() == 0


def test_a_long_answer_does_not_block_the_page(site: Site) -> None:
    """20,000 tokens as they come; the limit is wider than the figure in docs/performance.md, since machines are busy."""
    site.serve_text("vllm")
    words = "\n\n".join(" ".join(f"word{row}x{word}" for word in range(40)) for row in range(250))
    site.add(CRANE, "The crane", "long")
    site.vllm.answer = lambda _: f"{TRUE}\n\n{words}"
    page = site.open("ask")
    page.evaluate(
        "window.tasks = []; new PerformanceObserver(list => list.getEntries().forEach(one => tasks.push(one.duration)))"
        ".observe({ type: 'longtask', buffered: true })"
    )
    page.get_by_label("Collection", exact=True).select_option("long")
    site.ask(page, "How much does the crane lift?")
    expect(page.locator(".reply .tools")).to_be_visible(timeout=3 * SECONDS * 1000)
    assert "word249x39" in page.locator(".reply .answer").inner_text()
    assert max(page.evaluate("tasks"), default=0) < 2000


def test_quoted_words_are_boxed_where_they_stand(site: Site) -> None:
    """On the picture as the browser shows it, 40 quotations of a text layer and of a scan against their true places."""
    for name, made, least in (("text.pdf", text_pdf, 0.98), ("scan.png", scan_png, 0.9)):
        content, places = made()
        document = site.add_file(name, content, "boxes")
        page = site.open("programs")
        text = site.client.call("GET", f"/rag/v1/documents/{document}/pages")[0]["text"]
        right = 0
        for words, true_box in places:
            at = re.search(r"\s+".join(map(re.escape, words.split())), text)
            if at is None:
                continue  # OCR has read it differently
            boxes = page.evaluate(BOXES, [document, at.start(), at.end()])
            right += len(boxes) == 1 and overlap(boxes[0], true_box) >= 0.5
        assert right >= least * len(places), (name, right)


BOXES = """async ([id, start, end]) => {
  const { drawPage } = await import("/web/parts/proof.js");
  const place = document.createElement("div");
  document.getElementById("main").append(place);
  await drawPage(place, id, 1, { start, end });
  const picture = place.querySelector("img"), style = getComputedStyle(picture), whole = picture.getBoundingClientRect();
  const left = whole.left + parseFloat(style.paddingLeft), top = whole.top + parseFloat(style.paddingTop);
  const width = whole.right - parseFloat(style.paddingRight) - left, height = whole.bottom - parseFloat(style.paddingBottom) - top;
  const boxes = [...place.querySelectorAll(".quoted")].map(one => one.getBoundingClientRect());
  place.remove();
  return boxes.map(box => [(box.left - left) / width, (box.top - top) / height, (box.right - left) / width, (box.bottom - top) / height]);
}"""
SUBJECTS = ("crane", "pump", "valve", "screen", "heater", "gate", "boiler", "sluice", "winch", "hatch")


def lines() -> list[str]:
    return [f"The {what} number {row * 37 % 89} was tested in week {row + 3}" for row, what in enumerate(SUBJECTS * 2)]


def text_pdf() -> tuple[bytes, list[tuple[str, Box]]]:
    file, places, width, height, size = io.BytesIO(), [], 595.0, 842.0, 12
    canvas = Canvas(file, (width, height))
    canvas.setFont("Helvetica", size)
    for row, line in enumerate(lines()):
        x, y = 72, 760 - 32 * row
        canvas.drawString(x, y, line)
        words = line.split()
        for first, last in ((1, 4), (0, 8)):
            before, quoted = " ".join([*words[:first], ""]) if first else "", " ".join(words[first:last])
            left = x + stringWidth(before, "Helvetica", size)
            right = left + stringWidth(quoted, "Helvetica", size)
            box = (left / width, 1 - (y + 0.75 * size) / height, right / width, 1 - (y - 0.21 * size) / height)
            places.append((quoted, box))
    canvas.save()
    return file.getvalue(), places


def scan_png() -> tuple[bytes, list[tuple[str, Box]]]:
    image, places = Image.new("L", (1654, 2339), 255), []
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(40)
    for row, line in enumerate(lines()):
        x, y = 160, 200 + 100 * row
        draw.text((x, y), line, font=font, fill=0)
        words = line.split()
        for first, last in ((1, 4), (0, 8)):
            before, quoted = " ".join([*words[:first], ""]) if first else "", " ".join(words[first:last])
            left, top, right, bottom = draw.textbbox((x + draw.textlength(before, font=font), y), quoted, font=font)
            places.append((quoted, (left / 1654, top / 2339, right / 1654, bottom / 2339)))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), places
