import { h, fill, field } from "../lib/dom.js";
import { get } from "../lib/api.js";

/** The form that exchanges a key for a session. */
export function signInView(message, signIn) {
  const key = h("input", { type: "password", name: "key", autocomplete: "off", required: true, spellcheck: false, autofocus: true, placeholder: "sy-…" });
  const problem = h("p", { class: "warn", role: "alert" }, message);
  const submit = h("button", { class: "primary" }, "Sign in");
  const organisation = h("a", { class: "button", href: "/rag/v1/session/oidc", hidden: true }, "Sign in with your organisation");
  get("/rag/v1/session/ways").then(ways => { organisation.hidden = !ways.oidc; }, () => {});
  const form = h("form", { class: "signin", onsubmit: async event => {
    event.preventDefault();
    submit.disabled = true;
    fill(problem);
    try {
      await signIn(key.value.trim());
    } catch (error) {
      fill(problem, error.message);
      key.select();
    } finally {
      submit.disabled = false;
    }
  } },
  h("h1", {}, "Sign in"),
  h("p", {}, "Ask your documents, and see the proof of every sentence."),
  field("API key", key, "The key stays out of the browser: it is exchanged for a session."),
  problem, h("div", { class: "actions" }, submit, organisation),
  h("details", {}, h("summary", {}, "Where do I find a key?"),
    h("p", {}, "The first start made one: ", h("code", {}, "make key"), " shows it. Administrators make keys for others on the page ", h("em", {}, "Keys"), ".")));
  return form;
}
