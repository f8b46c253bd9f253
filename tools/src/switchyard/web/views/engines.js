// Engines: who serves what and how well, the trial of a candidate against its gates, the switches, and who has used them.
import { h, fill, button, busy, confirm, table, toast } from "../lib/dom.js";
import { get, post, put, remove } from "../lib/api.js";
import { clock, count, percent, seconds } from "../lib/format.js";
import { STAGES, judged, place, step, title } from "../parts/migration.js";
import { plot } from "../parts/plot.js";
import { canary, promote, rollback, shadow, use } from "../parts/transitions.js";

const SECONDS = 3;
const ROLES = ["text", "vision", "embeddings", "rerank"];
const CHAT = ["text", "vision"];

export async function show(main, { user }) {
  const view = new EnginesView(user);
  fill(main, view.element);
  await view.refresh();
  const timer = setInterval(() => document.hidden || view.refresh().catch(() => {}), SECONDS * 1000);
  return () => clearInterval(timer);
}

class EnginesView {
  constructor(user) {
    this.user = user;
    this.halting = h("div");
    this.roles = h("div", { class: "cards" });
    this.audit = h("tbody");
    this.reports = h("div");
    this.fault = h("p", { class: "warn", role: "alert" });
    this.element = h("div", { class: "page wide" }, h("div", { class: "row" }, h("h1", {}, "Engines"), h("span", { class: "grow" }), this.halting), this.fault, this.roles,
      user.admin && [h("h2", {}, "Reports"), this.reports, h("h2", {}, "Who has changed what"), table("Changes", ["When", "Who", "Why", "Revision"], this.audit)]);
  }

  async refresh() {
    const [state, figures, kept] = await Promise.all([get("/rag/v1/providers"), get("/rag/v1/providers/figures"), this.user.admin && get("/rag/v1/reports")]);
    // How long a stage has held changes by itself.
    const held = CHAT.some(role => state.policy.roles[role]?.candidate) && Math.floor(Date.now() / 15000);
    const changed = JSON.stringify([state, figures, kept, held]);
    if (changed === this.seen) return;
    this.seen = changed;
    const revised = this.state?.revision !== state.revision;
    Object.assign(this, { state, figures });
    fill(this.fault, state.fault);
    const halted = CHAT.some(role => state.policy.roles[role]?.halted);
    fill(this.halting, this.user.admin && (halted ? this.act("Resume", { title: "Resume generation?", text: "Questions are answered again from now on." }, () => this.eachChat({ halted: false }), "primary")
      : this.act("Emergency stop", { title: "Stop all generation?", text: "Answers that are being made end within a second, in every service and replica, and new questions are refused until somebody resumes.", label: "Stop" }, () => this.eachChat({ halted: true }), "danger")));
    // Not while somebody is about to press something there.
    if (!this.roles.contains(document.activeElement)) fill(this.roles, ROLES.filter(role => state.policy.roles[role]).map(role => this.role(role)));
    if (kept && !this.reports.contains(document.activeElement)) this.list(kept.items);
    if (this.user.admin && revised) await this.changes();
  }

  eachChat(change) {
    return Object.fromEntries(CHAT.filter(role => this.state.policy.roles[role]).map(role => [role, change]));
  }

  list(reports) {
    fill(this.reports, reports.length ? h("ul", { class: "list" }, reports.map(one => this.report(one)))
      : h("p", { class: "dim" }, "What `switchyard compare` and `switchyard migrate` find is listed here."));
  }

  async changes() {
    const { items } = await get("/rag/v1/providers/audit?limit=30");
    fill(this.audit, items.map(one => h("tr", {}, h("td", {}, clock(one.at ?? one.changed?.at)), h("td", {}, one.by ?? one.changed?.by), h("td", {}, one.why ?? one.changed?.why), h("td", { class: "number" }, one.revision ?? ""))));
  }

  report(one) {
    const entry = h("li", { class: "row" }, h("span", { class: "badge" }, one.kind), h("a", { href: `/rag/v1/reports/${one.id}`, target: "_blank", rel: "noopener" }, one.title), h("span", { class: "dim" }, clock(one.created)), h("span", { class: "grow" }),
      button("Delete", async event => {
        if (!await confirm("Delete this report?", `“${one.title}” of ${clock(one.created)}. The folder of the command line keeps its own.`, "Delete")) return;
        await busy(event.target, async () => { await remove(`/rag/v1/reports/${one.id}`); entry.remove(); });
      }, { "aria-label": `Delete the report ${one.title}` }));
    return entry;
  }

  role(name) {
    const { state } = this;
    const policy = state.policy.roles[name], now = state.roles[name];
    const able = Object.entries(state.backends).filter(([, roles]) => roles.includes(name)).map(([backend]) => backend);
    const served = state.roles[name];
    const row = backend => {
      const minutes = this.figures[name]?.[backend] ?? [];
      const is = [policy.stable === backend && "serves", policy.candidate === backend && "candidate", policy.fallbacks.includes(backend) && "fallback"].filter(Boolean);
      const breaker = backend === served.backend ? served.breaker : served.fallbacks.find(one => one.backend === backend)?.breaker;
      return h("tr", {}, h("th", { scope: "row" }, backend, backend === served.backend && h("small", {}, served.model)), h("td", {}, is.map(word => h("span", { class: `badge ${word === "serves" ? "good" : ""}` }, word))),
        h("td", {}, breaker && h("span", { class: `badge ${breaker === "closed" ? "" : "bad"}` }, breaker === "closed" ? "works" : breaker === "open" ? "failing" : "being tried again")),
        h("td", { class: "number" }, state.running[name]?.[backend] ?? 0),
        h("td", {}, plot("requests/min", minutes, one => one.requests, String)), h("td", {}, plot(CHAT.includes(name) ? "first token" : "time", minutes, one => (CHAT.includes(name) ? one.first_token_p50 : one.seconds_p50), seconds)),
        CHAT.includes(name) && h("td", {}, !state.extractive.includes(backend) && plot("tokens/s", minutes, one => one.tokens_per_second, value => value.toFixed(1))));
    };
    return h("section", { class: "card", "aria-label": `Role ${name}`, dataset: { role: name } }, h("div", { class: "row" }, h("h2", {}, name), h("span", { class: `badge ${now.state === "ready" || now.state === "not watched" ? "good" : "bad"}` }, now.state), policy.halted && h("span", { class: "badge bad" }, "stopped"), h("span", { class: "grow" }), this.user.admin && this.buttons(name, policy, able)),
      table(`Engines for ${name}`, ["Engine", "Part", "State", "Under way", "Requests a minute", CHAT.includes(name) ? "First token" : "Time", CHAT.includes(name) && "Tokens/s"].filter(Boolean), h("tbody", {}, able.map(row))),
      this.trial(name, policy));
  }

  trial(name, policy) {
    const tried = this.state.canary[name], compared = this.state.shadow[name];
    if (!policy.candidate || (!tried && !compared)) return null;
    const parts = [h("h3", {}, `${policy.candidate} on trial: canary ${policy.canary_percent} %, shadow ${policy.shadow_percent} %`), this.stages(name, policy)];
    if (tried) {
      const { gates } = this.state.policy, { stable, candidate_window: candidate, tripped } = tried;
      const gate = (label, key, limit, write) => h("tr", { class: tripped.some(one => one.gate === key) ? "bad" : "" }, h("th", { scope: "row" }, label), h("td", {}, write(stable[key])), h("td", {}, write(candidate[key])), h("td", {}, write(limit)), h("td", {}, meter(candidate[key], limit)));
      parts.push(h("p", { class: tripped.length ? "warn" : "dim" }, tripped.length ? `Stopped: ${tripped.map(one => one.words).join("; ")}` : `${count(candidate.requests, "request")} of at least ${gates.min_requests} within ${seconds(gates.window_seconds)}; ${stable.requests} on ${policy.stable}`),
        table("Gates", ["Gate", policy.stable, policy.candidate, "Limit", "Against it"], h("tbody", {},
          gate("errors", "error_rate", gates.max_error_rate, percent), gate("95 % within", "p95_seconds", gates.max_p95_seconds, seconds), gate("first token, 95 %", "first_token_p95_seconds", gates.max_first_token_p95_seconds, seconds),
          gate("unusable answers", "unusable_rate", gates.max_unusable_rate, percent), gate("invalid JSON", "invalid_json_rate", gates.max_invalid_json_rate, percent))));
    }
    if (compared?.compared) parts.push(h("p", {}, `Shadow: ${count(compared.compared ?? 0, "answer")} compared; likeness ${percent(compared.mean_similarity)}, the same citations ${percent(compared.mean_citation_overlap)}`));
    return h("div", { class: "trial" }, parts);
  }

  /** The stages of a migration, where it stands, and the next step once this one has held. */
  stages(name, policy) {
    const { state } = this, at = place(policy);
    if (at < 0) return null;
    const next = STAGES[at + 1];
    const { passed, words } = judged(STAGES[at], { shadow: state.shadow[name], canary: state.canary[name], gates: state.policy.gates, since: state.changed.at });
    const byCommand = state.changed.why.startsWith("migration");
    return h("div", { class: "migration" }, h("ol", { class: "steps", "aria-label": "Stages" }, STAGES.map((stage, number) => h("li", { class: number < at ? "done" : "", "aria-current": number === at ? "step" : null }, title(stage)))),
      h("p", { class: passed === false ? "warn" : "dim" }, words, byCommand && `; \`switchyard migrate\` takes the steps, begun by ${state.changed.by}`),
      this.user.admin && !byCommand && this.act(`Next: ${title(next)}`, { title: `Go on to ${title(next)}?`, text: next.kind === "promote" ? `${policy.candidate} serves all of ${name}; ${policy.stable} becomes its fallback.` : `${next.percent} % of the conversations are answered by ${policy.candidate}. A gate that does not hold ends it by itself.`, label: "Go on" },
        () => ({ [name]: next.kind === "promote" ? promote(policy) : step(next, policy.candidate) }), "primary", { disabled: !passed }));
  }

  buttons(name, policy, able) {
    const others = able.filter(backend => backend !== policy.stable);
    if (!others.length) return h("small", { class: "dim" }, "no other engine can serve it");
    const chosen = h("select", { "aria-label": `Engine for ${name}` }, others.map(backend => h("option", {}, backend)));
    if (policy.candidate) chosen.value = policy.candidate;
    const share = h("input", { type: "number", min: 1, max: 100, value: 10, class: "short", "aria-label": `Percent for ${name}` });
    const offered = (label, question, change, kind) => this.act(label, question, async () => ({ [name]: await change() }), kind);
    return h("div", { class: "actions" }, chosen,
      offered("Use", () => ({ title: `Use ${chosen.value} for ${name}?`, text: `${chosen.value} serves all of ${name} from now on; ${policy.stable} becomes its fallback. Requests that are under way end where they began.${name === "embeddings" ? " Collections keep the engine of their index until they are reindexed." : ""}`, label: "Use it" }), () => use(policy, chosen.value)),
      CHAT.includes(name) && !policy.candidate && offered("Migrate", () => ({ title: `Migrate ${name} to ${chosen.value}?`, text: `First ${chosen.value} answers a test. Then ${STAGES.map(title).join(", ")}; each stage lasts two minutes and 20 requests at least, and you take the next one here. Whatever does not hold goes back to ${policy.stable} by itself.`, label: "Begin" }), async () => {
        await post("/rag/v1/providers/check", { role: name, backend: chosen.value });
        return step(STAGES[0], chosen.value);
      }),
      CHAT.includes(name) && [share, offered("Canary", () => ({ title: `Canary on ${chosen.value}?`, text: `${share.value} % of the conversations are answered by ${chosen.value}. A gate that does not hold ends it by itself.`, label: "Begin" }), () => canary(policy, chosen.value, Number(share.value))),
        offered("Shadow", () => ({ title: `Shadow on ${chosen.value}?`, text: `${share.value} % of the requests go to ${chosen.value} as well, after the user's answer; users see nothing of it.`, label: "Begin" }), () => shadow(policy, chosen.value, Number(share.value)))],
      policy.candidate && offered("Promote", () => ({ title: `Promote ${policy.candidate}?`, text: `${policy.candidate} serves all of ${name}; ${policy.stable} becomes its fallback.`, label: "Promote" }), () => promote(policy), "primary"),
      (policy.candidate || policy.previous) && offered("Roll back", () => ({ title: "Roll back?", text: policy.candidate ? `The trial of ${policy.candidate} ends; ${policy.stable} serves all of ${name}.` : `${policy.previous} serves ${name} again.`, label: "Roll back" }), () => rollback(policy)));
  }

  /** A button that asks, with what will happen, and then changes the policy. */
  act(label, question, change, kind = "", more = {}) {
    return button(label, async event => {
      const asked = typeof question === "function" ? question() : question;
      if (!await confirm(asked.title, asked.text, asked.label ?? label, { danger: kind === "danger" })) return;
      await busy(event.target, async () => {
        await put("/rag/v1/providers", { revision: this.state.revision, why: `${label.toLowerCase()}, on the page`, policy: { roles: await change() } });
        toast(`${label}: done.`);
      });
      document.activeElement?.blur();
      await this.refresh();
    }, { class: kind, ...more });
  }
}

function meter(value, limit) {
  if (value === null || value === undefined || !limit) return "";
  return h("meter", { min: 0, max: limit * 1.5, high: limit, optimum: 0, value: Math.min(value, limit * 1.5), "aria-label": value <= limit ? "within the limit" : "over the limit" });
}
