// Due dates of action items as a calendar (RFC 5545). Only dates that are certain: those with a day and a month, or in figures.

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth"];

/** The date that a phrase names, the next one after `made` where it names no year; null where there is none. */
export function dateOf(phrase, made) {
  if (!phrase) return null;
  const text = phrase.toLowerCase();
  const iso = /\b(\d{4})-(\d{2})-(\d{2})\b/.exec(text);
  if (iso) return real(Number(iso[1]), Number(iso[2]) - 1, Number(iso[3]));
  const month = MONTHS.findIndex(name => new RegExp(`\\b${name}`).test(text));
  const day = dayOf(text);
  if (month < 0 || !day) return null;
  const year = Number(/\b(20\d{2})\b/.exec(text)?.[1]) || made.getFullYear();
  const date = real(year, month, day);
  // Thirty days of grace: notes are also made of old transcripts.
  if (date && !/\b20\d{2}\b/.test(text) && date < made - 30 * 864e5) date.setFullYear(year + 1);
  return date;
}

function dayOf(text) {
  const figure = /\b(\d{1,2})(?:st|nd|rd|th|\.)?\b(?!\s*(?:%|:))/.exec(text);
  if (figure) return Number(figure[1]);
  if (/\bthirty[- ]first\b/.test(text)) return 31;
  if (/\bthirtieth\b/.test(text)) return 30;
  const tail = /\btwenty[- ](\w+)\b/.exec(text);
  const unit = ORDINALS.findIndex(word => new RegExp(`\\b${word}\\b`).test(tail?.[1] ?? text)) + 1;
  return tail && unit ? 20 + unit : unit;
}

function real(year, month, day) {
  const date = new Date(year, month, day);
  return date.getMonth() === month && date.getDate() === day ? date : null;
}

/** The calendar of a note's dated actions; null where there is none. */
export function calendar(note, made) {
  const dated = note.content.action_items.map((one, n) => [one, dateOf(one.due, made), n]).filter(([, date]) => date);
  if (!dated.length) return null;
  const day = date => `${date.getFullYear()}${String(date.getMonth() + 1).padStart(2, "0")}${String(date.getDate()).padStart(2, "0")}`;
  const stamp = `${made.toISOString().replace(/[-:]|\.\d+/g, "")}`;
  const events = dated.flatMap(([one, date, n]) => ["BEGIN:VEVENT", `UID:${note.id}-${n}@switchyard`, `DTSTAMP:${stamp}`, `DTSTART;VALUE=DATE:${day(date)}`, `SUMMARY:${escaped([one.owner, one.text].filter(Boolean).join(": "))}`, ...(one.source ? [`DESCRIPTION:${escaped(one.source.quote)}`] : []), "END:VEVENT"]);
  return [...["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Switchyard//Notes//EN"], ...events, "END:VCALENDAR", ""].flatMap(folded).join("\r\n");
}

const escaped = text => text.replace(/[\\;,]/g, "\\$&").replace(/\r?\n/g, "\\n");

/** Lines of at most 75 bytes; a long one goes on after a blank. */
function folded(line) {
  const parts = [];
  let part = "";
  for (const character of line) {
    if (new TextEncoder().encode(part + character).length > 74) { parts.push(part); part = ` ${character}`; } else part += character;
  }
  return [...parts, part];
}
