// Numbers, sizes and times as people write them.

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit++; }
  return `${bytes < 10 && unit ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 90) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  return value < 5400 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;
}

export const percent = value => (value === null || value === undefined ? "–" : `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`);

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString()} ${number === 1 ? one : many}`;

export function ago(moment) {
  if (!moment) return "never";
  const passed = (Date.now() - new Date(moment)) / 1000;
  return passed < 60 ? "just now" : passed < 86400 * 2 ? `${seconds(passed)} ago` : new Date(moment).toLocaleDateString();
}

export const clock = moment => new Date(moment).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
