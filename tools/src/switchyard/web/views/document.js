// One document: its pages as pictures with their text beside, line by line; what was not read; the original.
import { h, add, fill, button, busy, toast } from "../lib/dom.js";
import { get, post } from "../lib/api.js";
import { ago, count, percent, size } from "../lib/format.js";
import { boxed, drawPage } from "../parts/proof.js";
import { follow } from "./documents.js";

export async function show(main, id, number) {
  const leaving = new AbortController();
  const document_ = await get(`/rag/v1/documents/${id}`, { signal: leaving.signal });
  const view = new DocumentView(document_, leaving.signal);
  fill(main, view.element);
  await Promise.all([view.turn(number), view.showVersions()]);
  return () => leaving.abort();
}

class DocumentView {
  constructor(document_, signal) {
    Object.assign(this, { document: document_, signal });
    this.page = h("input", { type: "number", min: 1, max: Math.max(1, document_.pages), class: "short", "aria-label": "Page", onchange: () => this.turn(Number(this.page.value)) });
    this.before = button("‹", () => this.turn(this.number - 1), { "aria-label": "Page before" });
    this.after = button("›", () => this.turn(this.number + 1), { "aria-label": "Next page" });
    this.picture = h("div", { class: "view" });
    this.text = h("div", { class: "page-text", tabindex: "0", role: "region", "aria-label": "Text of the page" });
    this.about = h("p", { class: "dim" });
    this.versions = h("div", {});
    this.element = h("div", { class: "page wide" }, h("p", {}, h("a", { href: "#/documents" }, "‹ Documents")), h("h1", {}, document_.title),
      h("p", { class: "dim" }, [document_.filename, count(document_.pages, "page"), size(document_.size), document_.language, `added ${ago(document_.created)}`, document_.collection].filter(Boolean).join(" · "), " · ", h("a", { href: `/rag/v1/documents/${document_.id}/original`, download: document_.filename }, "original")),
      document_.error && h("p", { class: "warn" }, document_.error.detail),
      document_.warnings.length > 0 && h("ul", { class: "warn" }, document_.warnings.map(warning => h("li", {}, warning))),
      this.versions,
      h("div", { class: "row" }, this.before, this.page, h("span", {}, `of ${document_.pages}`), this.after, this.about),
      h("div", { class: "reading" }, this.picture, this.text));
  }

  /** Show the versions where there is more than one; the one that was replaced can be had back. */
  async showVersions() {
    const found = await get(`/rag/v1/documents/${this.document.id}/versions`, { signal: this.signal });
    if (found.length < 2) return;
    const words = { queued: "waiting", running: "being read", ready: "answers", failed: "failed", cancelled: "cancelled", replaced: "replaced" };
    const restore = event => busy(event.target, async () => {
      const { document: restored, job_id: job } = await post(`/rag/v1/documents/${this.document.id}/restore`);
      const ended = await follow(job, this.signal, text => fill(event.target, text));
      if (ended.status !== "ready") throw new Error(ended.error?.detail ?? `It was ${ended.status}.`);
      location.hash = `#/documents/${restored.id}`;
      if (restored.id === this.document.id) await this.showVersions();
    });
    fill(this.versions, h("h2", {}, "Versions"), h("ul", { class: "versions", "aria-label": "Versions" }, found.map(one => h("li", {},
      one.id === this.document.id ? h("strong", {}, `Version ${one.version}`) : h("a", { href: `#/documents/${one.id}` }, `Version ${one.version}`),
      ` · ${words[one.status] ?? one.status} · ${size(one.size)} · added ${ago(one.created)} `, one.status === "replaced" && button("Restore", restore)))));
  }

  async turn(number) {
    number = Math.min(Math.max(1, number), Math.max(1, this.document.pages));
    this.number = number;
    this.page.value = String(number);
    this.before.disabled = number === 1;
    this.after.disabled = number >= this.document.pages;
    history.replaceState(null, "", `#/documents/${this.document.id}/${number}`);
    try {
      const [page] = await get(`/rag/v1/documents/${this.document.id}/pages?first=${number}&limit=1`, { signal: this.signal });
      if (!page) { fill(this.picture, h("p", { class: "dim" }, "This page was not read yet.")); fill(this.text); return; }
      fill(this.about, `read by ${page.engine}`, page.confidence !== null && `, ${percent(page.confidence)} sure`, page.warnings.length > 0 && h("span", { class: "warn" }, ` ${page.warnings.join("; ")}`));
      const drawn = await drawPage(this.picture, this.document.id, number, {}, this.signal);
      this.element.classList.toggle("pictured", Boolean(drawn.layout));
      if (drawn.layout) this.link(page.text, drawn);
      else fill(this.text);
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, { kind: "bad" });
    }
  }

  /** Write the text line by line, each with its place on the picture; a line of an uncertain reading is marked. */
  link(text, { layout, paper }) {
    let start = 0;
    fill(this.text, text.split("\n").map(line => {
      const from = start, to = start + line.length;
      start = to + 1;
      const words = layout.words.filter(word => word.end > from && word.start < to);
      if (!words.length) return h("p", {}, line || "\u00a0");
      const sure = words.filter(word => word.confidence !== null);
      const mean = sure.length ? sure.reduce((sum, word) => sum + word.confidence, 0) / sure.length : null;
      const point = on => {
        paper.querySelectorAll(".pointed").forEach(one => one.remove());
        if (on) add(paper, boxed(words, "pointed"));
      };
      return h("p", { tabindex: "0", class: mean !== null && mean < 0.8 ? "unsure" : "", title: mean === null ? undefined : `${percent(mean)} sure`, onmouseenter: () => point(true), onmouseleave: () => point(false), onfocus: () => point(true), onblur: () => point(false) }, line);
    }));
  }
}
