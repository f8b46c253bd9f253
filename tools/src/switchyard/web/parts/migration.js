// The stages of a migration with their limits, as `switchyard migrate` has them by default. Where a role stands, and whether it may go on, is read from the policy and its figures, whoever takes the steps.
import { count, percent, seconds } from "../lib/format.js";

export const STAGES = [{ kind: "shadow", percent: 20 }, ...[10, 50, 100].map(share => ({ kind: "canary", percent: share })), { kind: "promote" }];
const HOLD_SECONDS = 120, LEAST = 20, LEAST_ALIKE = 0.5, MOST_FAILED = 0.05, MOST_BROKEN = 0.05, MOST_REFUSED = 0.1;

export const title = stage => (stage.kind === "promote" ? stage.kind : `${stage.kind} ${stage.percent} %`);

/** The place in STAGES where a role is; -1 without a trial. */
export function place(policy) {
  if (!policy.candidate) return -1;
  if (policy.canary_percent) return Math.max(1, STAGES.findLastIndex(stage => stage.kind === "canary" && stage.percent <= policy.canary_percent));
  return policy.shadow_percent ? 0 : -1;
}

/** What a stage changes in a role's policy. */
export const step = (stage, candidate) => ({ candidate, canary_percent: stage.kind === "canary" ? stage.percent : 0, shadow_percent: stage.kind === "shadow" ? stage.percent : 0 });

/** Whether a stage has passed, is refused, or goes on (null), and why; `since` is when it began. */
export function judged(stage, { shadow, canary, gates, since }) {
  const [sample, least, faults] = stage.kind === "shadow" ? shadowed(shadow) : tried(canary, gates);
  if (faults.length) return { passed: false, words: faults.join("; ") };
  if (sample < least) return { passed: null, words: `waiting for traffic: ${sample} of ${least}` };
  const left = HOLD_SECONDS - (Date.now() - new Date(since)) / 1000;
  return left > 0 ? { passed: null, words: `${seconds(left)} to go` } : { passed: true, words: `held, with ${count(sample, "request")}` };
}

function shadowed(figures) {
  const { done = 0, failed = 0, mean_similarity: alike, json_valid_rate: valid, refusal_rate: refused } = figures ?? {};
  const sample = done + failed;
  if (sample < LEAST) return [sample, LEAST, []];
  const over = [["failed", failed / sample, MOST_FAILED], ["broken JSON", 1 - (valid ?? 1), MOST_BROKEN], ["more refusals", (refused?.candidate ?? 0) - (refused?.stable ?? 0), MOST_REFUSED]];
  const faults = over.filter(([, share, most]) => share > most).map(([name, share, most]) => `${percent(share)} ${name}, at most ${percent(most)}`);
  if (alike !== null && alike !== undefined && alike < LEAST_ALIKE) faults.push(`likeness ${percent(alike)}, at least ${percent(LEAST_ALIKE)}`);
  return [sample, LEAST, faults];
}

function tried(figures, gates) {
  return [figures?.candidate_window.requests ?? 0, Math.max(LEAST, gates.min_requests ?? 0), (figures?.tripped ?? []).map(one => one.words)];
}
