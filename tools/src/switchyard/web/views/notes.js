// Notes: paste a transcript or choose a file, watch its parts, see the source of each point, edit, tick off, export.
import { h, add, fill, button, busy, confirm, field, searchField, toast } from "../lib/dom.js";
import { call, get, put, remove, post } from "../lib/api.js";
import { ago, count } from "../lib/format.js";
import { calendar, dateOf } from "../parts/calendar.js";
import { watched } from "../parts/progress.js";

const KINDS = [["general", "any text"], ["meeting", "a meeting"], ["lecture", "a lecture"], ["interview", "an interview"]];

export async function show(main, { rest: [id] }) {
  const leaving = new AbortController();
  const view = id ? new NoteView(id, leaving.signal) : new NotesView(leaving.signal);
  fill(main, view.element);
  await view.start();
  return () => leaving.abort();
}

class NotesView {
  constructor(signal) {
    this.signal = signal;
    this.list = h("ul", { class: "cards" });
    this.search = searchField("Search notes", () => this.reload());
    this.text = h("textarea", { rows: 6, placeholder: "Paste a transcript or any text…", "aria-label": "Text" });
    this.file = h("input", { type: "file", "aria-label": "File", onchange: () => this.make() });
    this.kind = h("select", {}, KINDS.map(([value, label]) => h("option", { value }, label)));
    this.submit = h("button", { class: "primary" }, "Make a note");
    this.progress = h("p", { class: "dim", role: "status" });
    this.element = h("div", { class: "page" }, h("h1", {}, "Notes"),
      h("form", { class: "card", onsubmit: event => { event.preventDefault(); this.make(); } }, this.text, h("div", { class: "row" }, h("label", {}, "It is ", this.kind), h("label", {}, "or a file: ", this.file), h("span", { class: "grow" }), this.submit), this.progress),
      this.search, this.list, this.more = button("Show more", () => this.next(), { hidden: true }));
  }

  async start() {
    const known = await get("/notes/openapi.json").catch(() => null);
    const kinds = known?.components?.schemas?.NoteOut?.properties?.kind?.enum;
    if (kinds) fill(this.kind, kinds.map(kind => h("option", { value: kind }, KINDS.find(([value]) => value === kind)?.[1] ?? kind)));
    await this.reload();
  }

  async reload() {
    fill(this.list);
    this.cursor = "";
    await this.next();
  }

  async next() {
    const query = new URLSearchParams({ limit: 50 });
    if (this.search.value.trim()) query.set("q", this.search.value.trim());
    if (this.cursor) query.set("cursor", this.cursor);
    const found = await get(`/notes/v1/notes?${query}`, { signal: this.signal });
    this.cursor = found.next_cursor;
    this.more.hidden = !this.cursor;
    add(this.list, found.items.map(note => {
      const open = note.content.action_items.filter(one => !one.done).length;
      return h("li", { class: "card" }, h("a", { href: `#/notes/${note.id}` }, note.title || note.source_name || "Untitled"),
        h("p", { class: "dim" }, [note.status === "ready" ? null : note.status, ago(note.created), note.source_name, open > 0 && count(open, "open action")].filter(Boolean).join(" · ")),
        note.content.summary && h("p", {}, note.content.summary.slice(0, 240)));
    }));
    if (!this.list.children.length) fill(this.list, h("li", { class: "dim" }, this.search.value ? "No note holds these words." : "No notes yet."));
  }

  make() {
    const [file] = this.file.files;
    if (!file && !this.text.value.trim()) { this.text.focus(); return; }
    busy(this.submit, async () => {
      let options = { body: { text: this.text.value, kind: this.kind.value } };
      if (file) {
        const form = new FormData();
        form.append("kind", this.kind.value);
        form.append("file", file, file.name);
        options = { form };
      }
      fill(this.progress, "Sending…");
      const note = await call("POST", "/notes/v1/notes?wait=0", { ...options, signal: this.signal });
      this.file.value = "";
      this.text.value = "";
      location.hash = `#/notes/${note.id}`;
    }).finally(() => fill(this.progress));
  }
}

class NoteView {
  constructor(id, signal) {
    Object.assign(this, { id, signal });
    this.element = h("div", { class: "page wide" });
    this.filter = { owner: "", open: false, by: "" };
  }

  async start() {
    this.note = await get(`/notes/v1/notes/${this.id}`, { signal: this.signal });
    if (["queued", "running"].includes(this.note.status)) this.wait();
    else await this.draw();
  }

  async wait() {
    fill(this.element, back(), h("h1", {}, this.note.source_name || "A new note"));
    try {
      await watched(this.element, `/notes/v1/jobs/${this.note.job_id}`, "part", this.signal);
      this.note = await get(`/notes/v1/notes/${this.id}`, { signal: this.signal });
      await this.draw();
    } catch (error) {
      if (error.name !== "AbortError") add(this.element, h("p", { class: "warn" }, error.message));
    }
  }

  async draw() {
    const { note } = this;
    if (note.status !== "ready") {
      const job = await get(`/notes/v1/jobs/${note.job_id}`, { signal: this.signal }).catch(() => null);
      fill(this.element, back(), h("h1", {}, note.source_name || "A note"), h("p", { class: "warn" }, job?.error?.detail ?? `It was ${note.status}.`),
        button("Try again", event => busy(event.target, async () => { this.note = await post(`/notes/v1/notes/${this.id}/retry`); this.wait(); })), " ", this.deleting());
      return;
    }
    this.source ??= await get(`/notes/v1/notes/${this.id}/source`, { signal: this.signal });
    const { content } = note;
    const owners = [...new Set(content.action_items.map(one => one.owner).filter(Boolean))].sort();
    const owner = h("select", { "aria-label": "Owner", onchange: () => { this.filter.owner = owner.value; this.draw(); } }, h("option", { value: "" }, "everybody"), owners.map(one => h("option", {}, one)));
    owner.value = this.filter.owner;
    const by = h("input", { type: "date", "aria-label": "Due until", value: this.filter.by, onchange: () => { this.filter.by = by.value; this.draw(); } });
    const open = h("input", { type: "checkbox", checked: this.filter.open, onchange: () => { this.filter.open = open.checked; this.draw(); } });
    const made = new Date(note.created);
    const actions = content.action_items.filter(one => (!this.filter.owner || one.owner === this.filter.owner) && (!this.filter.open || !one.done) && (!this.filter.by || (dateOf(one.due, made) ?? new Date(9e14)) <= new Date(`${this.filter.by}T23:59`)));
    const section = (title, points) => points.length > 0 && [h("h2", {}, title), h("ul", { class: "points" }, points.map(point => this.point(point)))];
    this.text = h("pre", { class: "text", tabindex: "0" });
    const dated = calendar(note, made);
    fill(this.element, back(), h("div", { class: "row" }, h("h1", {}, note.title), h("span", { class: "grow" }), button("Edit", () => this.edit()),
      h("a", { class: "button", href: `/notes/v1/notes/${this.id}/markdown`, download: `${note.title}.md` }, "Markdown"),
      download("JSON", `${note.title}.json`, "application/json", () => JSON.stringify(note, null, 2)),
      dated && download("Calendar", `${note.title}.ics`, "text/calendar", () => dated), this.deleting()),
    h("p", { class: "dim" }, [note.source_name, ago(note.created), note.extractive ? "made of the text's own sentences" : `${note.provider} · ${note.model}`].filter(Boolean).join(" · ")),
    note.incomplete && h("p", { class: "warn" }, "Incomplete: the text did not fit, or the model stopped early."),
    note.warnings.length > 0 && h("ul", { class: "warn" }, note.warnings.map(one => h("li", {}, one))),
    h("div", { class: "reading" }, h("div", {},
      content.summary && h("p", {}, content.summary), section("Decisions", content.decisions),
      content.action_items.length > 0 && [h("h2", {}, "Action items"), h("div", { class: "row" }, h("label", {}, "of ", owner), h("label", {}, "due until ", by), h("label", { class: "check" }, open, " open only")),
        h("ul", { class: "points" }, actions.map(one => this.action(one)), !actions.length && h("li", { class: "dim" }, "None."))],
      section("Key points", content.key_points), content.tags.length > 0 && h("p", { class: "dim" }, content.tags.map(tag => `#${tag}`).join(" "))), this.text));
    this.mark(null);
  }

  point(point) {
    return h("li", {}, point.source ? h("button", { type: "button", class: "plain", title: "Show the words it comes from", onclick: () => this.mark(point.source) }, point.text) : point.text);
  }

  action(one) {
    const done = h("input", { type: "checkbox", checked: one.done, "aria-label": `Done: ${one.text}`, onchange: () => { one.done = done.checked; this.save(done); } });
    const item = this.point(one);
    item.prepend(done, " ");
    item.classList.toggle("done", one.done);
    add(item, h("small", {}, [one.owner, one.due && `due ${one.due}`].filter(Boolean).join(" · ")));
    return item;
  }

  mark(source) {
    const text = this.source.text ?? "";
    if (!source) { fill(this.text, text); return; }
    const mark = h("mark", {}, text.slice(source.start, source.end));
    fill(this.text, text.slice(0, source.start), mark, text.slice(source.end));
    mark.scrollIntoView({ block: "center" });
  }

  async save(control, title = this.note.title, content = this.note.content) {
    const saved = await busy(control, () => put(`/notes/v1/notes/${this.id}`, { title, content, revision: this.note.revision }));
    this.note = saved ?? await get(`/notes/v1/notes/${this.id}`);
    await this.draw();
    return Boolean(saved);
  }

  edit() {
    const content = structuredClone(this.note.content);
    const title = h("input", { value: this.note.title, required: true, maxlength: 200 }), summary = h("textarea", { rows: 4 });
    summary.value = content.summary;
    const rows = (name, extra) => {
      const list = h("ul", { class: "points" });
      const row = point => {
        const text = h("textarea", { rows: 2, "aria-label": "Point", oninput: () => { point.text = text.value; } });
        text.value = point.text;
        const more = extra && ["owner", "due"].map(key => h("input", { placeholder: key, "aria-label": key, value: point[key] ?? "", oninput: event => { point[key] = event.target.value.trim() || null; } }));
        const item = h("li", { class: "row" }, text, more, button("✕", () => { content[name].splice(content[name].indexOf(point), 1); item.remove(); }, { "aria-label": "Remove" }));
        return item;
      };
      add(list, content[name].map(row));
      return [list, button("Add", () => { const point = { text: "", source: null, ...(extra && { owner: null, due: null, done: false }) }; content[name].push(point); list.append(row(point)); list.lastElementChild.querySelector("textarea").focus(); })];
    };
    const submit = h("button", { class: "primary" }, "Save");
    fill(this.element, back(), h("form", { onsubmit: event => {
      event.preventDefault();
      content.summary = summary.value;
      for (const name of ["decisions", "action_items", "key_points"]) content[name] = content[name].filter(point => point.text.trim());
      this.save(submit, title.value, content);
    } }, field("Title", title), field("Summary", summary), h("h2", {}, "Decisions"), rows("decisions"), h("h2", {}, "Action items"), rows("action_items", true), h("h2", {}, "Key points"), rows("key_points"),
    h("div", { class: "actions" }, button("Cancel", () => this.draw()), submit)));
    title.focus();
  }

  deleting() {
    return button("Delete", async event => {
      if (!await confirm("Delete this note?", "The note and the text that it was made of are deleted.", "Delete")) return;
      await busy(event.target, async () => { await remove(`/notes/v1/notes/${this.id}`); toast("Deleted."); location.hash = "#/notes"; });
    });
  }
}

const back = () => h("p", {}, h("a", { href: "#/notes" }, "‹ Notes"));

function download(label, name, type, content) {
  return button(label, () => {
    const url = URL.createObjectURL(new Blob([content()], { type }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
}
