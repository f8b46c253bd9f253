// The Markdown that models write, as nodes: paragraphs, headings, lists, quotes, code, tables, emphasis. Links are shown as
// text, and pictures not at all: an answer must not be able to make a browser fetch anything.
import { h, add, table as scrolled } from "./dom.js";

const BLOCKS = [
  [/^(#{1,6}) +/, "heading"],
  [/^([-*+]|\d{1,4}[.)]) +/, "item"],
  [/^> ?/, "quote"],
  [/^\|.*\|\s*$/, "row"],
];
const INLINE = /(`+)([^`\n]{1,400}?)\1|\*\*([^*\n]{1,2000}?)\*\*|(?<![\w*])\*([^*\s][^*\n]{0,400}?)\*(?![\w*])/g;

/** Render `text` into `parent`. `emit(node parent, start, end)` writes the stretch of `text` that is plain there. */
export function render(parent, text, emit) {
  let fence = null, list = null, table = null, paragraph = null;
  const close = () => { list = table = paragraph = null; };
  let position = 0;
  for (const line of text.split("\n")) {
    const start = position, end = start + line.length;
    position = end + 1;
    const mark = /^\s{0,3}(```|~~~)/.exec(line);
    if (fence) {
      if (mark) fence = null;
      else emit(fence, start, Math.min(position, text.length));
      continue;
    }
    if (mark) { close(); fence = h("code"); add(parent, h("pre", {}, fence)); continue; }
    if (!line.trim()) { close(); continue; }
    const indent = line.length - line.trimStart().length;
    const kind = BLOCKS.find(([pattern]) => pattern.test(line.trimStart()));
    const body = start + indent + (kind && kind[1] !== "row" ? kind[0].exec(line.trimStart())[0].length : 0);
    switch (kind?.[1]) {
      case "heading": {
        close();
        const heading = h(`h${Math.min(6, kind[0].exec(line.trimStart())[1].length + 2)}`);
        parent.append(heading);
        inline(heading, text, body, end, emit);
        break;
      }
      case "item": {
        const ordered = /^\d/.test(line.trimStart());
        if (!list || (list.tagName === "OL") !== ordered) { close(); list = h(ordered ? "ol" : "ul"); parent.append(list); }
        paragraph = h("li");
        list.append(paragraph);
        inline(paragraph, text, body, end, emit);
        break;
      }
      case "quote": {
        if (!paragraph || paragraph.tagName !== "BLOCKQUOTE") { close(); paragraph = h("blockquote"); parent.append(paragraph); }
        inline(paragraph, text, body, end, emit);
        break;
      }
      case "row": {
        if (/^\s*\|[\s|:-]+\|\s*$/.test(line)) break;
        const first = !table;
        if (first) { close(); table = h("tbody"); parent.append(scrolled("Table", null, table)); }
        const row = h("tr");
        table.append(row);
        for (let from = line.indexOf("|"), to; (to = line.indexOf("|", from + 1)) > 0; from = to) {
          const cell = h(first ? "th" : "td");
          row.append(cell);
          inline(cell, text, start + from + 1, start + to, emit);
        }
        break;
      }
      default: {
        if (!paragraph) { close(); paragraph = h("p"); parent.append(paragraph); }
        else paragraph.append("\n");
        inline(paragraph, text, body, end, emit);
      }
    }
  }
}

function inline(parent, text, start, end, emit) {
  const line = text.slice(start, end);
  let done = 0;
  for (const match of line.matchAll(INLINE)) {
    if (match.index > done) emit(parent, start + done, start + match.index);
    const inner = match[2] ?? match[3] ?? match[4];
    const offset = start + match.index + (match[0].length - inner.length) / 2;
    const node = h(match[2] !== undefined ? "code" : match[3] !== undefined ? "strong" : "em");
    parent.append(node);
    emit(node, offset, offset + inner.length);
    done = match.index + match[0].length;
  }
  if (done < line.length) emit(parent, start + done, end);
}
