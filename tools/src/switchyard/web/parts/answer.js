// An answer: its sentences marked as borne out or not, its citations as chips, and where the engine changed.
import { h, add, fill } from "../lib/dom.js";
import { seconds, count } from "../lib/format.js";
import { render } from "../lib/markdown.js";

const LABEL = /\s?\[\d{1,3}\]/g;

/** The finished answer as an element. `open(citations, index)` shows the proof. */
export function answerBody(answer, open) {
  const body = h("div", { class: "answer" });
  const text = answer.text;
  const sentences = [...answer.sentences].sort((a, b) => a.start - b.start);
  const shown = new Set();
  const cuts = new Map(sentences.flatMap(s => [[s.start, 1], [s.end, 1]]));
  for (const change of answer.switches ?? []) cuts.set(change.at, 1);
  const labels = [...text.matchAll(LABEL)].map(m => [m.index, m.index + m[0].length]);
  for (const [from, to] of labels) { cuts.set(from, 1); cuts.set(to, 1); }
  const edges = [...cuts.keys()].sort((a, b) => a - b);
  const marked = new Set();
  const number = new Map(answer.citations.map((citation, index) => [key(citation), index]));

  const emit = (parent, start, end) => {
    let at = start;
    for (const edge of [...edges.filter(e => e > start && e < end), end]) {
      piece(parent, at, edge);
      at = edge;
    }
  };
  const piece = (parent, start, end) => {
    for (const change of answer.switches ?? []) {
      if (change.at <= start && !marked.has(change)) { marked.add(change); parent.append(switchMark(change)); }
    }
    const label = labels.some(([from, to]) => start >= from && end <= to);
    const sentence = sentences.find(s => start >= s.start && start < s.end);
    if (!label) {
      const part = text.slice(start, end);
      add(parent, !sentence || sentence.supported === null ? part
        : h("span", { class: sentence.supported ? "supported" : "unsupported", title: sentence.supported ? undefined : "Your documents do not say this" }, part));
    }
    if (sentence && end >= sentence.end - trailing(text, sentence) && !shown.has(sentence)) {
      shown.add(sentence);
      if (sentence.supported === false) parent.append(h("span", { class: "badge bad" }, "not in your documents"));
      for (const citation of unique(sentence.citations)) parent.append(chip(citation));
    }
  };
  const chip = citation => {
    const index = number.get(key(citation)) ?? answer.citations.length;
    const list = number.has(key(citation)) ? answer.citations : [...answer.citations, citation];
    return h("button", {
      type: "button", class: "chip", dataset: { document: citation.document_id, page: citation.page },
      "aria-label": `Source ${index + 1}: ${citation.title}, page ${citation.page}. Show the proof`,
      title: `${citation.title}, page ${citation.page}`, onclick: () => open(list, index),
    }, String(index + 1));
  };
  render(body, text, emit);
  for (const change of answer.switches ?? []) if (!marked.has(change)) body.append(switchMark(change));
  return body;
}

/** Citations inside a sentence may be followed by a label or a blank, which still belongs to it. */
function trailing(text, sentence) {
  const inside = text.slice(sentence.start, sentence.end);
  return inside.length - inside.replace(/(\s*\[\d{1,3}\])*\s*$/, "").length;
}

const key = citation => `${citation.document_id} ${citation.page} ${citation.start} ${citation.end}`;
const unique = citations => [...new Map(citations.map(citation => [key(citation), citation])).values()];

/** What stays in the text where another engine went on. */
export function switchMark(change) {
  const from = change.from_backend ?? change.from, to = change.to_backend ?? change.to;
  const words = change.restarted ? `${from} failed here; ${to} began the answer again` : `${from} failed here; ${to} continues`;
  return h("span", { class: "switch", role: "note" }, words, h("small", {}, ` (${reason(change.reason)})`));
}

function reason(name) {
  return { Unavailable: "it could not be reached", StreamBroken: "its stream broke off", Timeout: "it fell silent", Overloaded: "it was overloaded", ModelLoading: "its model was loading", InvalidResponse: "what it sent could not be used" }[name]
    ?? String(name).replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}

/** Everything under an answer: the closest documents, what was missing, and one line about how it was made. */
export function answerFoot(answer) {
  return h("div", { class: "foot" },
    answer.closest.length > 0 && h("p", {}, "Closest documents: ", answer.closest.map((one, n) => [n > 0 && ", ", h("a", { href: `#/documents/${one.document_id}/${one.page}` }, `${one.title}, page ${one.page}`)])),
    answer.degraded.length > 0 && h("p", { class: "warn" }, `Answered without ${answer.degraded.join(" and ")}.`),
    answer.finish_reason === "length" && h("p", { class: "warn" }, "The answer was cut at its length limit."),
    answer.finish_reason === "repetition" && h("p", { class: "warn" }, "The model began to repeat itself and was stopped."),
    h("details", { class: "how" },
      h("summary", {}, how(answer)),
      h("dl", {}, Object.entries(answer.seconds).map(([stage, took]) => [h("dt", {}, stage.replace(/_/g, " ")), h("dd", {}, seconds(took))]),
        h("dt", {}, "tokens"), h("dd", {}, `${answer.usage.prompt_tokens} read, ${answer.usage.completion_tokens} written${answer.usage.estimated ? " (estimated)" : ""}`)),
      answer.warnings.length > 0 && h("ul", {}, answer.warnings.map(warning => h("li", {}, warning)))));
}

function how(answer) {
  const engine = answer.calculated ? "calculated from a table" : answer.extractive ? "quoted from your documents" : `${answer.provider} · ${answer.model}`;
  const unsupported = answer.sentences.filter(s => s.supported === false).length;
  return [engine, seconds(answer.seconds.total), answer.usage.completion_tokens && count(answer.usage.completion_tokens, "token"), unsupported && `${count(unsupported, "sentence")} without proof`].filter(Boolean).join(" · ");
}

/** An answer while it comes. Finished paragraphs are left alone, so that a long answer costs no more at its end than at its beginning. */
export class StreamingAnswer {
  constructor() {
    this.tail = h("div");
    this.element = h("div", { class: "answer streaming", "aria-busy": "true" }, this.tail);
    this.text = "";
    this.done = 0;
    this.scheduled = false;
    this.switches = [];
  }

  add(text) {
    this.text += text;
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => { this.scheduled = false; this.draw(); });
  }

  switched(change) {
    if (change.restarted) { this.text = ""; this.done = 0; fill(this.element, this.tail); this.switches = []; }
    this.switches.push({ ...change, at: this.text.length });
    this.draw();
  }

  draw() {
    const fences = this.text.slice(this.done).split(/^\s{0,3}(?:```|~~~)/m).length - 1;
    const boundary = this.text.lastIndexOf("\n\n");
    if (boundary > this.done && fences % 2 === 0) {
      const block = h("div");
      this.block(block, this.done, boundary);
      this.tail.before(block);
      this.done = boundary;
    }
    this.tail.replaceChildren();
    this.block(this.tail, this.done, this.text.length);
  }

  block(parent, start, end) {
    const text = this.text.slice(start, end);
    // One paragraph without an end is shown as it is: to look for emphasis in it again and again would cost more and more.
    if (text.length > 8000) { parent.append(h("p", {}, text)); return; }
    const here = this.switches.filter(change => change.at >= start && change.at <= end);
    render(parent, text, (node, from, to) => {
      let at = from;
      for (const change of here.filter(one => !one.shown || one.at >= this.done)) {
        const cut = change.at - start;
        if (cut < from || cut > to) continue;
        add(node, text.slice(at, cut), switchMark(change));
        at = cut;
      }
      add(node, text.slice(at, to));
    });
    if (!text.trim()) for (const change of here) parent.append(switchMark(change));
  }
}
