"""The look of a report: one file, no script, nothing loaded from anywhere."""

from __future__ import annotations

from switchyard.markup import Child, Raw, join, tag

_CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = Raw(
    """
:root { color-scheme: light dark; --line: #d8dce2; --soft: #f4f6f8; --ink: #1b1f24; --dim: #5b6570; --paper: #fff;
  --warn: #fff4d6; --bad: #b42318; --good: #1a7f37; --a: #ffe2b8; --b: #cfe6ff; }
@media (prefers-color-scheme: dark) { :root { --line: #343b44; --soft: #1d2229; --ink: #e4e8ed; --dim: #98a3af;
  --paper: #14181d; --warn: #3b3114; --bad: #ff8a7a; --good: #6fce85; --a: #5a4017; --b: #14405f; } }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.2rem; margin: 2.8rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; } p { margin: .4rem 0; }
.dim { color: var(--dim); } .bad { color: var(--bad); } .good { color: var(--good); }
.verdict { font-size: 1.12rem; border-left: 4px solid #0072b2; padding: .3rem 0 .3rem 1rem; margin: 1.2rem 0; }
.note { background: var(--warn); border-radius: 6px; padding: .7rem 1rem; margin: 1rem 0; }
.note ul { margin: .2rem 0; padding-left: 1.2rem; }
figure { margin: 1rem 0 .3rem; } svg { width: 100%; height: auto; } svg * { stroke-linejoin: round; stroke-linecap: butt; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; margin: .4rem 0 1rem; min-width: 40%; }
th, td { text-align: right; padding: .3rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child, .words td, .words th { text-align: left; } .words td { white-space: normal; overflow-wrap: anywhere; }
thead th { color: var(--dim); font-weight: 600; } tbody th { font-weight: 500; }
details { border-bottom: 1px solid var(--line); padding: .5rem 0; } summary { cursor: pointer; overflow-wrap: anywhere; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin: .6rem 0; }
.sides > div { background: var(--soft); border-radius: 6px; padding: .6rem .9rem; min-width: 0; overflow-wrap: anywhere;
  white-space: pre-wrap; font-size: .92rem; }
.sides h3 { margin: 0 0 .3rem; white-space: normal; } mark { color: inherit; border-radius: 3px; padding: 0 .1em; }
mark.a { background: var(--a); } mark.b { background: var(--b); }
@media (max-width: 40rem) { .sides { grid-template-columns: 1fr; } }
"""
)


def page(title: str, *body: Child) -> str:
    """Return a whole HTML document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_CSP),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", _STYLE),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', join(*body)), lang='en')}\n"


def notes(title: str, lines: list[str]) -> Raw | None:
    """Return a box of remarks; nothing for none."""
    if not lines:
        return None
    return tag("div", tag("strong", title), tag("ul", [tag("li", line) for line in lines]), class_="note")
