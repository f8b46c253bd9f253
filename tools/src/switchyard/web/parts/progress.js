// A job as it goes on.
import { h, add, fill, button, busy } from "../lib/dom.js";
import { events, remove } from "../lib/api.js";
import { count } from "../lib/format.js";

/** Show a job, of which each `unit` is counted, in `into` until it ends; resolves to what it is then. */
export async function watched(into, path, unit, signal) {
  const bar = h("progress", { "aria-label": "Progress" }), words = h("p", { class: "dim", role: "status" }, "Waiting…");
  add(into, bar, words, button("Cancel", event => busy(event.target, () => remove(path))));
  let job = {};
  for await ([, job] of events("GET", `${path}/events`, { signal })) {
    const done = job[`${unit}s_done`], total = job[`${unit}s_total`];
    if (total) Object.assign(bar, { max: total, value: done });
    fill(words, job.waiting_for ? `Waiting for ${job.waiting_for}` : total ? `${done} of ${count(total, unit)} read` : job.stage ?? "");
  }
  return job;
}
