// Elements without a framework: text is only ever set as text, so nothing that a document or a model says becomes markup.

/** Make an element. `props` are attributes, `class`, `dataset`, and listeners named on…; children are nodes, text or nothing. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

/** Make an element of SVG; `props` are attributes, and listeners named on…. */
export function svg(tag, props = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  return add(element, children);
}

/** Append nodes and text, lists of them included; null, undefined and false are left out. */
export function add(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
  return parent;
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

export function button(label, action, props = {}) {
  return h("button", { type: "button", onclick: action, ...props }, label);
}

/** A label with its control. */
export function field(label, control, hint) {
  return h("label", { class: "field" }, h("span", {}, label), control, hint && h("small", {}, hint));
}

/** A field in which one searches; `action` is called when nothing has been typed for a moment. */
export function searchField(label, action) {
  let soon;
  return h("input", { type: "search", placeholder: label, "aria-label": label, autocomplete: "off", oninput: () => { clearTimeout(soon); soon = setTimeout(action, 200); } });
}

/** A table that can be scrolled sideways; `body` are its parts after the head. */
export function table(label, columns, body, props = {}) {
  return h("div", { class: "table", tabindex: "0", role: "region", "aria-label": label }, h("table", props, columns && h("thead", {}, h("tr", {}, columns.map(column => h("th", { scope: "col" }, column)))), body));
}

/** Show a message for some seconds; returns a function that takes it away. */
export function toast(message, { kind = "info", action, seconds = 6 } = {}) {
  const box = h("div", { class: `toast ${kind}` }, h("span", {}, message), action && button(action.label, () => { close(); action.run(); }));
  const close = () => { clearTimeout(timer); box.remove(); };
  const timer = setTimeout(close, seconds * 1000);
  document.getElementById("toasts").append(box);
  return close;
}

/** Ask before something that can't be undone; resolves to true or false. */
export function confirm(title, text, label, { danger = true } = {}) {
  return new Promise(resolve => {
    const dialog = h("dialog", { "aria-labelledby": "confirm-title" },
      h("form", { method: "dialog" },
        h("h2", { id: "confirm-title" }, title), h("p", {}, text),
        h("div", { class: "actions" },
          h("button", { value: "", autofocus: true }, "Cancel"), h("button", { value: "yes", class: danger ? "danger" : "primary" }, label))));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Run `work` while a control is busy; what fails is shown. */
export async function busy(control, work) {
  control.disabled = true;
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") toast(error.message, { kind: "bad", seconds: 10 });
    return undefined;
  } finally {
    control.disabled = false;
  }
}
