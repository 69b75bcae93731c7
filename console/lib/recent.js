// What was bought in this tab: orders by their ids and references, and batches by their ids, with the lines of the
// file that each order came from. Nothing else of the orders is kept.

import { html } from "./preact.js";
import { session } from "./api.js";
import { count } from "./format.js";
import { Link, Time } from "./ui.js";

const KEY = "parcelgate.batches";
const MOST = 10;

session.listen(() => {
  if (!session.key) sessionStorage.removeItem(KEY);
});

/** What this tab bought, newest first: imports `{ids, at, orders, lines: {id: [line]}}`, and orders `{order, reference, at}`. */
export function recent() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

const nameOf = (entry) => entry.order ?? entry.ids[0];

/** Remember an order, or an import in place of what was known of its first batch. */
export function remember(entry) {
  const others = recent().filter((each) => nameOf(each) !== nameOf(entry));
  sessionStorage.setItem(KEY, JSON.stringify([entry, ...others].slice(0, MOST)));
}

/** What this tab bought, as links. */
export function Recent() {
  const entries = recent();
  if (!entries.length) return null;
  return html`<section>
    <h2>Bought in this tab</h2>
    <ul>
      ${entries.map((entry) => html`<li key=${nameOf(entry)}><${Place} entry=${entry} /> <${Time} at=${entry.at} relative /></li>`)}
    </ul>
  </section>`;
}

function Place({ entry }) {
  if (entry.order) return html`<${Link} to=${["orders", entry.order]}>Order ${entry.reference}<//>`;
  return html`<${Link} to="create/batches" query=${{ ids: entry.ids.join(",") }}>${count(entry.orders, "order")} from a file<//>`;
}
