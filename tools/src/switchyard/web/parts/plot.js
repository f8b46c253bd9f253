// A small plot of the last hour, as SVG: one line, its newest and largest value in words beside it.
import { h, svg } from "../lib/dom.js";

const WIDTH = 120, HEIGHT = 28, MINUTES = 60;

/** `minutes` are [{minute, …}]; `value` picks what is drawn, `show` writes it. */
export function plot(label, minutes, value, show) {
  const now = Math.floor(Date.now() / 60000);
  const points = minutes.map(one => [MINUTES - 1 - (now - one.minute), value(one)]).filter(([x, y]) => x >= 0 && y !== null && y !== undefined);
  const top = Math.max(...points.map(([, y]) => y), 0);
  const line = points.map(([x, y]) => `${(x / (MINUTES - 1) * WIDTH).toFixed(1)},${(HEIGHT - 2 - (top ? y / top : 0) * (HEIGHT - 4)).toFixed(1)}`);
  const latest = points.length ? show(points.at(-1)[1]) : "–";
  const words = points.length ? `${label}: ${latest} now, at most ${show(top)} in the last hour` : `${label}: nothing in the last hour`;
  const drawn = line.length > 1 ? svg("polyline", { points: line.join(" ") }) : line.length && svg("circle", { cx: line[0].split(",")[0], cy: line[0].split(",")[1], r: 2 });
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": words }, drawn || null);
  return h("span", { class: "plot", title: words }, picture, latest);
}
