// A network of entities as SVG, moved and zoomed with mouse, fingers and keys.
import { h, fill, button, svg } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { places } from "../lib/layout.js";
import { sign, icon } from "./entities.js";

const LINE = 15, LONGEST = 28, CLICK = 5, NEAR_EDGE = 9, ZOOM = 1.3;
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

export class Network {
  /** `pick` is called with an entity, `join` with an edge. */
  constructor(pick, join) {
    Object.assign(this, { pick, join, nodes: [], edges: [], hidden: new Set(), pointers: new Map() });
    this.lines = svg("g", { class: "lines" });
    this.marks = svg("g");
    this.picture = svg("svg", { role: "group", class: "network", onkeydown: event => this.key(event), onfocusin: event => this.point(this.of(event.target)), onfocusout: () => this.point(),
      onwheel: event => { event.preventDefault(); this.zoom(ZOOM ** -Math.sign(event.deltaY), this.spot(event)); },
      onpointerdown: event => this.press(event), onpointermove: event => this.drag(event), onpointerup: event => this.release(event), onpointerleave: event => { this.pointers.delete(event.pointerId); this.point(); } }, this.lines, this.marks);
    this.legend = h("div", { class: "row", role: "group", "aria-label": "Types" });
    this.element = h("figure", { class: "drawing" }, this.picture, h("div", { class: "row zoom" },
      button("+", () => this.zoom(ZOOM), { "aria-label": "Zoom in" }), button("−", () => this.zoom(1 / ZOOM), { "aria-label": "Zoom out" }), button("Fit", () => this.fit())), this.legend);
    this.watcher = new ResizeObserver(([{ contentRect: { width, height } }]) => { this.size = [width, height]; this.fit(); });
    this.watcher.observe(this.picture);
  }

  /** Draw nodes [{entity, steps}], the middle first, and edges. */
  async show(nodes, edges, signal) {
    const at = new Map(nodes.map(({ entity }, place) => [entity.id, place]));
    const drawn = await places(nodes.length, edges.map(one => [at.get(one.source), at.get(one.target), 1 + Math.log2(one.sentences) / 4]), signal);
    this.nodes = nodes.map(({ entity, steps }, place) => {
      const label = entity.name.length > LONGEST ? `${entity.name.slice(0, LONGEST)}…` : entity.name;
      const radius = 5 - steps + Math.min(7, Math.log2(2 + entity.mentions)), text = svg("text", {}, label);
      return { entity, radius, text, place: drawn[place],
        mark: svg("g", { class: `node s${steps}`, role: "button", tabindex: place ? -1 : 0, "aria-label": `${entity.name}, ${entity.type}` }, svg("circle", { r: Math.max(12, radius), class: "target" }), sign(entity.type, radius), text) };
    });
    this.edges = edges.map(edge => ({ edge, ends: [this.nodes[at.get(edge.source)], this.nodes[at.get(edge.target)]], mark: svg("line", { "stroke-width": 0.75 + Math.min(4, Math.log2(edge.sentences) / 2) }) }));
    fill(this.lines, this.edges.map(one => one.mark));
    fill(this.marks, this.nodes.map(one => one.mark).reverse());
    for (const node of this.nodes) node.width = node.text.getComputedTextLength() + 2;
    this.picture.setAttribute("aria-label", `${nodes[0].entity.name} and ${count(nodes.length - 1, "other")}, as in the list. Arrow keys go from one to another, + and − zoom, 0 shows all.`);
    fill(this.legend, [...new Set(nodes.map(one => one.entity.type))].sort().map(type => button([icon(type), ` ${type}`], event => this.toggle(type, event.currentTarget), { class: "small", "aria-pressed": String(!this.hidden.has(type)) })));
    this.fit();
  }

  toggle(type, control) {
    if (!this.hidden.delete(type)) this.hidden.add(type);
    control.setAttribute("aria-pressed", String(!this.hidden.has(type)));
    this.stop();
    this.draw();
  }

  fit() {
    if (!this.nodes.length || !this.size?.[0]) return;
    const [[left, right], [top, bottom]] = [0, 1].map(axis => this.nodes.map(one => one.place[axis])).map(all => [Math.min(...all), Math.max(...all)]);
    const [width, height] = this.size;
    this.scale = Math.min(2.2, (width - Math.min(160, width / 3)) / (right - left || 1), (height - 60) / (bottom - top || 1));
    this.from = [width / 2 - this.scale * (left + right) / 2, height / 2 - this.scale * (top + bottom) / 2];
    this.draw();
  }

  zoom(factor, [x, y] = this.size.map(one => one / 2)) {
    factor = Math.min(12, Math.max(0.1, this.scale * factor)) / this.scale;
    this.scale *= factor;
    this.move((x - this.from[0]) * (1 - factor), (y - this.from[1]) * (1 - factor));
  }

  /** Move what is drawn, before the next frame. */
  move(x, y) {
    this.from = [this.from[0] + x, this.from[1] + y];
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.draw(); });
  }

  draw() {
    const shown = this.nodes.filter((node, place) => {
      const there = !place || !this.hidden.has(node.entity.type);
      node.at = node.place.map((one, axis) => Math.round(this.from[axis] + this.scale * one));
      node.mark.setAttribute("transform", `translate(${node.at})`);
      node.mark.toggleAttribute("hidden", !there);
      return there;
    });
    for (const { mark, ends: [from, to] } of this.edges) {
      mark.toggleAttribute("hidden", !shown.includes(from) || !shown.includes(to));
      [["x1", "y1"], ["x2", "y2"]].forEach((names, end) => names.forEach((name, axis) => mark.setAttribute(name, [from, to][end].at[axis])));
    }
    this.name(shown);
  }

  /** Write names where nothing else stands, the nearest first; the others are shown when they are pointed at. */
  name(shown) {
    const taken = shown.map(({ at: [x, y], radius: r }) => [x - r, y - r, x + r, y + r]);
    for (const { at: [x, y], radius, width, text, mark } of shown) {
      const boxes = [[radius + 3, -LINE / 2], [-radius - 3 - width, -LINE / 2], [-width / 2, radius + 2], [-width / 2, -radius - 2 - LINE]].map(([dx, dy]) => [x + dx, y + dy, x + dx + width, y + dy + LINE]);
      const free = boxes.find(box => box[0] > 0 && box[1] > 0 && box[2] < this.size[0] && box[3] < this.size[1] && !taken.some(other => box[0] < other[2] && other[0] < box[2] && box[1] < other[3] && other[1] < box[3]));
      if (free) taken.push(free);
      mark.classList.toggle("crowded", !free);
      const [left, top] = free ?? boxes[Number(x > this.size[0] / 2)];
      text.setAttribute("x", left - x);
      text.setAttribute("y", top - y + 11.5);
    }
  }

  of(element) { return this.nodes.find(node => node.mark === element?.closest("g")); }

  /** Light up a node or an edge. */
  point(one) {
    if (one === this.pointed) return;
    this.pointed = one;
    this.picture.classList.toggle("pointing", Boolean(one));
    const lit = new Set([one, ...this.edges.filter(each => each === one || each.ends.includes(one)).flatMap(each => [each, ...each.ends])]);
    for (const each of [...this.nodes, ...this.edges]) {
      each.mark.classList.toggle("lit", lit.has(each));
      each.mark.classList.toggle("named", each === one || Boolean(one?.ends?.includes(each)));
    }
  }

  under([x, y]) {
    let best, least = NEAR_EDGE;
    for (const each of this.edges) {
      if (each.mark.hasAttribute("hidden")) continue;
      const [[ax, ay], [bx, by]] = each.ends.map(end => end.at), dx = bx - ax, dy = by - ay;
      const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
      const far = Math.hypot(x - ax - along * dx, y - ay - along * dy);
      if (far < least) [best, least] = [each, far];
    }
    return best;
  }

  spot(event) {
    const { left, top } = this.picture.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  press(event) {
    this.pointers.set(event.pointerId, this.spot(event));
    this.pressed = this.pointers.size === 1 && { at: this.spot(event), node: this.of(event.target) };
  }

  drag(event) {
    const [x, y] = this.spot(event), before = this.pointers.get(event.pointerId);
    if (!before) { this.point(this.of(event.target) ?? this.under([x, y])); return; }
    const far = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by), other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (this.pressed && far([x, y], this.pressed.at) < CLICK) return;
    this.pressed = null;
    this.picture.setPointerCapture(event.pointerId);
    if (other) this.zoom(far([x, y], other) / (far(before, other) || 1), other);
    else this.move(x - before[0], y - before[1]);
    this.pointers.set(event.pointerId, [x, y]);
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pressed) return;
    const { node, at } = this.pressed, edge = this.under(at);
    this.pressed = null;
    if (node) this.pick(node.entity);
    else if (edge) this.join(edge.edge);
  }

  key(event) {
    const way = ARROWS[event.key], from = this.of(event.target);
    if (way && event.shiftKey) this.move(-60 * way[0], -60 * way[1]);
    else if (way) this.go(from, way);
    else if ("+-".includes(event.key)) this.zoom(event.key === "+" ? ZOOM : 1 / ZOOM);
    else if (event.key === "0") this.fit();
    else if (["Enter", " "].includes(event.key)) this.pick(from.entity);
    else return;
    event.preventDefault();
  }

  go(from, [wx, wy]) {
    let best, least = Infinity;
    for (const node of this.nodes) {
      const [dx, dy] = [0, 1].map(axis => node.at[axis] - from.at[axis]), ahead = dx * wx + dy * wy, far = ahead + 2 * Math.abs(dx * wy - dy * wx);
      if (ahead > 0 && far < least && !node.mark.hasAttribute("hidden")) [best, least] = [node, far];
    }
    if (!best) return;
    this.focus(best);
    const [x, y] = best.at.map((value, axis) => Math.max(0, 30 - value) + Math.min(0, this.size[axis] - 30 - value));
    if (x || y) this.move(x, y);
  }

  focus(node) { this.stop(node).focus({ preventScroll: true }); }

  /** Where Tab stops. */
  stop(node = this.nodes[0]) {
    for (const { mark } of this.nodes) mark.setAttribute("tabindex", mark === node.mark ? 0 : -1);
    return node.mark;
  }
}
