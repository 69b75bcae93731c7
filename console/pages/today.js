// Today: what a shipping desk looks at first.

import { html } from "../lib/preact.js";
import { send, session } from "../lib/api.js";
import { words } from "../lib/format.js";
import { useGet, usePages } from "../lib/hooks.js";
import { ActionButton, AskFirst, Heading, Link, Loading, PagedTable, ProblemBox, Status, Table, Time } from "../lib/ui.js";

const MINUTE = 60;
const OPEN = ["needs_attention", "accepted", "processing", "cancelling"];
const COUNTED = 50;

export default function Today() {
  return html`
    <${Heading}>Today<//>
    ${session.may("orders:read") && html`<${OpenOrders} />`}
    ${session.may("operator") && html`<${Attention} />`}
    <${Carriers} />
  `;
}

/** The orders that are not at their end, counted by status. */
function OpenOrders() {
  return html`<section aria-labelledby="open">
    <h2 id="open">Orders under way</h2>
    <ul class="cards">
      ${OPEN.map((status) => html`<${Counted} key=${status} status=${status} />`)}
    </ul>
  </section>`;
}

function Counted({ status }) {
  const { data, problem } = useGet("v1/orders", { status, limit: COUNTED }, { every: MINUTE });
  const number = !data ? "…" : data.next_cursor ? `${data.data.length} or more` : data.data.length;
  return html`<li>
    <${Link} to="orders" query=${{ status }}>${words(status)}<//>
    <span class="large" role="status">${problem && !data ? "not known" : number}</span>
  </li>`;
}

/** What needs a person, the worst first, with what a person can do about it. */
function Attention() {
  const pages = usePages("v1/attention", { limit: 10 });
  const columns = [
    { title: "What", cell: (row) => html`<${Subject} row=${row} />` },
    { title: "Carrier", cell: (row) => row.carrier ?? "" },
    { title: "Since", cell: (row) => html`<${Time} at=${row.since} relative=${true} />` },
    { title: "Problem", cell: (row) => html`${row.problem.detail} <code class="small">${row.problem.code}</code>` },
    { title: "Actions", cell: (row) => html`<${Actions} row=${row} onDone=${pages.reload} />` },
  ];
  return html`<section aria-labelledby="attention">
    <h2 id="attention">What needs a person</h2>
    <${PagedTable} pages=${pages} columns=${columns} caption="What needs a person, the worst first" noun="entries" id=${(row) => `${row.kind}:${row.id}`} empty="Nothing needs a person." />
  </section>`;
}

function Subject({ row }) {
  const isOrder = row.id.startsWith("ord_");
  return html`${words(row.kind)} ${" "}${isOrder && session.may("orders:read") ? html`<${Link} to=${["orders", row.id]}>${row.id}<//>` : html`<code>${row.id}</code>`}`;
}

function Actions({ row, onDone }) {
  const [carrier, account = "default"] = row.id.split("/");
  const offered = {
    reread: html`<${ActionButton} label="Ask the carrier again" work=${() => resolve(row, "reread")} onDone=${onDone} />`,
    close: html`<${Close} row=${row} onDone=${onDone} />`,
    replay: html`<${ActionButton} label="Replay" work=${() => send("POST", `v1/inbox/${encodeURIComponent(row.id)}/replay`)} onDone=${onDone} />`,
    redrive: html`<${AskFirst} label="Send again" title="Send the messages again" question=${`All messages of the queue ${row.id} go back to where they came from and are worked on again.`} work=${() => send("POST", `v1/dead-letters/${encodeURIComponent(row.id)}/redrive`)} onDone=${onDone} />`,
    check: row.kind === "account" && html`<${ActionButton} label="Check the login" work=${() => send("POST", `v1/carrier-accounts/${encodeURIComponent(carrier)}/${encodeURIComponent(account)}/check`)} onDone=${onDone} />`,
  };
  return html`<div class="buttons">${row.actions.map((name) => html`<span key=${name}>${offered[name] ?? ""}</span>`)}</div>`;
}

const resolve = (row, outcome) => send("POST", `v1/orders/${encodeURIComponent(row.id)}/resolve`, { outcome });

/** Close a case by hand, which says what a person found out at the carrier. */
function Close({ row, onDone }) {
  const refund = row.kind === "refund";
  return html`<${AskFirst}
    label=${refund ? "Money came back" : "Not at the carrier"}
    title="Close this case"
    question=${refund ? "You have seen that the carrier gave the money back. The refund is closed." : "You have made sure that the carrier does not have this order. It ends as failed, and its reference is free again."}
    confirm="Close it"
    work=${() => resolve(row, refund ? "refunded" : "not_at_carrier")}
    onDone=${onDone}
  />`;
}

/** How the carriers are: for an operator each account, for everybody else what the service says. */
function Carriers() {
  return html`<section aria-labelledby="carriers">
    <h2 id="carriers">Carriers</h2>
    ${session.may("operator") ? html`<${Accounts} />` : html`<${Health} />`}
  </section>`;
}

function Accounts() {
  const { data, problem, loading, reload } = useGet("v1/carrier-accounts", {}, { every: MINUTE });
  const columns = [
    { title: "Account", cell: (row) => `${row.carrier} ${row.account}` },
    { title: "Calls", cell: (row) => html`<${Status} value=${row.circuit} tone=${row.circuit === "closed" ? "good" : "bad"} />` },
    { title: "Login", cell: (row) => words(row.login) },
    { title: "Last call", cell: (row) => html`<${Time} at=${row.last_called_at} relative=${true} />` },
    { title: "Last error", cell: (row) => row.last_error && html`${row.last_error.message || words(row.last_error.code)}` },
  ];
  return html`
    <${Loading} when=${loading && !data}>Reading the accounts<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && html`<${Table} columns=${columns} rows=${data.data} caption="Carrier accounts" id=${(row) => `${row.carrier}/${row.account}`} empty="There is no carrier account yet." />`}
  `;
}

function Health() {
  const { data, problem, loading, reload } = useGet("v1/health", {}, { every: MINUTE });
  const rows = Object.entries(data?.carriers ?? {}).map(([carrier, state]) => ({ carrier, state }));
  const columns = [
    { title: "Carrier", cell: (row) => row.carrier },
    { title: "State", cell: (row) => html`<${Status} value=${row.state} />` },
  ];
  return html`
    <${Loading} when=${loading && !data}>Reading the carriers' health<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && html`<${Table} columns=${columns} rows=${rows} caption="Carriers' health" id=${(row) => row.carrier} />`}
  `;
}
