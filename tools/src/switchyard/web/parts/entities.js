// The sign of an entity's type, and the field in which entities are searched.
import { h, fill, searchField, svg } from "../lib/dom.js";
import { get } from "../lib/api.js";

const TYPES = ["person", "organisation", "place", "product", "law", "event", "other"];
const SHAPES = ["M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0", "M-.9-.9H.9V.9H-.9z", "M0-1.2L1.2.9H-1.2z", "M0-1.3L1.3 0 0 1.3-1.3 0z", "M-.6-1H.6V1H-.6z", "M0-1.4L.4-.4 1.4 0 .4.4 0 1.4-.4.4-1.4 0-.4-.4z", "M0 1.2L1.2-.9H-1.2z", "M-1-.5H1V.5H-1z"];

/** Types of which nothing follows about others: half the world shares a year. */
export const VALUES = ["date", "amount", "code", "email", "url"];

/** The sign of a type, told by shape and by colour. */
export function sign(type, radius) {
  let at = VALUES.includes(type) ? SHAPES.length - 1 : TYPES.indexOf(type);
  if (at < 0) at = TYPES.push(type);
  return svg("path", { class: `sign c${at % 8}`, d: SHAPES[(at + (at >> 3)) % 8], transform: `scale(${radius.toFixed(1)})` });
}

/** The sign within a line of text. */
export const icon = type => svg("svg", { viewBox: "-8 -8 16 16", width: 16, height: 16, class: "icon", "aria-hidden": "true" }, sign(type, 5));

/** A field, and below it who is named so. */
export class EntitySearch {
  constructor(label, { collection, pick, type = () => "" }) {
    Object.assign(this, { collection, type });
    this.pick = entity => { this.close(); this.set(entity); pick?.(entity); };
    this.list = h("ul", { class: "found", hidden: true, "aria-label": `${label}: found` });
    this.input = searchField(label, () => this.chosen ?? this.search());
    this.element = h("span", { class: "finder", onkeydown: event => this.key(event), onfocusout: event => { if (!this.element.contains(event.relatedTarget)) this.close(); } }, this.input, this.list);
  }

  async search() {
    this.close();
    this.searching = new AbortController();
    const query = new URLSearchParams({ collection: this.collection(), q: this.input.value.trim(), limit: 12 });
    if (this.type()) query.set("type", this.type());
    const { items } = await get(`/graph/v1/entities?${query}`, { signal: this.searching.signal }).catch(() => ({}));
    if (!items || !this.element.contains(document.activeElement)) return;
    fill(this.list, items.map(one => h("li", {}, h("button", { type: "button", onclick: () => this.pick(one) }, icon(one.type), ` ${one.name} `, h("small", {}, one.type)))), !items.length && h("li", { class: "dim", role: "status" }, "Nothing is named so."));
    this.list.hidden = false;
  }

  close() {
    this.searching?.abort();
    this.list.hidden = true;
  }

  /** The arrows go through what was found, Enter takes the first. */
  key(event) {
    const stops = [this.input, ...this.list.querySelectorAll("button")], step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.list.hidden) this.search();
    else if (step) stops.at((stops.indexOf(document.activeElement) + step) % stops.length).focus();
    else if (event.key === "Escape") { this.input.focus(); this.close(); }
    else if (event.key === "Enter" && event.target === this.input && !this.list.hidden) stops[1]?.click();
    else return;
    event.preventDefault();
  }

  get chosen() { return this.input.value === this.entity?.name ? this.entity : null; }

  set(entity) {
    this.entity = entity;
    this.input.value = entity?.name ?? "";
  }
}
