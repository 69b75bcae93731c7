// The batches that were bought in this tab: their ids, and the lines of the file that each order came from.
// Nothing of the orders themselves is kept.

import { html } from "./preact.js";
import { session } from "./api.js";
import { count } from "./format.js";
import { Link, Time } from "./ui.js";

const KEY = "parcelgate.batches";
const MOST = 10;

session.listen(() => {
  if (!session.key) sessionStorage.removeItem(KEY);
});

/** The imports of this tab, newest first: `[{ids, at, orders, lines: {id: [line]}}]`. */
export function recent() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** Remember an import, in place of what was known of its first batch. */
export function remember(entry) {
  const others = recent().filter((each) => each.ids[0] !== entry.ids[0]);
  sessionStorage.setItem(KEY, JSON.stringify([entry, ...others].slice(0, MOST)));
}

/** The imports of this tab as links. */
export function RecentBatches() {
  const entries = recent();
  if (!entries.length) return null;
  return html`<section>
    <h2>Bought in this tab</h2>
    <ul>
      ${entries.map((entry) => html`<li key=${entry.ids[0]}><${Link} to="create/batches" query=${{ ids: entry.ids.join(",") }}>${count(entry.orders, "order")} from a file<//> <${Time} at=${entry.at} relative /></li>`)}
    </ul>
  </section>`;
}
