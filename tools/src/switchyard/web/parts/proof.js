// The proof: the cited page as people know it, with the quoted words boxed; for what has no pages, its text with the words marked.
import { h, fill, button } from "../lib/dom.js";
import { get, Problem } from "../lib/api.js";

/** Draw a page into `into`, with the words from `start` to `end` boxed; resolves when it can be seen. */
export async function drawPage(into, documentId, number, { start = 0, end = 0 } = {}, signal) {
  const path = `/rag/v1/documents/${documentId}/pages/${number}`;
  try {
    const picture = h("img", { class: "sheet", alt: `Page ${number} of the document` });
    const loaded = new Promise((resolve, reject) => { picture.onload = resolve; picture.onerror = reject; });
    picture.src = `${path}/picture`;
    const [layout] = await Promise.all([get(`${path}/layout`, { signal }), loaded]);
    const boxes = boxed(layout.words.filter(word => word.end > start && word.start < end), "quoted");
    const paper = h("div", { class: "paper" }, picture, boxes);
    fill(into, paper);
    paper.querySelector(".quoted")?.scrollIntoView({ block: "center" });
    return { boxed: boxes.length, layout, paper };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return drawText(into, documentId, number, start, end, signal);
  }
}

async function drawText(into, documentId, number, start, end, signal) {
  const [page] = await get(`/rag/v1/documents/${documentId}/pages?first=${number}&limit=1`, { signal });
  if (!page) throw new Problem(404, { detail: `This document has no page ${number}.` });
  const mark = end > start && h("mark", {}, page.text.slice(start, end));
  fill(into, h("pre", { class: "text", tabindex: "0" }, page.text.slice(0, end > start ? start : 0), mark, page.text.slice(end > start ? end : 0)));
  if (mark) mark.scrollIntoView({ block: "center" });
  return { boxed: mark ? 1 : 0 };
}

const share = value => `${(value * 100).toFixed(3)}%`;

/** Box words on their picture, line by line. */
export function boxed(words, kind) {
  return lines(words).map(([left, top, right, bottom]) => {
    const mark = h("div", { class: kind });
    Object.assign(mark.style, { left: share(left), top: share(top), width: share(right - left), height: share(bottom - top) });
    return mark;
  });
}

/** Join the boxes of words that stand on one line. */
function lines(words) {
  const joined = [];
  for (const { box } of words) {
    const last = joined.at(-1);
    const middle = (box[1] + box[3]) / 2;
    const near = last && middle > last[1] && middle < last[3] && box[0] >= last[0] && box[0] - last[2] < 0.08;
    if (near) { last[1] = Math.min(last[1], box[1]); last[2] = Math.max(last[2], box[2]); last[3] = Math.max(last[3], box[3]); }
    else joined.push([...box]);
  }
  return joined;
}

/** The panel beside an answer. */
export class Proof {
  constructor() {
    this.title = h("h2", { tabindex: "-1" });
    this.quote = h("blockquote");
    this.view = h("div", { class: "view", tabindex: "0", role: "region", "aria-label": "The page" });
    this.position = h("span", { class: "dim" });
    this.before = button("‹", () => this.move(-1), { "aria-label": "Previous source" });
    this.after = button("›", () => this.move(1), { "aria-label": "Next source" });
    this.element = h("aside", { class: "proof", hidden: true, "aria-label": "Proof", onkeydown: event => this.key(event) },
      h("div", { class: "row" }, this.before, this.position, this.after, h("span", { class: "grow" }), button("✕", () => this.close(), { "aria-label": "Close the proof" })),
      this.title, this.quote, this.view);
  }

  open(citations, index) {
    if (this.element.hidden) this.opener = document.activeElement;
    Object.assign(this, { citations, index });
    this.element.hidden = false;
    document.body.classList.add("proving");
    this.show();
    this.title.focus({ preventScroll: true });
  }

  close() {
    if (this.element.hidden) return;
    this.element.hidden = true;
    document.body.classList.remove("proving");
    this.loading?.abort();
    this.opener?.focus();
  }

  move(step) {
    this.index = (this.index + step + this.citations.length) % this.citations.length;
    this.show();
  }

  key(event) {
    if (event.key === "Escape") this.close();
    if (event.key === "ArrowLeft") this.move(-1);
    if (event.key === "ArrowRight") this.move(1);
  }

  async show() {
    const citation = this.citations[this.index];
    this.loading?.abort();
    const loading = this.loading = new AbortController();
    const several = this.citations.length > 1;
    this.before.hidden = this.after.hidden = !several;
    fill(this.position, several ? `${this.index + 1} of ${this.citations.length}` : "");
    fill(this.title, h("a", { href: `#/documents/${citation.document_id}/${citation.page}` }, citation.title), `, page ${citation.page}`);
    fill(this.quote, citation.quote);
    this.view.classList.add("loading");
    try {
      const drawn = await drawPage(this.view, citation.document_id, citation.page, citation, loading.signal);
      if (!drawn.boxed && citation.end > citation.start) this.view.prepend(h("p", { class: "warn" }, "The quoted words could not be located on this picture; they are in the text above."));
    } catch (error) {
      if (error.name !== "AbortError") fill(this.view, h("p", { class: "warn" }, error.message));
    } finally {
      if (this.loading === loading) this.view.classList.remove("loading");
    }
  }
}
