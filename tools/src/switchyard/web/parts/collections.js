// The choice of a collection: shown where there is more than one, and remembered.
import { h } from "../lib/dom.js";
import { get } from "../lib/api.js";

const REMEMBERED = "switchyard.collection";

export async function collectionChoice({ all = false } = {}) {
  const found = await get("/rag/v1/collections");
  const names = found.map(one => one.name);
  const remembered = sessionStorage.getItem(REMEMBERED);
  const select = h("select", { "aria-label": "Collection", onchange: () => sessionStorage.setItem(REMEMBERED, select.value) },
    found.map(one => h("option", { value: one.name }, one.name)));
  select.value = [remembered, "default", names[0]].find(name => names.includes(name)) ?? "default";
  select.hidden = names.length < 2;
  return {
    element: select,
    found,
    documents: found.reduce((sum, one) => sum + one.documents, 0),
    get value() { return select.value || "default"; },
    /** Choose one; `fixed` where a conversation is about it. */
    select(name, fixed = false) {
      select.value = name;
      select.disabled = fixed;
      if (!fixed) sessionStorage.setItem(REMEMBERED, name);
    },
  };
}
