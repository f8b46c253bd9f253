// The graph of a collection: who and what its documents name, and the sentences that say so.
import { h, add, fill, button, busy, confirm, toast } from "../lib/dom.js";
import { get, post } from "../lib/api.js";
import { ago, count } from "../lib/format.js";
import { collectionChoice } from "../parts/collections.js";
import { EntitySearch, VALUES, icon } from "../parts/entities.js";
import { Network } from "../parts/network.js";
import { watched } from "../parts/progress.js";
import { Proof } from "../parts/proof.js";

const AROUND = 60, MOST = 200, UNDO_SECONDS = 15;
const FORMATS = { graphml: "GraphML", jsonld: "JSON-LD", csv: "CSV", cypher: "Cypher" };

export async function show(main, { rest }) {
  const view = new GraphView(await collectionChoice());
  fill(main, view.element);
  await view.start(...rest.map(Number));
  return () => view.leave();
}

class GraphView {
  constructor(collections) {
    this.collections = collections;
    this.leaving = new AbortController();
    this.limit = AROUND;
    this.proof = new Proof();
    const collection = () => collections.value;
    this.search = new EntitySearch("Search the graph", { collection, pick: entity => this.open(entity.id) });
    [this.from, this.to] = ["From", "To"].map(label => new EntitySearch(label, { collection }));
    this.network = new Network(entity => this.open(entity.id, "drawing"), edge => this.join(edge));
    this.state = h("div", { class: "row state", role: "status" });
    this.panel = h("section", { "aria-label": "Entity" });
    this.said = h("section", { class: "said", "aria-label": "Sentences" });
    this.way = h("section", { "aria-label": "Way" });
    this.around = h("div", { class: "around" });
    this.body = h("div", { hidden: true }, h("form", { class: "row", onsubmit: event => { event.preventDefault(); this.ask(); } }, this.search.element, h("span", { class: "dim" }, "or a way"), this.from.element, this.to.element, h("button", {}, "Find the way")), this.around);
    this.element = h("div", { class: "page wide" }, h("div", { class: "row" }, h("h1", {}, "Graph"), collections.element, this.state), this.body);
  }

  leave() {
    this.leaving.abort();
    this.network.watcher.disconnect();
    this.proof.close();
  }

  async start(first, second) {
    this.collections.element.addEventListener("change", () => { this.go(""); this.refresh(); });
    if (first) this.collections.select((await this.get(`entities/${first}`)).collection);
    await this.refresh(first, second);
  }

  get(path) { return get(`/graph/v1/${path}`, { signal: this.leaving.signal }); }

  go(path) { history.pushState(null, "", `#/graph${path}`); }

  async refresh(first, second) {
    const graph = await this.get(`graphs/${this.collections.value}`).catch(error => { if (error.status !== 404) throw error; });
    this.body.hidden = !graph?.entities;
    if (["queued", "running"].includes(graph?.status)) this.follow(graph.job_id);
    else this.tell(graph);
    if (second) await this.find(first, second);
    else if (graph?.entities) await this.open(first || (await this.foremost()), "page");
  }

  /** The entity that is named most. */
  async foremost() {
    const { items } = await this.get(`entities?limit=50&collection=${this.collections.value}`);
    return (items.find(one => ![...VALUES, "other"].includes(one.type)) ?? items[0]).id;
  }

  tell(graph) {
    const { value } = this.collections;
    if (!graph) {
      fill(this.state, h("p", { class: "empty" }, "There is no graph of these documents yet: who and what they name, and in which sentences. ", this.building("Build the graph", "primary")));
      return;
    }
    fill(this.state, ["failed", "cancelled"].includes(graph.status) && h("span", { class: "warn" }, `The newest build was ${graph.status}.`),
      h("span", { class: "dim" }, [`${count(graph.entities, "entity", "entities")} and ${count(graph.relations, "relation")} of ${count(graph.documents, "document")}`, graph.extractor && `read by ${graph.extractor}`,
        graph.incomplete > 0 && `${graph.incomplete} of ${count(graph.chunks, "chunk")} incomplete`, graph.dropped > 0 && `${count(graph.dropped, "name")} that no text holds dropped`, ago(graph.updated)].filter(Boolean).join(" · ")),
      this.building("Bring up to date"),
      h("details", { class: "menu" }, h("summary", { class: "button" }, "Export"), h("div", {}, Object.entries(FORMATS).map(([format, label]) => h("a", { href: `/graph/v1/graphs/${value}/export?format=${format}`, download: `${value}.${format}` }, label)))));
  }

  building(label, kind) {
    return button(label, event => busy(event.target, async () => this.follow((await post("/graph/v1/graphs", { collection: this.collections.value })).id)), { class: kind });
  }

  /** Show a build as it goes on, and then what it has made. */
  async follow(id) {
    fill(this.state);
    try {
      const { error } = await watched(this.state, `/graph/v1/jobs/${id}`, "chunk", this.leaving.signal);
      if (error) toast(error.detail, { kind: "bad" });
    } catch (error) {
      fill(this.state, error.message);
      return;
    }
    // What was shown may be gone, with its documents.
    const kept = this.entity && await this.get(`entities/${this.entity.id}`).catch(() => null);
    await this.refresh(kept?.id);
  }

  async turn(work) {
    this.turning?.abort();
    const { signal } = this.turning = new AbortController();
    try {
      await work(signal);
    } catch (error) {
      if (error.name !== "AbortError") toast(error.message, { kind: "bad" });
    }
  }

  /** Show an entity and what is around it; the focus goes into the "panel" or the "drawing". */
  open(id, from = "panel") {
    return this.turn(async signal => {
      const [entity, found] = await Promise.all([this.get(`entities/${id}`), this.get(`entities/${id}/neighbourhood?limit=${this.limit}`)]);
      signal.throwIfAborted();
      if (from !== "page" && this.entity?.id !== id) this.go(`/${id}`);
      Object.assign(this, { entity, found });
      this.from.set(entity);
      this.search.set(null);
      this.proof.close();
      fill(this.said);
      this.describe();
      fill(this.around, this.network.element, h("div", { class: "beside" }, this.said, this.panel), this.proof.element);
      await this.network.show(found.nodes, found.edges, signal);
      if (from === "drawing") this.network.focus();
      else if (from === "panel") this.panel.querySelector("h2").focus();
    });
  }

  describe() {
    const { entity, found } = this, known = this.known = new Map(found.nodes.map(one => [one.entity.id, one.entity]));
    const mine = found.edges.filter(one => [one.source, one.target].includes(entity.id)), others = found.edges.filter(one => !mine.includes(one));
    const row = (edge, ends) => h("li", { class: "row" }, h("span", { class: "grow" }, ends.map((id, at) => [at > 0 && " – ", icon(known.get(id).type), " ", button(known.get(id).name, () => this.open(id), { class: "plain" }), ends.length < 2 && h("small", {}, ` ${known.get(id).type}`)]), h("small", {}, edge.kinds.filter(kind => kind !== "occurs-with").map(kind => ` · ${kind}`))),
      button(count(edge.sentences, "sentence"), () => this.join(edge), { class: "small", "aria-label": `${count(edge.sentences, "sentence")}: ${this.pair(edge)}` }));
    fill(this.panel, h("h2", { tabindex: "-1" }, icon(entity.type), ` ${entity.name}`), h("p", { class: "dim" }, `${entity.type} · ${count(entity.mentions, "mention")}`), this.names(),
      h("h3", {}, `Named together with ${mine.length}${found.complete ? "" : ", and others"}`),
      h("ul", { class: "list" }, mine.map(edge => row(edge, [edge.source === entity.id ? edge.target : edge.source]))),
      !found.complete && this.limit < MOST && button("Show more", () => { this.limit = MOST; this.open(entity.id); }),
      others.length > 0 && h("details", {}, h("summary", {}, `${count(others.length, "connection")} among the others`), h("ul", { class: "list" }, others.map(edge => row(edge, [edge.source, edge.target])))),
      h("details", {}, h("summary", {}, "Where it is named"), this.quotes(entity.mentioned)));
  }

  pair(edge) { return `${this.known.get(edge.source).name} and ${this.known.get(edge.target).name}`; }

  /** The names of the entity, to part some from it or join another to it. */
  names() {
    const { entity } = this, several = entity.aliases.length > 1;
    const boxes = entity.aliases.map(alias => h("input", { type: "checkbox", value: alias }));
    const part = event => this.change(event.target, async () => {
      const parted = await post(`/graph/v1/entities/${entity.id}/split`, { names: boxes.filter(one => one.checked).map(one => one.value) });
      return [`${parted.name} is an entity of its own.`, "merge", { entities: [parted.id] }];
    });
    const search = new EntitySearch(`Another ${entity.type}`, { collection: () => entity.collection, type: () => entity.type, pick: async other => {
      if (other.id === entity.id || !await confirm(`Is ${other.name} the same as ${entity.name}?`, "The two become one, under this name. Later builds keep it so, and it can be undone.", "They are the same", { danger: false })) return;
      this.change(search.input, async () => {
        const { aliases } = await this.get(`entities/${other.id}`);
        await post(`/graph/v1/entities/${entity.id}/merge`, { entities: [other.id] });
        return [`${other.name} is the same as ${entity.name}.`, "split", { names: aliases }];
      });
    } });
    return h("details", {}, h("summary", {}, several ? `Named in ${entity.aliases.length} ways` : "The same as another?"),
      several && h("p", {}, boxes.map(box => h("label", { class: "check" }, box, ` ${box.value}`)), button("These are another", part)),
      h("p", {}, "The same as ", search.element));
  }

  /** Say what was changed, and offer the opposite. */
  change(control, work) {
    const { id } = this.entity;
    return busy(control, async () => {
      const [words, undo, body] = await work();
      await this.open(id);
      toast(words, { seconds: UNDO_SECONDS, action: { label: "Undo", run: () => busy(control, async () => { await post(`/graph/v1/entities/${id}/${undo}`, body); await this.open(id); }) } });
    });
  }

  /** Show the sentences of an edge. */
  async join(edge) {
    const opener = document.activeElement, list = h("div"), heading = h("h2", { tabindex: "-1", class: "grow" }, this.pair(edge));
    let cursor = "", seen = "";
    const more = button("Show more", () => busy(more, async () => {
      const found = await this.get(`entities/${edge.source}/relations?with=${edge.target}&limit=50${cursor && `&cursor=${cursor}`}`);
      cursor = found.next_cursor ?? "";
      more.hidden = !cursor;
      // One sentence may say several things of the two.
      add(list, this.quotes(found.items.filter(({ evidence: one }) => seen !== (seen = `${one.document_id} ${one.page} ${one.start}`))));
    }));
    fill(this.said, h("div", { class: "row" }, heading, button("✕", () => { fill(this.said); opener?.focus(); }, { "aria-label": "Close the sentences" })), list, more);
    heading.focus();
    more.click();
  }

  /** Sentences; a click shows one on its page. */
  quotes(evidenced) {
    const citations = evidenced.map(({ evidence: one }) => ({ ...one, title: one.document }));
    return h("ul", { class: "list" }, citations.map((one, at) => h("li", {}, button(`“${one.quote}”`, () => this.proof.open(citations, at), { class: "plain" }),
      h("small", {}, " ", h("a", { href: `#/documents/${one.document_id}/${one.page}` }, one.document), `, page ${one.page}`))));
  }

  ask() {
    const ends = [this.from, this.to].map(field => field.chosen?.id);
    if (!ends[0] || !ends[1] || ends[0] === ends[1]) { this[ends[0] ? "to" : "from"].input.focus(); return; }
    this.go(`/${ends.join("/")}`);
    this.find(...ends);
  }

  /** Show a shortest way, each step with sentences. */
  find(from, to) {
    return this.turn(async signal => {
      const [{ connected, steps }, ...ends] = await Promise.all([this.get(`paths?from=${from}&to=${to}`), this.get(`entities/${from}`), this.get(`entities/${to}`)]);
      signal.throwIfAborted();
      this.proof.close();
      this.entity = null;
      [this.from, this.to].forEach((field, at) => field.set(ends[at]));
      const stop = one => h("p", { class: "stop" }, icon(one.type), " ", h("a", { href: `#/graph/${one.id}` }, one.name), h("small", {}, ` ${one.type}`));
      const heading = h("h2", { tabindex: "-1" }, connected ? `From ${ends[0].name} to ${ends[1].name} in ${count(steps.length, "step")}` : `No sentences connect ${ends[0].name} and ${ends[1].name}`);
      fill(this.way, heading, connected && h("ol", { class: "way" }, h("li", {}, stop(ends[0])), steps.map(step => h("li", {}, this.quotes(step.relations), stop(step.target)))));
      fill(this.around, this.way, this.proof.element);
      heading.focus();
    });
  }
}
