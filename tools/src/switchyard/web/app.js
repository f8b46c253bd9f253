// The page: signs in, then shows the view that the address names.
import { h, fill, button, toast } from "./lib/dom.js";
import { session, signIn, signOut, whenSignedOut } from "./lib/api.js";
import { signInView } from "./views/signin.js";

const VIEWS = [
  { path: "ask", label: "Ask", load: () => import("./views/ask.js") },
  { path: "documents", label: "Documents", load: () => import("./views/documents.js") },
  { path: "graph", label: "Graph", load: () => import("./views/graph.js") },
  { path: "notes", label: "Notes", load: () => import("./views/notes.js") },
  { path: "engines", label: "Engines", load: () => import("./views/engines.js"), allowed: user => user.admin || user.grants.includes("providers") },
  { path: "keys", label: "Keys", load: () => import("./views/keys.js"), allowed: user => user.admin },
  { path: "programs", label: "For programs", load: () => import("./views/programs.js") },
];

const main = document.getElementById("main");
let user = null;
let leave = null;
let turn = 0;

async function start() {
  const once = /^#once=([\w-]+)$/.exec(location.hash)?.[1];
  if (once) history.replaceState(null, "", location.pathname);
  try {
    user = once ? await signIn(once) : await session();
  } catch (error) {
    showSignIn(error.message);
    return;
  }
  if (!user) { showSignIn(""); return; }
  showAccount();
  await route();
  // The other views are there before they are wanted, and if the server should be away by then.
  for (const view of VIEWS) view.load().catch(() => {});
}

function showSignIn(message) {
  leave?.();
  leave = user = null;
  fill(document.getElementById("nav"));
  fill(document.getElementById("account"));
  fill(main, signInView(message, async secret => {
    user = await signIn(secret);
    showAccount();
    await route();
  }));
}

function showAccount() {
  fill(document.getElementById("nav"), VIEWS.filter(view => !view.allowed || view.allowed(user)).map(view => h("a", { href: `#/${view.path}`, dataset: { view: view.path } }, view.label)));
  const out = everywhere => async () => { await signOut(everywhere).catch(() => {}); showSignIn(everywhere ? "You are signed out on every device." : ""); };
  // Without keys there is no session to end.
  fill(document.getElementById("account"), user.key_id !== "anonymous" && h("details", { class: "menu" }, h("summary", {}, user.name),
    h("div", {}, h("p", { class: "dim" }, user.admin ? "administrator" : user.collections ? `may use ${user.collections.join(", ")}` : "may use all collections"),
      button("Sign out", out(false)), button("Sign out everywhere", out(true)))));
}

async function route() {
  if (!user) return;
  const [path, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const view = VIEWS.find(one => one.path === path && (!one.allowed || one.allowed(user))) ?? VIEWS[0];
  for (const link of document.querySelectorAll("#nav a")) link.toggleAttribute("aria-current", link.dataset.view === view.path);
  const mine = ++turn;
  leave?.();
  leave = null;
  document.body.className = `view-${view.path}`;
  document.title = `${view.label} – Switchyard`;
  try {
    const { show } = await view.load();
    if (mine !== turn) return;
    // Each has its own place: what comes late must not overwrite the next view.
    const place = h("div", {}, h("div", { class: "page" }, h("h1", {}, view.label)));
    fill(main, place);
    const left = await show(place, { user, rest });
    if (mine === turn) leave = left;
    else left?.();
  } catch (error) {
    // A module that could not be fetched is a TypeError.
    const words = error instanceof TypeError ? "This part of the page could not be loaded: the server does not answer." : error.message;
    if (mine === turn && error.status !== 401) fill(main, h("p", { class: "empty" }, words, " ", button("Try again", route)));
  }
}

whenSignedOut(problem => { if (user) showSignIn(problem.message); });
addEventListener("hashchange", () => (location.hash.startsWith("#once=") ? start() : route()));
addEventListener("offline", () => toast("You are offline. What is being made goes on, and is here when you are back.", { kind: "bad" }));
addEventListener("online", () => toast("Back online."));
start();
