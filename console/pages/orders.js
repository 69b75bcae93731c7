// Orders: one field that finds an order by whatever number is at hand, filters, and the list.

import { html, useEffect, useState } from "../lib/preact.js";
import { get, isAbort, session } from "../lib/api.js";
import { words } from "../lib/format.js";
import { go, useGet, usePages, useSession } from "../lib/hooks.js";
import { Filters, Heading, Link, Loading, Money, PagedTable, ProblemBox, Status, Table, Time } from "../lib/ui.js";

const STATUSES = ["accepted", "processing", "confirmed", "cancelling", "cancelled", "failed", "needs_attention"];
// No parcel of such an order is awaited.
const NEVER_SENT = ["failed", "cancelled"];
const SEARCHED = ["reference", "tracking_number", "carrier_order_number"];
const LONGEST_SEARCH = 80;

const COLUMNS = [
  { title: "Reference", cell: (row) => html`<${Link} to=${["orders", row.id]}>${row.reference}<//>` },
  { title: "Status", cell: (row) => html`<${Status} value=${row.status} />` },
  { title: "Delivery", cell: (row) => html`<${Status} value=${NEVER_SENT.includes(row.status) && row.delivery_status === "pending" ? null : row.delivery_status} />` },
  { title: "Carrier", cell: (row) => [row.carrier, row.account === "default" ? "" : row.account, row.service].filter(Boolean).join(" · ") },
  { title: "To", cell: (row) => [row.ship_to.name, row.ship_to.city, row.ship_to.country].filter(Boolean).join(", ") },
  { title: "Price", number: true, cell: (row) => html`<${Money} value=${row.price} />` },
  { title: "Created", cell: (row) => html`<${Time} at=${row.created_at} />` },
];

export default function Orders({ query }) {
  const carriers = useGet("v1/carriers");
  const codes = (carriers.data?.data ?? []).filter((each) => each.grades.create).map((each) => [each.code, each.name]);
  const filters = {
    status: query.status,
    carrier: query.carrier,
    account: query.account,
    created_after: dayBegins(query.from, 0),
    created_before: dayBegins(query.to, 1),
  };
  const fields = [
    { name: "q", label: "Search", type: "search", maxlength: LONGEST_SEARCH, hint: "A whole reference, order number or tracking number. A part of one finds nothing." },
    { name: "status", label: "Status", options: [["", "any"], ...STATUSES.map((each) => [each, words(each)])] },
    { name: "carrier", label: "Carrier", options: [["", "any"], ...codes] },
    { name: "from", label: "Created from", type: "date" },
    { name: "to", label: "Created to", type: "date" },
  ];
  return html`<div>
    <${Heading} aside=${session.may("orders:write") && html`<${Link} to="create">Create orders<//>`}>Orders<//>
    <${Filters} fields=${fields} />
    ${query.q ? html`<${Found} text=${query.q} filters=${filters} />` : html`<${All} filters=${filters} />`}
  </div>`;
}

function All({ filters }) {
  const pages = usePages("v1/orders", { ...filters, limit: 25 });
  return html`<${PagedTable} pages=${pages} columns=${COLUMNS} caption="Orders, newest first" noun="orders" empty="There is no such order." />`;
}

/** The orders that have this text as one of their numbers. An order's id opens the order. */
function Found({ text, filters }) {
  const [state, setState] = useState({ rows: null, problem: null, more: false });
  const [again, setAgain] = useState(0);
  const { epoch } = useSession();
  const key = JSON.stringify([text, filters, epoch, again]);
  useEffect(() => {
    let here = true;
    setState({ rows: null, problem: null, more: false });
    search(text.trim(), filters).then(
      (found) => here && setState({ ...found, problem: null }),
      (problem) => here && !isAbort(problem) && setState({ rows: null, problem, more: false }),
    );
    return () => {
      here = false;
    };
  }, [key]);
  return html`<div>
    <${Loading} when=${!state.rows && !state.problem}>Searching<//>
    <${ProblemBox} problem=${state.problem} retry=${() => setAgain(again + 1)} />
    ${state.rows &&
    html`<${Table} columns=${COLUMNS} rows=${state.rows} caption=${`Orders with the number ${text}`} empty=${`No order has the reference, order number or tracking number ${text}. Only whole ones are found.`} />`}
    ${state.more && html`<p>Only the newest are shown. Choose a status or days to see the others.</p>`}
  </div>`;
}

async function search(text, filters) {
  if (/^ord_\w+$/.test(text)) {
    go(["orders", text], {}, { replace: true });
    return { rows: null, more: false };
  }
  const lists = await Promise.all(SEARCHED.map((name) => found(name, text, filters)));
  const rows = new Map(lists.flatMap((list) => list.data).map((row) => [row.id, row]));
  const newest = [...rows.values()].sort((one, other) => (one.created_at < other.created_at ? 1 : -1));
  return { rows: newest, more: lists.some((list) => list.next_cursor) };
}

/** The orders whose `name` is `text`; none where the text cannot be such a number. */
async function found(name, text, filters) {
  try {
    return await get("v1/orders", { ...filters, [name]: text, limit: 50 });
  } catch (problem) {
    const isNoNumber = problem.code === "validation_failed" && problem.errors.every((error) => error.pointer === `/${name}`);
    if (isNoNumber) return { data: [], next_cursor: null };
    throw problem;
  }
}

/** The instant at which a day begins where the reader is, `after` so many days; times are exclusive bounds. */
function dayBegins(day, after) {
  if (!/^\d{4}-\d\d-\d\d$/.test(day ?? "")) return undefined;
  const [year, month, date] = day.split("-").map(Number);
  const begins = new Date(year, month - 1, date + after);
  return new Date(begins.getTime() - (after ? 0 : 1)).toISOString();
}
