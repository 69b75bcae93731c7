// Times, money and words as a person reads them.

const LONG_ID = 14;
const SHORT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const IN_UTC = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
  [86400 * 45, "day", 86400],
  [86400 * 365, "month", 86400 * 30.4],
  [Infinity, "year", 86400 * 365],
];

/** A time in the reader's zone. A date without a time of day stays that day in every zone. */
export function time(at) {
  if (!at) return "";
  if (/^\d{4}-\d\d-\d\d$/.test(at)) return DAY.format(new Date(`${at}T12:00`));
  const instant = new Date(at);
  return Number.isNaN(instant.getTime()) ? String(at) : SHORT.format(instant);
}

/** A time in UTC, for one whose own zone is not known. */
export function utc(at) {
  const instant = new Date(at);
  return Number.isNaN(instant.getTime()) ? String(at) : IN_UTC.format(instant);
}

/** How long ago, or in how long: "3 hours ago". */
export function ago(at, now = Date.now()) {
  const seconds = (new Date(at).getTime() - now) / 1000;
  if (Number.isNaN(seconds)) return "";
  const [, unit, size] = STEPS.find(([most]) => Math.abs(seconds) < most);
  return AGO.format(Math.round(seconds / size), unit);
}

/** Money with its currency, digit by digit as the API wrote it: "12.34 USD". */
export function money(value) {
  return value ? `${value.amount} ${value.currency}` : "";
}

/** A word of the API as plain words: "out_for_delivery" is "out for delivery". */
export function words(value) {
  return value ? String(value).replaceAll("_", " ") : "";
}

/** An id as far as a table has room for it. */
export function shortId(id) {
  return id.length > LONG_ID ? `${id.slice(0, LONG_ID)}…` : id;
}

/** The address if it may be a link, which only https may. Addresses in data come from clients and carriers. */
export function safeLink(address) {
  try {
    return new URL(address).protocol === "https:" ? address : null;
  } catch {
    return null;
  }
}

/** "1 order", "2 orders". */
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}
