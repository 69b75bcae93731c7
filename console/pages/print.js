// Labels of chosen orders as one PDF. The address names the orders by ids, by batches or by filters, and the
// documents that were made, so that the page can be left and come back to.

import { html, useEffect, useState } from "../lib/preact.js";
import { get, isAbort, send } from "../lib/api.js";
import { count, words } from "../lib/format.js";
import { useAction, useGet, usePages, useQuery, useSession } from "../lib/hooks.js";
import { Field, Filters, Heading, Link, Loading, Notice, PagedTable, ProblemBox, Status, Table, Time } from "../lib/ui.js";

const MOST = 300;
const AT_ONCE = 4;
// A link to the PDF lasts 15 minutes.
const NEW_LINK = 600;
const STATUSES = ["confirmed", "processing", "needs_attention", "cancelled", "failed"].map((status) => [status, words(status)]);

const listed = (text) => [...new Set((text ?? "").split(",").filter(Boolean))];

export default function Print() {
  const [query, change] = useQuery();
  const documents = listed(query.documents);
  const [named, fromBatches] = [listed(query.ids), listed(query.batch)];
  const byFilter = !named.length && !fromBatches.length;
  return html`<div>
    <${Heading}>Print labels<//>
    ${documents.map((id) => html`<${Document} key=${id} id=${id} />`)}
    ${documents.length > 0 && html`<p><button type="button" class="secondary" onClick=${() => change({ documents: "" })}>Print other labels</button></p>`}
    ${!documents.length && (byFilter ? html`<${Filtered} query=${query} change=${change} />` : html`<${Named} key=${`${query.ids} ${query.batch}`} ids=${named} batches=${fromBatches} change=${change} />`)}
  </div>`;
}

/** A time in the reader's zone as the API takes it. What is no time is left to the API to refuse. */
function instant(local) {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? local : at.toISOString();
}

function Filtered({ query, change }) {
  const filters = { status: query.status || "confirmed", carrier: query.carrier, reference: query.reference, created_after: instant(query.created_after) };
  const pages = usePages("v1/orders", { ...filters, limit: 100 });
  const carriers = useGet("v1/carriers");
  const names = (carriers.data?.data ?? []).filter((each) => each.max_parcels > 0).map((each) => [each.code, each.name]);
  return html`<div>
    <${Filters} fields=${[
      { name: "status", label: "Status", options: [["", "confirmed"], ...STATUSES.slice(1)] },
      { name: "carrier", label: "Carrier", options: [["", "All"], ...names] },
      { name: "reference", label: "Reference", hint: "The whole one" },
      { name: "created_after", label: "Created after", type: "datetime-local" },
    ]} />
    <${Chosen} orders=${pages.rows} change=${change} pages=${pages} />
  </div>`;
}

/** The orders that the address names, by their ids or their batches. */
function Named({ ids, batches, change }) {
  const [state, setState] = useState({ orders: null, problem: null });
  const [turn, setTurn] = useState(0);
  const { epoch } = useSession();
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const read = async () => {
      const rows = [];
      for (const id of batches) {
        const batch = await get(`v1/batches/${encodeURIComponent(id)}`, {}, { signal });
        rows.push(...batch.orders.filter((row) => row.id && row.status === "confirmed"));
      }
      const orders = new Map();
      const left = [...ids];
      const one = async () => {
        for (let id = left.shift(); id; id = left.shift()) {
          // An order that does not exist is named by the document, as one without a label.
          const missing = { id, reference: id, status: null };
          orders.set(id, await get(`v1/orders/${encodeURIComponent(id)}`, {}, { signal }).catch((problem) => {
            if (problem.status === 404) return missing;
            throw problem;
          }));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, one));
      setState({ orders: [...rows, ...ids.map((id) => orders.get(id))], problem: null });
    };
    read().catch((problem) => isAbort(problem) || setState({ orders: null, problem }));
    return () => leaving.abort();
  }, [ids.join(","), batches.join(","), turn, epoch]);
  return html`<div>
    <${Loading} when=${!state.orders && !state.problem}>Reading the orders<//>
    <${ProblemBox} problem=${state.problem} retry=${() => setTurn(turn + 1)} />
    ${state.orders && html`<${Chosen} orders=${state.orders} change=${change} all />`}
    <p><${Link} to="print">Choose among all orders<//></p>
  </div>`;
}

/** A list of orders to choose from, and how they are printed. `all`: every one is chosen at first. */
function Chosen({ orders, pages, change, all = false }) {
  const [chosen, setChosen] = useState(() => new Set(all ? orders.map((order) => order.id) : []));
  const [layout, setLayout] = useState("as_is");
  const [start, setStart] = useState("1");
  const ids = orders.map((order) => order.id).filter((id) => chosen.has(id));
  const toggle = (id) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const print = useAction(async () => {
    const made = [];
    for (let place = 0; place < ids.length; place += MOST) {
      const body = { order_ids: ids.slice(place, place + MOST), layout };
      if (layout === "a4_4" && place === 0) body.start_at = Number(start);
      made.push((await send("POST", "v1/label-documents", body)).body.id);
    }
    change({ documents: made.join(",") });
  });
  const columns = [
    {
      title: "Order",
      cell: (order) => html`<label class="check"><input type="checkbox" name=${order.id} checked=${chosen.has(order.id)} onChange=${() => toggle(order.id)} /> ${order.reference}</label>`,
    },
    { title: "Status", cell: (order) => html`<${Status} value=${order.status} />` },
    { title: "To", cell: (order) => order.ship_to && [order.ship_to.name, order.ship_to.city, order.ship_to.country].filter(Boolean).join(", ") },
    { title: "Carrier", cell: (order) => order.carrier ?? "" },
    { title: "Label", cell: (order) => words(order.label?.status) },
    { title: "Created", cell: (order) => html`<${Time} at=${order.created_at} />` },
  ].filter(({ title }) => !["To", "Carrier", "Label", "Created"].includes(title) || orders.some((order) => order.carrier));
  const table = { caption: "Orders to choose from", columns, id: (order) => order.id };
  return html`<div>
    <div class="buttons">
      <button type="button" class="secondary" disabled=${!orders.length} onClick=${() => setChosen(new Set(orders.map((order) => order.id)))}>Choose all ${orders.length} shown</button>
      <button type="button" class="secondary" disabled=${!ids.length} onClick=${() => setChosen(new Set())}>Choose none</button>
    </div>
    ${pages
      ? html`<${PagedTable} pages=${pages} noun="orders" empty="No order has these filters." ...${table} />`
      : html`<${Table} rows=${orders} empty="There are no orders to print." ...${table} />`}
    <div class="grid-fields">
      <${Field} label="Paper" name="layout" value=${layout} options=${[["as_is", "Each label is a page"], ["a4_4", "Four labels on an A4 page"]]} onChange=${(event) => setLayout(event.target.value)} />
      ${layout === "a4_4" &&
      html`<${Field} label="First free place of the sheet" name="start" value=${start} onChange=${(event) => setStart(event.target.value)}
        options=${[["1", "1: top left"], ["2", "2: top right"], ["3", "3: bottom left"], ["4", "4: bottom right"]]} />`}
    </div>
    ${ids.length > MOST && html`<p>${count(ids.length, "label")} become ${count(Math.ceil(ids.length / MOST), "PDF")}: one holds ${MOST} orders.</p>`}
    <${ProblemBox} problem=${print.problem} />
    <p class="buttons"><button type="button" disabled=${!ids.length || print.busy} aria-busy=${print.busy ? "true" : null} onClick=${() => print.run()}>Print ${count(ids.length, "order")}</button></p>
  </div>`;
}

const MISSING = {
  not_found: "There is no such order.",
  order_not_live: "The order failed or was cancelled. Its label must not be used.",
  label_pending: "The label is not there yet. Print it again later.",
  label_unavailable: "The carrier gave no label.",
  label_unreadable: "The label's file cannot be drawn.",
  format_left_out: "The label is ZPL, which only a label printer can draw.",
  repeated: "The order was named twice. Its label is printed once.",
};

function Document({ id }) {
  const { data, problem, reload } = useGet(`v1/label-documents/${encodeURIComponent(id)}`, {}, {
    every: (found) => (found.status === "processing" ? 2 : found.status === "ready" ? NEW_LINK : null),
  });
  return html`<section>
    <${Loading} when=${!data && !problem}>Reading the document<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data?.status === "processing" && html`<p role="status" aria-live="polite" aria-busy="true">The PDF is being made. You can leave this page and come back to its address.</p>`}
    ${data?.status === "ready" &&
    html`<${Notice}>The PDF with ${count(data.pages, "page")} is ready.<//>
      <p class="buttons"><a href=${ours(data.url)} target="_blank" rel="noreferrer" role="button">Open the PDF</a>
        <button type="button" class="secondary" onClick=${reload}>Renew the link</button></p>
      <p class="quiet">The link lasts until <${Time} at=${data.expires_at} />.</p>`}
    ${data?.status === "failed" && html`<${ProblemBox} problem=${{ title: "No PDF was made", detail: data.failure?.message, code: data.failure?.code }} />`}
    ${data?.missing.length > 0 &&
    html`<h2>Not in the PDF</h2>
      <${Table} caption="Orders whose labels are missing" rows=${data.missing} id=${(row, index) => `${row.order_id} ${index}`} columns=${[
        { title: "Order", cell: (row) => html`<${OrderName} id=${row.order_id} exists=${row.code !== "not_found"} />` },
        { title: "Why", cell: (row) => html`${MISSING[row.code] ?? words(row.code)} <code>${row.code}</code>` },
      ]} />`}
  </section>`;
}

function OrderName({ id, exists }) {
  const { data } = useGet(exists ? `v1/orders/${encodeURIComponent(id)}` : null);
  return exists ? html`<${Link} to=${["orders", id]}>${data?.reference ?? id}<//>` : id;
}

/** A link that the API itself made; on one machine it has no https. */
function ours(address) {
  const { protocol } = new URL(address);
  return protocol === "https:" || (protocol === "http:" && location.protocol === "http:") ? address : null;
}
