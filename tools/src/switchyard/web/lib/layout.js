// Places for the nodes of a network: edges pull and nodes push (Fruchterman and Reingold, 1991). It begins on a spiral and not
// at random, so that the same network always looks the same.

const STEPS = 260, LENGTH = 60, GOLDEN = Math.PI * (3 - Math.sqrt(5)), SLICE_MS = 8;

/** Resolve to the [x, y] of `count` nodes, the first in the middle; `edges` are [from, to, weight]. Other work gets its turn meanwhile. */
export async function places(count, edges, signal) {
  const x = new Float64Array(count), y = new Float64Array(count), dx = new Float64Array(count), dy = new Float64Array(count);
  for (let i = 0; i < count; i++) { x[i] = LENGTH * Math.sqrt(i) * Math.cos(i * GOLDEN); y[i] = LENGTH * Math.sqrt(i) * Math.sin(i * GOLDEN); }
  let since = performance.now();
  for (let step = 0; step < STEPS; step++) {
    if (performance.now() - since > SLICE_MS) {
      await new Promise(resolve => setTimeout(resolve));
      signal?.throwIfAborted();
      since = performance.now();
    }
    for (let i = 0; i < count; i++) { dx[i] = -0.35 * x[i]; dy[i] = -0.55 * y[i]; } // Towards the middle, and wider than high.
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++) {
        const ax = x[i] - x[j], ay = y[i] - y[j], push = LENGTH * LENGTH / Math.max(ax * ax + ay * ay, 1);
        dx[i] += ax * push; dy[i] += ay * push; dx[j] -= ax * push; dy[j] -= ay * push;
      }
    }
    for (const [i, j, weight] of edges) {
      const ax = x[i] - x[j], ay = y[i] - y[j], pull = Math.hypot(ax, ay) / LENGTH * weight;
      dx[i] -= ax * pull; dy[i] -= ay * pull; dx[j] += ax * pull; dy[j] += ay * pull;
    }
    const most = LENGTH * (1 - step / STEPS);
    for (let i = 1; i < count; i++) {
      const far = Math.hypot(dx[i], dy[i]) || 1, way = Math.min(far, most) / far;
      x[i] += dx[i] * way; y[i] += dy[i] * way;
    }
  }
  return Array.from(x, (one, i) => [one, y[i]]);
}
