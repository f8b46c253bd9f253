// Conversations: ask, watch the answer come, see its proof, ask again.
import { h, fill, button, busy, confirm, searchField, toast } from "../lib/dom.js";
import { events, get, patch, put, remove, Problem } from "../lib/api.js";
import { ago } from "../lib/format.js";
import { answerBody, answerFoot, StreamingAnswer } from "../parts/answer.js";
import { Proof } from "../parts/proof.js";
import { collectionChoice } from "../parts/collections.js";

const RECONNECT = [500, 1000, 2000, 4000, 8000];

export async function show(main, { user, rest: [id] }) {
  const view = new AskView(user);
  fill(main, view.element);
  await view.start(id);
  return () => view.leave();
}

class AskView {
  constructor(user) {
    this.user = user;
    this.conversation = null;
    this.choosing = collectionChoice();
    this.proof = new Proof();
    this.leaving = new AbortController();
    this.list = h("ul", { class: "conversations" });
    this.search = searchField("Search conversations", () => this.listConversations());
    this.turns = h("div", { class: "turns", tabindex: "0", role: "region", "aria-label": "Questions and answers" });
    this.text = h("textarea", { rows: 2, required: true, maxlength: 8000, placeholder: "Ask your documents…", "aria-label": "Question", onkeydown: event => this.key(event), oninput: () => this.grow() });
    this.send = h("button", { class: "primary" }, "Ask");
    this.stop = button("Stop", () => this.halt(), { hidden: true });
    this.choice = h("span");
    this.form = h("form", { class: "ask", onsubmit: event => { event.preventDefault(); this.ask(); } }, this.choice, this.text, this.send, this.stop);
    this.element = h("div", { class: "columns" },
      h("details", { class: "side", open: matchMedia("(min-width: 900px)").matches }, h("summary", {}, "Conversations"),
        h("div", { class: "row" }, h("a", { class: "button", href: "#/ask" }, "New conversation")), this.search, this.list),
      h("section", { class: "talk", "aria-label": "Conversation" }, this.turns, this.form),
      this.proof.element);
  }

  async start(id) {
    this.collections = await this.choosing;
    fill(this.choice, this.collections.element);
    this.listConversations();
    if (id) await this.openConversation(id);
    else this.welcome();
    this.text.focus();
  }

  leave() {
    this.leaving.abort();
    this.answering?.abort();
    document.body.classList.remove("proving");
  }

  welcome() {
    const nothing = this.collections.documents === 0;
    fill(this.turns, h("div", { class: "empty" }, h("h1", {}, nothing ? "Add your first documents" : "Ask your documents"),
      nothing ? h("p", {}, "There is nothing to ask yet. ", h("a", { href: "#/documents" }, "Add files"), ", and come back.")
        : h("p", {}, "Every sentence of an answer is checked against your documents. Click a number to see the page, with the words that say so.")));
  }

  async listConversations() {
    this.listing?.abort();
    const listing = this.listing = new AbortController();
    const words = encodeURIComponent(this.search.value.trim());
    try {
      const found = await get(`/rag/v1/conversations?limit=100&words=${words}`, { signal: listing.signal });
      fill(this.list, found.items.map(one => this.row(one)), !found.items.length && h("li", { class: "dim" }, words ? "None holds these words." : "None yet."));
    } catch (error) {
      if (error.name !== "AbortError") fill(this.list, h("li", { class: "warn" }, error.message));
    }
  }

  row(one) {
    const current = this.conversation?.id === one.id;
    return h("li", { class: current ? "current" : "" },
      h("a", { href: `#/ask/${one.id}`, "aria-current": current && "page", title: `${one.collection}, ${ago(one.created)}` }, one.title || "Untitled"),
      h("details", { class: "menu" }, h("summary", { "aria-label": `More about ${one.title}` }, "⋯"), h("div", {},
        button("Rename", () => this.rename(one)), button("Delete", () => this.forget(one)))));
  }

  async rename(one) {
    const title = prompt("A new title", one.title)?.trim();
    if (!title) return;
    await patch(`/rag/v1/conversations/${one.id}`, { title }).catch(error => toast(error.message, { kind: "bad" }));
    this.listConversations();
  }

  async forget(one) {
    if (!await confirm("Delete this conversation?", `“${one.title}” and its answers are forgotten.`, "Delete")) return;
    await remove(`/rag/v1/conversations/${one.id}`).catch(error => toast(error.message, { kind: "bad" }));
    if (this.conversation?.id === one.id) location.hash = "#/ask";
    else this.listConversations();
  }

  async openConversation(id) {
    this.conversation = await get(`/rag/v1/conversations/${id}`, { signal: this.leaving.signal });
    this.collections.select(this.conversation.collection, true);
    this.draw();
    // A reload in the middle finds the answer that went on.
    if (this.conversation.answering) {
      this.turns.append(this.question({ content: this.conversation.answering }));
      this.receive(signal => events("GET", `/rag/v1/conversations/${id}/answer`, { signal }));
    }
  }

  draw() {
    fill(this.turns, h("h1", { class: "unseen" }, this.conversation.title || "Conversation"), this.conversation.turns.map((turn, n) => (turn.role === "user" ? this.question(turn) : this.answer(turn, this.conversation.turns[n - 1]))));
    this.turns.lastElementChild?.scrollIntoView({ block: "end" });
  }

  question(turn) {
    const element = h("article", { class: "question", "aria-label": "Question" }, h("p", {}, turn.content),
      turn.id && h("div", { class: "tools" }, button("Edit", () => this.edit(element, turn), { title: "Change the question and ask again" })));
    return element;
  }

  edit(element, turn) {
    const text = h("textarea", { rows: 3, maxlength: 8000, "aria-label": "Changed question" });
    text.value = turn.content;
    fill(element, h("form", { onsubmit: event => { event.preventDefault(); this.ask(text.value, turn); } }, text,
      h("div", { class: "actions" }, button("Cancel", () => this.draw()), h("button", { class: "primary" }, "Ask again"))));
    text.focus();
  }

  answer(turn, asked) {
    const open = (citations, index) => this.proof.open(citations, index);
    if (!turn.answer) return h("article", { class: "reply", "aria-label": "Answer" }, h("p", {}, turn.content));
    const rate = (rating, label) => button(label, event => this.rate(event.target, turn, rating), { "aria-pressed": String(turn.rating === rating), title: rating === "good" ? "A good answer" : "A bad answer" });
    return h("article", { class: `reply ${turn.answer.answered ? "" : "none"}`, "aria-label": "Answer" }, answerBody(turn.answer, open), answerFoot(turn.answer),
      h("div", { class: "tools" }, button("Copy", () => this.copy(turn.content)), asked && button("Ask again", () => this.ask(asked.content, asked)), rate("good", "Good"), rate("bad", "Bad"),
        turn.rating === "bad" && turn.reason && h("span", { class: "dim" }, turn.reason)));
  }

  async copy(text) {
    await navigator.clipboard.writeText(text).then(() => toast("Copied."), () => toast("The browser does not allow it here.", { kind: "bad" }));
  }

  async rate(control, turn, rating) {
    const next = turn.rating === rating ? null : rating;
    const reason = next === "bad" ? prompt("What is wrong with it? (may be empty)", "") : "";
    if (reason === null) return;
    await busy(control, async () => {
      await put(`/rag/v1/conversations/${this.conversation.id}/turns/${turn.id}/rating`, { rating: next, reason });
      Object.assign(turn, { rating: next, reason });
      this.draw();
    });
  }

  key(event) {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.ask(); }
    if (event.key === "Escape" && !this.stop.hidden) this.halt();
  }

  grow() {
    this.text.rows = Math.min(10, Math.max(2, this.text.value.split("\n").length));
  }

  async ask(question = this.text.value.trim(), replaces = null) {
    if (!question.trim()) return;
    if (this.answering) { toast("An answer is being made: wait for it, or stop it."); return; }
    if (replaces) {
      this.conversation.turns = this.conversation.turns.slice(0, this.conversation.turns.findIndex(turn => turn.id === replaces.id));
      this.draw();
    } else if (!this.conversation) fill(this.turns);
    this.turns.append(this.question({ content: question }));
    if (question === this.text.value.trim()) this.text.value = "";
    this.grow();
    const body = { question, collection: (await this.choosing).value, detached: true, ...(this.conversation ? { conversation_id: this.conversation.id, replaces: replaces?.id } : { remember: true }) };
    await this.receive(signal => events("POST", "/rag/v1/query", { body, signal, onresponse: response => this.began(response.headers.get("X-Conversation-Id")) }));
  }

  /** A reload finds the conversation from now on. */
  began(id) {
    this.made = id;
    if (id && !this.conversation) { history.replaceState(null, "", `#/ask/${id}`); this.listConversations(); }
  }

  /** Show an answer as it comes; where the connection is lost, follow the answer that went on. */
  async receive(begin) {
    const answering = this.answering = new AbortController();
    let id = this.conversation?.id;
    this.made = null;
    this.waiting(true);
    const live = new LiveReply();
    this.turns.append(live.element);
    live.element.scrollIntoView({ block: "end" });
    try {
      for (let lost = 0; ;) {
        try {
          for await (const [event, data] of begin(answering.signal)) {
            id ??= this.made;
            if (live.take(event, data)) { await this.ends(event, data, id, live); return; }
            lost = 0;
          }
          throw new Problem(0, { detail: "The connection was lost before the answer ended." });
        } catch (error) {
          if (error.name === "AbortError" || error.status || !id || lost >= RECONNECT.length) throw error;
          live.note("The connection is lost; trying again…");
          await new Promise(resolve => setTimeout(resolve, RECONNECT[lost++]));
          const at = id;
          begin = signal => events("GET", `/rag/v1/conversations/${at}/answer`, { signal });
          live.restart();
        }
      }
    } catch (error) {
      if (error.name !== "AbortError") await this.failed(error, id, live);
    } finally {
      if (this.answering === answering) { this.answering = null; this.waiting(false); }
    }
  }

  async ends(event, data, id, live) {
    if (event === "done") return this.settle(id);
    live.note(data.detail ?? data.title ?? "The answer ended.", true);
    if (!this.conversation && id) this.conversation = await get(`/rag/v1/conversations/${id}`);
  }

  async failed(error, id, live) {
    // The answer may have been finished meanwhile, and be forgotten by the process that made it.
    const stored = id && await get(`/rag/v1/conversations/${id}`).catch(() => null);
    if (stored && stored.turns.length > (this.conversation?.turns.length ?? 0)) return this.settle(id);
    live.note(error.message, true);
  }

  async settle(id) {
    const before = this.conversation;
    this.conversation = await get(`/rag/v1/conversations/${id}`);
    if (!before) this.collections.select(this.conversation.collection, true);
    this.draw();
    this.listConversations();
  }

  async halt() {
    const id = this.conversation?.id ?? this.made;
    this.answering?.abort();
    if (id) await remove(`/rag/v1/conversations/${id}/answer`).catch(() => {});
  }

  waiting(on) {
    this.stop.hidden = !on;
    this.send.hidden = on;
  }
}

/** The answer that is being made. */
class LiveReply {
  constructor() {
    this.status = h("p", { class: "dim", role: "status" }, "Searching your documents…");
    this.thought = h("pre");
    this.thoughts = h("details", { class: "thoughts", hidden: true }, h("summary", {}, "What the model thinks"), this.thought);
    this.element = h("article", { class: "reply", "aria-label": "Answer" }, this.thoughts, this.status);
    this.restart();
  }

  restart() {
    this.streaming?.element.remove();
    this.streaming = new StreamingAnswer();
    this.status.before(this.streaming.element);
    fill(this.thought);
  }

  /** Take an event; returns whether it is the last. */
  take(event, data) {
    switch (event) {
      case "sources":
        this.note(data.items.length ? `Reading ${data.items.length} passages…` : "");
        return false;
      case "progress":
        this.note(`Read ${data.done} of ${data.total} parts…`);
        return false;
      case "reasoning":
        this.thoughts.hidden = false;
        this.thought.append(data.text);
        return false;
      case "token":
        if (!this.streaming.text) this.note("");
        this.streaming.add(data.text);
        return false;
      case "failover":
        this.streaming.switched(data);
        return false;
      case "done": case "error": case "cancelled":
        this.streaming.element.setAttribute("aria-busy", "false");
        return true;
      default:
        return false;
    }
  }

  note(text, bad = false) {
    fill(this.status, text);
    this.status.classList.toggle("warn", bad);
  }
}
