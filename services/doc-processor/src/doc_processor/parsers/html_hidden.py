"""Which text of an HTML page a browser does not show: by style sheets in the page, styles of elements, and attributes.

Nothing is fetched, so that style sheets elsewhere have no say; rules that depend on the device or on what a reader does
are not followed either. https://www.w3.org/TR/CSS22/ has the properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

from doc_processor.hidden import TINY_POINTS, WHITE, Colour, HiddenText, alike, hexadecimal

_BRACE = re.compile(r"[{}]")
_SIMPLE = re.compile(r"(?P<tag>[a-z][a-z0-9]{0,30})?(?:(?P<kind>[.#])(?P<name>[\w-]{1,200}))?", re.IGNORECASE)
_LENGTH = re.compile(r"([-+]?\d{0,9}\.?\d{0,9})(px|pt|em|rem|%|vw|vh|cm|mm|in|ch|ex)?")
_RGB = re.compile(r"rgba?\(\s*+(\d{1,3})[\s,]++(\d{1,3})[\s,]++(\d{1,3})(?:[\s,/]++([\d.]{1,9}%?+))?\s*+\)")
_NAMES: Mapping[str, Colour] = {"white": WHITE, "black": (0, 0, 0), "snow": (255, 250, 250), "ivory": (255, 255, 240)}
_PIXELS = {"px": 1.0, "": 1.0, "pt": 4 / 3, "em": 16.0, "rem": 16.0, "%": 0.16, "vw": 10.0, "vh": 10.0, "cm": 38.0, "mm": 3.8, "in": 96.0, "ch": 8.0, "ex": 8.0}  # fmt: skip
_TINY_PIXELS = TINY_POINTS * 4 / 3
_FAR = -200.0
"""Pixels left of or above the page."""
_MAX_RULES = 20_000


@dataclass(frozen=True, slots=True)
class _Look:
    """How text looks here; `background` is None where it cannot be known."""

    gone: bool = False
    invisible: bool = False
    pixels: float = 16.0
    colour: Colour | None = (0, 0, 0)
    transparent: bool = False
    background: Colour | None = WHITE

    @property
    def hides(self) -> bool:
        same = self.colour is not None and self.background is not None and alike(self.colour, self.background)
        return self.gone or self.invisible or self.transparent or same or self.pixels < _TINY_PIXELS


Declarations = dict[str, str]


def take_out(soup: BeautifulSoup, css: list[str], hidden: HiddenText) -> None:
    """Replace every text that is hidden, and count it."""
    rules = _rules(css)
    looks: dict[int, _Look] = {}
    found: list[NavigableString] = []
    for node in soup.descendants:
        look = looks.get(id(node.parent), _Look())
        if isinstance(node, Tag):
            declared = _declared(node, rules)
            looks[id(node)] = _changed(look, node, declared) if declared or node.has_attr("hidden") else look
        elif isinstance(node, NavigableString) and look.hides and node.strip():
            found.append(node)
    for text in found:
        text.replace_with(hidden.instead_of(str(text)))


def _rules(css: list[str]) -> dict[tuple[str, str], Declarations]:
    """Map (tag or "", `.class` or `#id` or "") to what is declared for it; selectors of more than one part are not followed."""
    rules: dict[tuple[str, str], Declarations] = {}
    for selectors, body in (rule for sheet in css for rule in _blocks(sheet)):
        declarations = _parsed(body)
        for selector in selectors.split(","):
            match = _SIMPLE.fullmatch(selector.strip())
            if match and match.group() and declarations and len(rules) < _MAX_RULES:
                name = f"{match['kind']}{match['name']}" if match["kind"] else ""
                rules.setdefault(((match["tag"] or "").lower(), name), {}).update(declarations)
    return rules


def _blocks(sheet: str) -> Iterator[tuple[str, str]]:
    """Yield (selectors, declarations) of the rules that hold everywhere."""
    first, *commented = sheet.split("/*")
    sheet = first + "".join(part.partition("*/")[2] for part in commented)
    around: list[str] = []
    at = 0
    for brace in _BRACE.finditer(sheet):
        between, at = sheet[at : brace.start()], brace.end()
        if brace.group() == "{":
            around.append(between.rpartition(";")[2].strip())
        elif around:
            selectors = around.pop()
            if all(condition.split() in (["@media", "all"], ["@media", "screen"]) for condition in around):
                yield selectors, between


def _declared(tag: Tag, rules: Mapping[tuple[str, str], Declarations]) -> Declarations:
    declared: Declarations = {}
    if rules:
        names = ["", *(f".{name}" for name in tag.get_attribute_list("class")), f"#{tag.get('id')}"]
        for name in names:
            declared |= rules.get(("", name), {}) | rules.get((tag.name, name), {})
    if (colour := tag.get("color")) and tag.name == "font":
        declared["color"] = str(colour)
    if background := tag.get("bgcolor"):
        declared["background-color"] = str(background)
    if style := tag.get("style"):
        declared |= _parsed(str(style))
    return declared


def _parsed(declarations: str) -> Declarations:
    pairs = (each.partition(":") for each in declarations.lower().split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in pairs if value}


def _changed(look: _Look, tag: Tag, declared: Declarations) -> _Look:
    gone = (
        look.gone
        or tag.has_attr("hidden")
        or declared.get("display") == "none"
        or _pixels(declared.get("opacity", "1")) <= 0.05
        or _is_away(declared)
    )
    if (visibility := declared.get("visibility")) is not None:
        look = replace(look, invisible=visibility in ("hidden", "collapse"))
    if (size := declared.get("font-size")) is not None:
        look = replace(look, pixels=_font_pixels(size, look.pixels))
    if (written := declared.get("color")) is not None and written != "inherit":
        colour, clear = _colour(written)
        look = replace(look, colour=colour, transparent=clear)
    background = declared.get("background-color", declared.get("background"))
    if background is not None and background not in ("inherit", "none"):
        colour, clear = _colour(background)
        look = look if clear else replace(look, background=colour)
    if "background-image" in declared:
        look = replace(look, background=None)
    return replace(look, gone=gone)


def _is_away(declared: Declarations) -> bool:
    """Whether an element lies beside the page, or is cut to nothing."""
    placed = declared.get("position") in ("absolute", "fixed", "relative")
    sides = [declared.get(side, "") for side in ("left", "top")] if placed else []
    sides += [declared.get(name, "") for name in ("text-indent", "margin-left", "margin-top")]
    if any(side and _pixels(side) <= _FAR for side in sides):
        return True
    cut = declared.get("clip", "").replace(" ", "").replace("px", "") in ("rect(0,0,0,0)", "rect(1,1,1,1)")
    flat = [declared.get(name) for name in ("width", "height", "max-width", "max-height")]
    clipped = declared.get("overflow") == "hidden" and any(side and abs(_pixels(side)) <= 1 for side in flat)
    return cut or clipped or declared.get("transform", "").replace(" ", "").startswith("scale(0")


def _pixels(written: str) -> float:
    match = _LENGTH.fullmatch(written)
    try:
        return float(match[1]) * _PIXELS[match[2] or ""] if match else 1000.0
    except ValueError:
        return 1000.0


def _font_pixels(written: str, around: float) -> float:
    match = _LENGTH.fullmatch(written)
    if match is None or not match[1].strip("+-."):
        return around if written in ("smaller", "larger", "inherit") else 16.0
    relative = {"em": around, "%": around / 100, "ex": around / 2, "ch": around / 2}
    return float(match[1]) * relative.get(match[2] or "", _PIXELS[match[2] or ""])


def _colour(written: str) -> tuple[Colour | None, bool]:
    """Return a colour, None if it is not known, and whether it is fully transparent."""
    if written == "transparent":
        return None, True
    if written.startswith("#"):
        return hexadecimal(written[1:7] if len(written) > 4 else written[1:4]), len(written) == 9 and written[
            7:
        ] == "00"
    if match := _RGB.fullmatch(written):
        return (int(match[1]), int(match[2]), int(match[3])), match[4] is not None and float(match[4].rstrip("%")) == 0
    return _NAMES.get(written), False
