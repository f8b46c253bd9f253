// Keys, for administrators: make, bind and revoke them, and see which are used.
import { h, fill, button, busy, confirm, field, table, toast } from "../lib/dom.js";
import { get, post, remove } from "../lib/api.js";
import { ago } from "../lib/format.js";

export async function show(main, { user }) {
  const rows = h("tbody");
  const made = h("div", { role: "status" });
  const collections = (await get("/rag/v1/collections")).map(one => one.name);
  const name = h("input", { required: true, maxlength: 100, placeholder: "anna, or the program's name" });
  const admin = h("input", { type: "checkbox", onchange: () => { bound.disabled = admin.checked; } });
  const bound = h("select", { multiple: true, size: Math.min(6, Math.max(2, collections.length)) }, collections.map(one => h("option", {}, one)));
  const grants = ["direct", "providers"].map(grant => h("input", { type: "checkbox", value: grant }));
  const submit = h("button", { class: "primary" }, "Create the key");
  const form = h("form", { class: "card", onsubmit: event => {
    event.preventDefault();
    busy(submit, async () => {
      const chosen = [...bound.selectedOptions].map(one => one.value);
      const key = await post("/rag/v1/keys", { name: name.value.trim(), admin: admin.checked, collections: admin.checked || !chosen.length ? null : chosen, grants: grants.filter(one => one.checked).map(one => one.value) });
      fill(made, h("p", { class: "card good" }, `The key of ${key.name}, shown this once: `, h("code", { class: "secret" }, key.key), " ", button("Copy", () => navigator.clipboard.writeText(key.key).then(() => toast("Copied.")))));
      form.reset();
      bound.disabled = false;
      await list();
    });
  } }, h("h2", {}, "A new key"), field("Name", name), h("label", { class: "check" }, admin, " administrator: may do everything"),
  field("Only these collections", bound, "None chosen: all of them"),
  h("label", { class: "check" }, grants[0], " may ask the model itself, without documents"), h("label", { class: "check" }, grants[1], " may see the engines"), submit);

  async function list() {
    const { items } = await get("/rag/v1/keys");
    fill(rows, items.map(key => h("tr", {}, h("td", { class: "name" }, key.name, h("small", {}, key.id)), h("td", {}, key.admin ? "administrator" : key.collections?.join(", ") ?? "all collections", key.grants.length > 0 && h("small", {}, key.grants.join(", "))),
      h("td", {}, ago(key.created)), h("td", {}, ago(key.last_used)),
      h("td", {}, key.id === user.key_id ? h("span", { class: "dim" }, "yours") : button("Revoke", event => revoke(key, event.target), { "aria-label": `Revoke ${key.name}` })))));
  }

  async function revoke(key, control) {
    if (!await confirm(`Revoke the key of ${key.name}?`, "Programs that use it are refused from now on, its browsers are signed out, and its open answers end.", "Revoke")) return;
    await busy(control, () => remove(`/rag/v1/keys/${key.id}`));
    await list();
  }

  fill(main, h("div", { class: "page" }, h("h1", {}, "Keys"), made, table("Keys", ["Name", "May use", "Made", "Last used", "Actions"], rows), form));
  await list();
}
