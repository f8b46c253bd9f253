// Documents: add files and folders, watch them being read, find them, open one.
import { h, add, fill, button, busy, searchField, table, toast } from "../lib/dom.js";
import { events, get, post, remove, call, Problem } from "../lib/api.js";
import { ago, count, seconds, size } from "../lib/format.js";
import { collectionChoice } from "../parts/collections.js";
import { show as showDocument } from "./document.js";

const PAGE = 100;
const AT_ONCE = 3;
const UNDO_SECONDS = 6;

export async function show(main, { user, rest: [id, page] }) {
  if (id) return showDocument(main, id, Number(page) || 1);
  const view = new DocumentsView(user);
  fill(main, view.element);
  await view.start();
  return () => view.leave();
}

class DocumentsView {
  constructor(user) {
    this.user = user;
    this.leaving = new AbortController();
    this.rows = h("tbody");
    this.more = button("Show more", () => this.next(), { hidden: true });
    this.named = searchField("Search by name", () => this.reload());
    this.status = h("select", { "aria-label": "Status", onchange: () => this.reload() }, [["", "all"], ["ready", "ready"], ["running", "being read"], ["queued", "waiting"], ["failed", "failed"]].map(([value, label]) => h("option", { value }, label)));
    this.order = h("select", { "aria-label": "Order", onchange: () => this.sort() }, ["newest first", "by name", "largest first"].map(label => h("option", {}, label)));
    this.choice = h("span");
    this.uploads = h("ul", { class: "uploads", "aria-label": "Files being added" });
    const files = h("input", { type: "file", multiple: true, hidden: true, onchange: () => { this.addFiles([...files.files]); files.value = ""; } });
    const folder = h("input", { type: "file", webkitdirectory: true, hidden: true, onchange: () => { this.addFiles([...folder.files]); folder.value = ""; } });
    this.drop = h("div", { class: "drop", ondragover: event => { event.preventDefault(); this.drop.classList.add("over"); }, ondragleave: () => this.drop.classList.remove("over"), ondrop: event => this.dropped(event) },
      h("p", {}, "Drop files or a folder here, or"), h("div", { class: "actions" }, button("Choose files", () => files.click(), { class: "primary" }), button("Choose a folder", () => folder.click())), files, folder);
    this.target = h("input", { class: "short", placeholder: "default", pattern: "[a-z0-9][a-z0-9_\\-]{0,62}", "aria-label": "Add to collection", list: "collection-names", title: "a-z, 0-9, - and _" });
    this.leaves = h("p", { class: "warn", role: "note", hidden: true });
    this.element = h("div", { class: "page" }, h("h1", {}, "Documents"), this.leaves, this.drop,
      h("p", { class: "row" }, h("label", {}, "Add to collection ", this.target), h("datalist", { id: "collection-names" })), this.uploads,
      h("div", { class: "row" }, this.choice, this.named, this.status, this.order),
      table("Documents", ["Name", "Status", "Pages", "Size", "Added", "Actions"], this.rows, { class: "documents" }), this.more);
    this.watched = new Set();
  }

  async start() {
    this.sayWhatLeaves();
    this.collections = await collectionChoice();
    this.collections.element.addEventListener("change", () => { this.target.value = this.collections.value; this.reload(); });
    fill(this.choice, this.collections.element);
    this.target.value ||= this.collections.value;
    fill(this.element.querySelector("datalist"), this.collections.found.map(one => h("option", { value: one.name })));
    this.watcher = new IntersectionObserver(entries => { if (entries[0].isIntersecting) this.next(); }, { rootMargin: "600px" });
    this.watcher.observe(this.more);
    await this.reload();
  }

  /** Say where documents are sent; nothing as long as they stay here. */
  async sayWhatLeaves() {
    const { llamaparse } = await get("/doc-processor/health", { signal: this.leaving.signal }).catch(() => ({}));
    if (!llamaparse) return;
    fill(this.leaves, `PDFs, pictures and slides that you add leave this machine: they are sent to LlamaParse (${llamaparse.host}).`);
    this.leaves.hidden = false;
  }

  leave() {
    this.leaving.abort();
    this.watcher?.disconnect();
  }

  async reload() {
    this.listing?.abort();
    this.listing = new AbortController();
    this.cursor = "";
    this.loading = false;
    this.items = [];
    fill(this.rows);
    await this.next();
  }

  async next() {
    if (this.cursor === null || this.loading) return;
    this.loading = true;
    const listing = this.listing;
    const query = new URLSearchParams({ collection: this.collections.value, limit: PAGE, named: this.named.value.trim() });
    if (this.status.value) query.set("status", this.status.value);
    if (this.cursor) query.set("cursor", this.cursor);
    try {
      const found = await get(`/rag/v1/documents?${query}`, { signal: listing.signal });
      this.cursor = found.next_cursor || null;
      this.items.push(...found.items);
      if (this.order.selectedIndex) this.sort();
      else add(this.rows, found.items.map(one => this.row(one)));
      this.more.hidden = !this.cursor;
      if (!this.items.length) fill(this.rows, h("tr", {}, h("td", { colspan: 6, class: "dim" }, this.named.value || this.status.value ? "No document fits." : "No documents yet.")));
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status !== 404) toast(error.message, { kind: "bad" });
      this.cursor = null;
      if (error.status === 404) fill(this.rows, h("tr", {}, h("td", { colspan: 6, class: "dim" }, "No documents yet.")));
    } finally {
      if (listing === this.listing) this.loading = false;
    }
  }

  /** Order what is loaded; the service itself lists the newest first. */
  sort() {
    const orders = [(a, b) => b.id.localeCompare(a.id), (a, b) => a.title.localeCompare(b.title, undefined, { numeric: true }), (a, b) => b.size - a.size];
    this.items.sort(orders[this.order.selectedIndex]);
    fill(this.rows, this.items.map(one => this.row(one)));
  }

  row(one) {
    const state = h("td", {});
    const row = h("tr", { dataset: { document: one.id } }, h("td", { class: "name" }, h("a", { href: `#/documents/${one.id}` }, one.title), one.filename !== one.title && h("small", {}, one.filename)), state,
      h("td", { class: "number" }, one.pages || ""), h("td", { class: "number" }, size(one.size)), h("td", {}, ago(one.created)),
      h("td", {}, button("Delete", () => this.forget(one, row), { "aria-label": `Delete ${one.title}` })));
    this.state(state, one, row);
    return row;
  }

  state(cell, one, row) {
    const words = { queued: "waiting", running: "being read", ready: "ready", failed: "failed", cancelled: "cancelled" };
    fill(cell, h("span", { class: `badge ${one.status === "ready" ? "good" : one.status === "failed" ? "bad" : ""}` }, words[one.status] ?? one.status),
      one.error && h("small", { class: "warn" }, one.error.detail),
      one.warnings.length > 0 && h("small", { class: "warn", title: one.warnings.join("\n") }, count(one.warnings.length, "warning")),
      (["failed", "cancelled"].includes(one.status) || one.warnings.some(words => words.startsWith("page-failed:"))) && button("Retry", event => busy(event.target, async () => { this.changed((await post(`/rag/v1/documents/${one.id}/retry`)).document, row); })));
    if (["queued", "running"].includes(one.status)) {
      const progress = h("small", { class: "dim" });
      cell.append(progress);
      this.watch(one, row, progress);
    }
  }

  changed(one, row) {
    const at = this.items.findIndex(item => item.id === one.id);
    if (at >= 0) this.items[at] = one;
    row.replaceWith(this.row(one));
  }

  async watch(one, row, progress) {
    if (this.watched.size >= AT_ONCE || this.watched.has(one.id)) { setTimeout(() => row.isConnected && this.refresh(one, row), 3000); return; }
    this.watched.add(one.id);
    try {
      await follow(one.job_id, this.leaving.signal, text => fill(progress, text));
      this.watched.delete(one.id);
      await this.refresh(one, row);
    } catch (error) {
      if (error.name !== "AbortError") fill(progress, error.message);
    } finally {
      this.watched.delete(one.id);
    }
  }

  async refresh(one, row) {
    const fresh = await get(`/rag/v1/documents/${one.id}`, { signal: this.leaving.signal }).catch(error => (error.status === 404 ? null : one));
    if (fresh) this.changed(fresh, row);
    else row.remove();
  }

  /** Deleted when the time for "Undo" is over, or the page is left. */
  forget(one, row) {
    row.hidden = true;
    const send = keepalive => remove(`/rag/v1/documents/${one.id}`, { keepalive }).then(() => row.remove(), error => { row.hidden = false; toast(error.message, { kind: "bad" }); });
    const now = () => { finish(); send(true); };
    const finish = () => { clearTimeout(timer); removeEventListener("pagehide", now); this.leaving.signal.removeEventListener("abort", now); };
    const timer = setTimeout(() => { finish(); send(false); }, UNDO_SECONDS * 1000);
    addEventListener("pagehide", now);
    this.leaving.signal.addEventListener("abort", now);
    toast(`“${one.title}” is deleted.`, { seconds: UNDO_SECONDS, action: { label: "Undo", run: () => { finish(); row.hidden = false; } } });
  }

  async dropped(event) {
    event.preventDefault();
    this.drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = entries.length ? (await Promise.all(entries.map(filesOf))).flat() : [...event.dataTransfer.files];
    this.addFiles(files);
  }

  addFiles(files) {
    if (!this.target.checkValidity()) { this.target.reportValidity(); return; }
    const collection = this.target.value.trim() || "default";
    const kept = files.filter(file => !file.name.startsWith("."));
    const waiting = kept.map(file => new Upload(file, collection, this.leaving.signal));
    add(this.uploads, waiting.map(one => one.element));
    const work = async () => { for (let next; (next = waiting.shift());) await next.run(); };
    Promise.all(Array.from({ length: AT_ONCE }, work)).then(async () => {
      if (this.leaving.signal.aborted) return;
      this.collections = await collectionChoice();
      this.collections.select(collection);
      this.collections.element.addEventListener("change", () => this.reload());
      fill(this.choice, this.collections.element);
      this.reload();
    });
  }
}

/** One file on its way: sent, read, findable; or why not, with another try. */
class Upload {
  constructor(file, collection, signal) {
    Object.assign(this, { file, collection, signal });
    this.bar = h("progress", { max: 1, value: 0, "aria-label": `Progress of ${file.name}` });
    this.text = h("span", { class: "dim" }, "waiting");
    this.again = button("Retry", () => this.run(), { hidden: true });
    this.element = h("li", {}, h("span", { class: "name" }, file.webkitRelativePath || file.name), this.bar, this.text, this.again);
  }

  async run() {
    this.again.hidden = true;
    this.element.classList.remove("failed");
    try {
      fill(this.text, `sending ${size(this.file.size)}`);
      this.bar.removeAttribute("value");
      const form = new FormData();
      form.append("collection", this.collection);
      // Files of one name in different folders are different documents.
      if (this.file.webkitRelativePath) form.append("external_id", this.file.webkitRelativePath);
      form.append("files", this.file, this.file.name);
      const { items: [added] } = await call("POST", "/rag/v1/documents", { form, signal: this.signal });
      const ended = added.document.status === "ready" ? { status: "ready" } : await follow(added.job_id, this.signal, (text, share) => { fill(this.text, text); if (share !== null) this.bar.value = share; });
      if (ended.status !== "ready") throw new Problem(422, ended.error ?? { detail: `It was ${ended.status}.` });
      this.bar.value = 1;
      const document = await get(`/rag/v1/documents/${added.document.id}`, { signal: this.signal });
      fill(this.text, h("a", { href: `#/documents/${document.id}` }, added.new ? "ready" : "was there already"), ` · ${count(document.pages, "page")}`, document.warnings.length > 0 && h("span", { class: "warn" }, ` · ${document.warnings.join("; ")}`));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.bar.value = 0;
      this.element.classList.add("failed");
      fill(this.text, error.message);
      this.again.hidden = false;
    }
  }
}

/** Follow a job to its end; `report(text, share)` gets what is done in words, and as a share or null. */
export async function follow(jobId, signal, report) {
  let job = null;
  for await (const [, data] of events("GET", `/rag/v1/jobs/${jobId}/events`, { signal })) {
    if (!data.status) continue;
    job = data;
    if (job.status !== "running") { if (job.status === "queued") report(job.ahead ? `waiting, ${count(job.ahead, "document")} before it` : "waiting", null); continue; }
    const pages = job.pages_total ? job.pages_done / job.pages_total : 0, chunks = job.chunks_total ? job.chunks_done / job.chunks_total : 0;
    const share = (pages + chunks) / 2;
    const words = job.waiting_for ? `waiting for ${job.waiting_for}` : job.chunks_total ? `${job.chunks_done} of ${job.chunks_total} passages` : `${job.pages_done} of ${job.pages_total ?? "?"} pages`;
    report(job.eta_seconds > 1 ? `${words}, about ${seconds(job.eta_seconds)} of it left` : words, share);
  }
  return job ?? { status: "unknown" };
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => { entry.file(resolve, reject); })];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!batch.length) break;
    found.push(...batch);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}
