"""The graph on the page: built, searched, drawn, and every edge with the sentences that say so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import chain, combinations, product
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.site import SECONDS, Site
from browser.test_for_everybody import HOSTILE, fits, reach, violations

pytestmark = pytest.mark.browser
LETTERS = (
    "Peter Jansen met Maria Silva. Peter Jansen wrote to Maria Silva in Lisbon. Peter Jansen met Anna Berg on 3 May 2026.\n\n"
    "Anna Berg met Ruth Meyer. Ruth Meyer met Otto Krause. Pete Johnson met Otto Krause."
)
FIRST = "Anna Bernard Carla Dieter Emma Franz Greta Hugo Irene Jakob Klara Lukas Monika Norbert Olga Paul Rosa Stefan".split()
LAST = "Achterveld Brunswick Castellane Drumlanrig Eastwick Fairbanks Gruyter Hollander Ibsen Kettering Linnemark Montrose".split()
BOXES = """() => [...document.querySelectorAll(".node text")].filter(one => one.checkVisibility()).map(one => {
  const { left, top, right, bottom } = one.getBoundingClientRect();
  return { text: one.textContent, box: [left, top, right, bottom] };
})"""
PLACES = """() => [...document.querySelectorAll(".node .sign")].map(one => {
  const { x, y, width, height } = one.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
})"""


@pytest.fixture
def letters(site: Site) -> Site:
    """The stack with a small collection whose graph is built."""
    site.serve_text("embedded")
    if not any(graph["collection"] == "letters" for graph in site.client.call("GET", "/graph/v1/graphs")):
        site.add(LETTERS, "Letters", "letters")
        build(site, "letters")
    return site


def build(site: Site, collection: str) -> None:
    job = site.client.call("POST", "/graph/v1/graphs", json={"collection": collection})
    *_, (_, last) = site.client.events("GET", f"/graph/v1/jobs/{job['id']}/events")
    assert last["status"] == "ready", last


def identity(site: Site, name: str, collection: str = "letters") -> int:
    found = site.client.call("GET", "/graph/v1/entities", params={"collection": collection, "q": name})["items"]
    return int(next(one["id"] for one in found if one["name"] == name))


def opened(site: Site, name: str, **options: Any) -> Page:
    page = site.open(f"graph/{identity(site, name)}", **options)
    expect(panel(page).locator("h2")).to_have_text(name)
    expect(node(page, name)).to_have_count(1)
    return page


def panel(page: Page) -> Any:
    return page.get_by_role("region", name="Entity")


def node(page: Page, name: str) -> Any:
    return page.get_by_role("button", name=re.compile(f"^{re.escape(name)}, "))


def middle(page: Page, *names: str) -> tuple[float, float]:
    """The point in the middle of some nodes, by their signs."""
    boxes = [node(page, name).locator(".target").bounding_box() for name in names]
    x, y = ([box[start] + box[size] / 2 for box in boxes] for start, size in (("x", "width"), ("y", "height")))
    return sum(x) / len(x), sum(y) / len(y)


def test_a_graph_is_built_and_brought_up_to_date(site: Site, picture: Callable[[Page, str], None]) -> None:
    site.add(LETTERS, "Letters", "building")
    site.serve_text("vllm")
    site.vllm.delay = 5.0
    page = site.open("graph")
    page.get_by_label("Collection", exact=True).select_option("building")
    expect(page.get_by_text("There is no graph of these documents yet")).to_be_visible()
    picture(page, "graph-none")
    page.get_by_role("button", name="Build the graph").click()
    expect(page.get_by_text("0 of 1 chunk read")).to_be_visible()
    # A second reader who opens the page during the build sees its progress too.
    page.reload()
    expect(page.get_by_text("0 of 1 chunk read")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The newest build was cancelled.")).to_be_visible()
    site.vllm.delay = 0.0
    site.vllm.json_answer = lambda *_: "no JSON at all"
    page.get_by_role("button", name="Bring up to date").click()
    expect(page.get_by_text("1 of 1 chunk incomplete")).to_be_visible()
    site.serve_text("embedded")
    site.add("Peter Jansen went to Oslo.", "Another", "building")
    page.get_by_role("button", name="Bring up to date").click()
    expect(page.get_by_text(re.compile("of 2 documents · read by patterns"))).to_be_visible()
    expect(panel(page).locator("h2")).to_have_text("Peter Jansen")


def test_what_a_model_gave_and_no_text_holds_is_counted(site: Site) -> None:
    site.add("Zorvex hired Anna Berg.", "Hired", "counted")
    site.serve_text("vllm")
    listed = {
        "entities": [
            {"name": "Zorvex", "type": "organisation"},
            {"name": "Anna Berg", "type": "person"},
            {"name": "Nobody", "type": "person"},
        ],
        "relations": [{"subject": "Anna Berg", "kind": "works-for", "object": "Zorvex"}],
    }
    site.vllm.json_answer = lambda *_: json.dumps(listed)
    build(site, "counted")
    page = site.open(f"graph/{identity(site, 'Zorvex', 'counted')}")
    expect(page.get_by_text(re.compile("read by vllm .*1 name that no text holds dropped"))).to_be_visible()
    expect(panel(page).get_by_role("listitem").first).to_contain_text("works-for")
    site.serve_text("embedded")


def test_an_edge_shows_its_sentences_on_their_page(letters: Site) -> None:
    page = opened(letters, "Anna Berg")
    page.get_by_label("Search the graph", exact=True).fill("jans")
    found = page.get_by_role("list", name="Search the graph: found")
    expect(found.get_by_role("button")).to_have_text(re.compile("Peter Jansen.*person"))
    found.get_by_role("button").click()
    expect(panel(page).locator("h2")).to_have_text("Peter Jansen")
    expect(panel(page).locator("h2")).to_be_focused()
    assert page.url.endswith(f"/graph/{identity(letters, 'Peter Jansen')}")
    # The nearest are drawn, those behind them too, and not whom a date would connect.
    for name in ("Peter Jansen", "Maria Silva", "Lisbon", "Anna Berg", "3 May 2026", "Ruth Meyer"):
        expect(node(page, name)).to_be_visible()
    expect(node(page, "Otto Krause")).to_have_count(0)

    page.mouse.click(*middle(page, "Peter Jansen", "Maria Silva"))
    said = page.get_by_role("region", name="Sentences")
    expect(said.locator("h2")).to_have_text(re.compile("Peter Jansen and Maria Silva|Maria Silva and Peter Jansen"))
    expect(said.get_by_role("listitem")).to_have_text(
        [re.compile("“Peter Jansen met Maria Silva.”.*Letters, page 1"), re.compile("wrote to Maria Silva in Lisbon")]
    )
    said.get_by_role("button", name="“Peter Jansen met Maria Silva.”").click()
    proof = page.get_by_role("complementary", name="Proof")
    expect(proof.locator("mark")).to_have_text("Peter Jansen met Maria Silva.")
    proof.get_by_role("button", name="Next source").click()
    expect(proof.locator("mark")).to_have_text("Peter Jansen wrote to Maria Silva in Lisbon.")
    page.keyboard.press("Escape")
    expect(proof).to_be_hidden()
    said.get_by_role("button", name="Close the sentences").click()
    expect(said).to_be_empty()

    node(page, "Ruth Meyer").locator("text").click()
    expect(panel(page).locator("h2")).to_have_text("Ruth Meyer")
    expect(node(page, "Otto Krause")).to_be_visible()
    page.go_back()
    expect(panel(page).locator("h2")).to_have_text("Peter Jansen")
    # The list says what the drawing shows.
    panel(page).get_by_text("connections among the others").click()
    expect(
        panel(page).get_by_role(
            "button", name=re.compile("sentence: (Anna Berg and Ruth Meyer|Ruth Meyer and Anna Berg)")
        )
    ).to_be_visible()
    walk(page, "Peter Jansen", "3 May 2026")
    page.get_by_role("button", name="date", exact=True).click()
    expect(node(page, "3 May 2026")).to_be_hidden()
    expect(node(page, "Anna Berg")).to_be_visible()
    # The keyboard still comes to the drawing.
    expect(page.locator(".node[tabindex='0']")).to_be_visible()


def walk(page: Page, start: str, end: str) -> None:
    """Go from one node to another with the arrow keys."""
    arrows = ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight")
    for keys in chain.from_iterable(product(arrows, repeat=count) for count in (1, 2, 3)):
        node(page, start).focus()
        for key in keys:
            page.keyboard.press(key)
        if page.evaluate("end => document.activeElement.ariaLabel?.startsWith(end)", end):
            return
    raise AssertionError(f"{end} can't be reached with the arrow keys")


def test_a_way_is_drawn_in_steps_with_sentences(letters: Site, picture: Callable[[Page, str], None]) -> None:
    page = opened(letters, "Maria Silva")
    page.get_by_label("To", exact=True).fill("otto")
    expect(page.get_by_role("list", name="To: found").get_by_role("button")).to_have_count(1)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Find the way").click()
    way = page.get_by_role("region", name="Way")
    expect(way.locator("h2")).to_have_text("From Maria Silva to Otto Krause in 4 steps")
    names = ("Maria Silva", "Peter Jansen", "Anna Berg", "Ruth Meyer", "Otto Krause")
    expect(way.locator(".stop a")).to_have_text(list(names))
    way.get_by_role("button", name="“Anna Berg met Ruth Meyer.”").click()
    expect(page.get_by_role("complementary", name="Proof").locator("mark")).to_have_text("Anna Berg met Ruth Meyer.")
    picture(page, "graph-way")
    page.reload()
    expect(way.locator(".stop a")).to_have_text(list(names))
    way.get_by_role("link", name="Ruth Meyer").click()
    expect(panel(page).locator("h2")).to_have_text("Ruth Meyer")
    page.goto(f"{letters.url}/#/graph/{identity(letters, 'Otto Krause')}/{identity(letters, '3 May 2026')}")
    expect(way.locator("h2")).to_have_text("No sentences connect Otto Krause and 3 May 2026")


def test_entities_are_merged_and_split_and_both_undone(letters: Site) -> None:
    page = opened(letters, "Peter Jansen")
    panel(page).get_by_text("The same as another?").click()
    panel(page).get_by_label("Another person", exact=True).fill("johnson")
    panel(page).get_by_role("button", name="Pete Johnson").click()
    page.get_by_role("button", name="They are the same").click()
    expect(node(page, "Otto Krause")).to_be_visible()
    expect(panel(page).get_by_text("Named in 2 ways")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(panel(page).get_by_text("The same as another?")).to_be_visible()
    expect(node(page, "Otto Krause")).to_have_count(0)
    assert identity(letters, "Pete Johnson")

    letters.client.call(
        "POST",
        f"/graph/v1/entities/{identity(letters, 'Peter Jansen')}/merge",
        json={"entities": [identity(letters, "Pete Johnson")]},
    )
    page.reload()
    panel(page).get_by_text("Named in 2 ways").click()
    panel(page).get_by_role("checkbox", name="Pete Johnson").check()
    panel(page).get_by_role("button", name="These are another").click()
    expect(page.get_by_text("Pete Johnson is an entity of its own.")).to_be_visible()
    expect(panel(page).get_by_text("The same as another?")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(panel(page).get_by_text("Named in 2 ways")).to_be_visible()
    panel(page).get_by_text("Named in 2 ways").click()
    panel(page).get_by_role("checkbox", name="Pete Johnson").check()
    panel(page).get_by_role("button", name="These are another").click()
    expect(panel(page).get_by_text("The same as another?")).to_be_visible()
    # Nothing ticked is refused in words.
    assert identity(letters, "Pete Johnson")


def test_a_graph_is_downloaded_in_all_formats(letters: Site) -> None:
    page = opened(letters, "Peter Jansen")
    page.get_by_text("Export", exact=True).click()
    for label, suffix, begins in (
        ("GraphML", "graphml", "<?xml"),
        ("JSON-LD", "jsonld", '{"@context"'),
        ("CSV", "csv", "subject_id"),
        ("Cypher", "cypher", "CREATE INDEX"),
    ):
        with page.expect_download() as download:
            page.get_by_role("link", name=label, exact=True).click()
        assert download.value.suggested_filename == f"letters.{suffix}"
        assert download.value.path().read_text().startswith(begins)


def test_the_graph_by_keyboard_alone(letters: Site) -> None:
    page = opened(letters, "Anna Berg")
    page.locator("h1").click()
    reach(page, "[aria-label='Search the graph']")
    page.keyboard.type("peter j")
    expect(page.locator(".found button")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(panel(page).locator("h2")).to_have_text("Peter Jansen")
    expect(node(page, "Peter Jansen")).to_have_count(1)
    reach_backwards(page, ".node")
    expect(node(page, "Peter Jansen")).to_be_focused()
    (x, y), (there_x, there_y) = middle(page, "Peter Jansen"), middle(page, "Anna Berg")
    across = abs(there_x - x) > abs(there_y - y)
    key = ("ArrowRight" if there_x > x else "ArrowLeft") if across else ("ArrowDown" if there_y > y else "ArrowUp")
    page.keyboard.press(key)
    assert (
        page.evaluate("document.activeElement.matches('.node') && document.activeElement.ariaLabel") != "Peter Jansen"
    )
    before = page.evaluate(PLACES)
    page.keyboard.press("+")
    page.wait_for_function(f"JSON.stringify(({PLACES})()) !== {json.dumps(json.dumps(before))}")
    page.keyboard.press("0")
    page.keyboard.press("Shift+ArrowRight")
    chosen = page.evaluate("document.activeElement.ariaLabel").rsplit(", ", 1)[0]
    page.keyboard.press("Enter")
    expect(panel(page).locator("h2")).to_have_text(chosen)
    expect(node(page, chosen)).to_be_focused()
    reach(page, ".list .small")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Sentences").locator("h2")).to_be_focused()
    reach(page, ".said .list .plain")
    page.keyboard.press("Enter")
    expect(page.locator(".proof mark").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".said .list .plain").first).to_be_focused()


def reach_backwards(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} can't be reached with the keyboard")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_graph_keeps_nobody_out(letters: Site, scheme: str, picture: Callable[[Page, str], None]) -> None:
    page = opened(letters, "Peter Jansen", color_scheme=scheme)
    page.get_by_label("Search the graph", exact=True).fill("a")
    expect(page.locator(".found button").first).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^2 sentences")).click()
    page.locator(".said .plain").first.click()
    expect(page.locator(".proof mark")).to_be_visible()
    panel(page).get_by_text("The same as another?").click()
    assert violations(page) == []
    picture(page, f"graph-{scheme}")
    # A type is told by its shape as well.
    shapes = page.locator(".node .sign").evaluate_all(
        "all => all.map(one => [one.getAttribute('class'), one.getAttribute('d')])"
    )
    assert len({shape for _, shape in shapes}) == len({colour for colour, _ in shapes}) >= 3


def test_the_graph_on_a_telephone(letters: Site, picture: Callable[[Page, str], None]) -> None:
    page = letters.open(is_mobile=True, has_touch=True)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{letters.url}/#/graph/{identity(letters, 'Peter Jansen')}")
    expect(node(page, "Maria Silva")).to_be_visible()
    assert fits(page)
    picture(page, "graph-360")
    drawing = page.locator(".network")
    drawing.scroll_into_view_if_needed()
    far = distance(page, "Maria Silva", "Anna Berg")
    pinch(page, drawing.bounding_box())
    page.wait_for_function(
        "least => { const p = name => document.querySelector(`[aria-label^='${name}']`).getBoundingClientRect(); return Math.hypot(p('Maria Silva').x - p('Anna Berg').x, p('Maria Silva').y - p('Anna Berg').y) > least; }",
        arg=1.2 * far,
    )
    page.get_by_role("button", name="Fit", exact=True).tap()
    node(page, "Maria Silva").locator(".target").tap()
    expect(panel(page).locator("h2")).to_have_text("Maria Silva")
    page.get_by_role("button", name=re.compile("^2 sentences")).tap()
    page.locator(".said .plain").first.tap()
    expect(page.locator(".proof mark")).to_be_visible()
    assert fits(page)


def distance(page: Page, one: str, other: str) -> float:
    (ax, ay), (bx, by) = middle(page, one), middle(page, other)
    return float(((ax - bx) ** 2 + (ay - by) ** 2) ** 0.5)


def pinch(page: Page, box: Any) -> None:
    """Put two fingers down, and draw them apart."""
    touch = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def fingers(kind: str, apart: float) -> None:
        points = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}] if apart else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", 30)
    for apart in (40, 60, 80, 100):
        fingers("touchMove", apart)
    fingers("touchEnd", 0)


@pytest.fixture(scope="module")
def many(running: Site) -> Site:
    """The stack with a graph in which one person stands beside 200 others."""
    people = [f"{first} {last}" for last in LAST for first in FIRST]
    pairs = zip(people, people[7:] + people[:7], strict=True)
    running.serve_text("embedded")
    running.add("\n\n".join(f"Peter Jansen met {one} and {other}." for one, other in pairs), "Many", "many")
    build(running, "many")
    return running


def test_200_entities_can_be_read(site: Site, many: Site, picture: Callable[[Page, str], None]) -> None:
    page = site.open(f"graph/{identity(many, 'Peter Jansen', 'many')}")
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(page.locator(".node")).to_have_count(60)
    page.evaluate(
        "window.tasks = []; new PerformanceObserver(list => list.getEntries().forEach(one => tasks.push(one.duration)))"
        ".observe({ type: 'longtask' })"
    )
    page.get_by_role("button", name="Show more").click()
    expect(page.locator(".node")).to_have_count(200, timeout=SECONDS * 1000)
    assert max(page.evaluate("tasks"), default=0) < 2000
    picture(page, "graph-200")
    shown = page.evaluate(BOXES)
    assert clear_of_each_other([one["box"] for one in shown])
    # The one in the middle is named, and a good part of the others have room.
    assert "Peter Jansen" in [one["text"] for one in shown]
    assert len(shown) >= 50
    places = page.evaluate(PLACES)
    assert min(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in combinations(places, 2)) > 4
    frame = page.locator(".network").bounding_box()
    assert all(
        frame["x"] < x < frame["x"] + frame["width"] and frame["y"] < y < frame["y"] + frame["height"]
        for x, y in places
    )

    # Nearer, there is room for more names of those in view.
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    page.wait_for_function(
        "([x, y]) => { const b = document.querySelector('.node .sign').getBoundingClientRect(); return Math.abs(b.x - x) + Math.abs(b.y - y) > 20; }",
        arg=places[0],
    )
    nearer = page.evaluate(BOXES)
    assert clear_of_each_other([one["box"] for one in nearer])
    seen = [
        (x, y)
        for x, y in page.evaluate(PLACES)
        if frame["x"] < x < frame["x"] + frame["width"] and frame["y"] < y < frame["y"] + frame["height"]
    ]
    assert len(nearer) / len(seen) > len(shown) / len(places)
    picture(page, "graph-200-near")
    # A name that had no room is shown when its node is pointed at.
    page.get_by_role("button", name="Fit", exact=True).click()
    hidden = page.locator(".node.crowded").last
    expect(hidden.locator("text")).to_be_hidden()
    hidden.locator(".target").hover(force=True)
    expect(page.locator(".node.named text")).to_be_visible()


def test_a_network_is_always_drawn_the_same_way(site: Site, many: Site) -> None:
    drawn = []
    for _ in range(2):
        page = site.open(f"graph/{identity(many, 'Peter Jansen', 'many')}")
        expect(page.locator(".node")).to_have_count(60)
        drawn.append(page.evaluate(PLACES))
    assert drawn[0] == drawn[1]


def clear_of_each_other(boxes: Sequence[Sequence[float]]) -> bool:
    """Whether no two boxes overlap by more than the white between a letter and its box."""
    return not any(
        min(a[2], b[2]) - max(a[0], b[0]) > 1 and min(a[3], b[3]) - max(a[1], b[1]) > 1
        for a, b in combinations(boxes, 2)
    )


def test_hostile_names_do_nothing(site: Site) -> None:
    """As names of entities, in sentences, titles and what a model has listed: shown as text, and nothing is fetched."""
    site.add("\n\n".join(f"Peter Jansen met {name} twice." for name in HOSTILE), HOSTILE[0], "hostile-graph")
    site.serve_text("vllm")
    names = [{"name": name, "type": "person"} for name in ("Peter Jansen", *HOSTILE)]
    site.vllm.json_answer = lambda *_: json.dumps({"entities": names, "relations": []})
    build(site, "hostile-graph")
    site.serve_text("embedded")
    page = site.open(f"graph/{identity(site, 'Peter Jansen', 'hostile-graph')}")
    expect(node(page, HOSTILE[0])).to_have_count(1)
    page.get_by_label("Search the graph", exact=True).fill("<")
    expect(page.locator(".found button").first).to_contain_text("<")
    page.keyboard.press("Escape")
    panel(page).get_by_role("button", name=re.compile("^1 sentence: ")).first.click()
    page.locator(".said .plain").first.click()
    expect(page.locator(".proof mark")).to_be_visible()
    panel(page).get_by_role("button", name=HOSTILE[0], exact=True).click()
    expect(panel(page).locator("h2")).to_have_text(HOSTILE[0])
    assert page.evaluate("window.done") is None
    assert page.locator("main iframe, main script, main style, main img:not(.sheet)").count() == 0
