// Today: what a shipping desk looks at first. Orders, money, what needs a person, and how the carriers are.

import { html, useState } from "../lib/preact.js";
import { AccountLink, Calls, Login, ResumeButton } from "../lib/accounts.js";
import { send, session } from "../lib/api.js";
import { money, shortId, words } from "../lib/format.js";
import { useGet, usePages } from "../lib/hooks.js";
import { ActionButton, AskFirst, Heading, Link, Loading, Notice, PagedTable, ProblemBox, Status, Table, Time } from "../lib/ui.js";

const MINUTE = 60;
const DAY = 86_400_000;
const WEEK = 7;
const UNDER_WAY = ["needs_attention", "accepted", "processing", "cancelling"];
const COUNTED = 50;
const OUTCOMES = ["confirmed", "failed", "cancelled"];

export default function Today() {
  const [changes, setChanges] = useState(0);
  const changed = () => setChanges((before) => before + 1);
  return html`<div>
    <${Heading}>Today<//>
    ${session.may("operator") && html`<${Attention} onChange=${changed} />`}
    ${session.may("orders:read") && html`<${UnderWay} version=${changes} />`}
    ${session.may("operator") && html`<${Figures} version=${changes} />`}
    <${Carriers} version=${changes} />
    ${!session.may("operator") && html`<p class="quiet">This key may not see what needs a person, the figures and the carrier accounts (scope operator).</p>`}
  </div>`;
}

/** The orders that are not at their end, counted by status. */
function UnderWay({ version }) {
  return html`<section aria-labelledby="open">
    <h2 id="open">Orders under way</h2>
    <ul class="cards">
      ${UNDER_WAY.map((status) => html`<${Counted} key=${status} status=${status} version=${version} />`)}
    </ul>
  </section>`;
}

function Counted({ status, version }) {
  const { data, problem } = useGet("v1/orders", { status, limit: COUNTED }, { every: MINUTE, version });
  const number = !data ? "…" : data.next_cursor ? `${data.data.length} or more` : data.data.length;
  return html`<li>
    <${Link} to="orders" query=${{ status }}>${words(status)}<//>
    <span class="large">${problem && !data ? "not known" : number}</span>
  </li>`;
}

const utcDay = (instant) => new Date(instant).toISOString().slice(0, 10);

/** What was bought today and in a week: the figures of the reports, for the orders that were made in these days. */
function Figures({ version }) {
  const today = utcDay(Date.now());
  const week = utcDay(Date.now() - (WEEK - 1) * DAY);
  return html`<section aria-labelledby="figures">
    <h2 id="figures">Orders and spend</h2>
    <${Span} name="Orders of today" from=${today} to=${today} version=${version} />
    <${Span} name=${`Orders of the last ${WEEK} days`} from=${week} to=${today} version=${version} />
    <p class="quiet small">Days are those of UTC. Spend counts what was paid, and refunds how much of it comes back. <${Link} to="reports">All reports<//></p>
  </section>`;
}

function Span({ name, from, to, version }) {
  const { data, problem, loading, reload } = useGet("v1/stats", { from, to }, { every: MINUTE, version });
  if (!data) return html`<h3>${name}</h3><${Loading} when=${loading}>Reading the figures<//><${ProblemBox} problem=${problem} retry=${reload} />`;
  const { orders, spend, refunds } = data.total;
  return html`<div>
    <h3>${name}</h3>
    <ul class="cards" aria-label=${name}>
      <li>made <span class="large">${orders.total}</span></li>
      ${OUTCOMES.map((status) => html`<li key=${status}>${words(status)} <span class="large">${orders[status]}</span></li>`)}
      ${spend.map((each) => html`<li>spend${each.source === "rate_card" ? " by rate card" : ""} <span class="large">${money(each.amount)}</span></li>`)}
      ${refunds.map((each) => html`<li>refunds ${words(each.status)} <span class="large">${money(each.amount)}</span></li>`)}
    </ul>
  </div>`;
}

/** What needs a person, the worst first, with what a person can do about it. */
function Attention({ onChange }) {
  const pages = usePages("v1/attention", { limit: 10 });
  const [said, setSaid] = useState("");
  const done = (what) => {
    setSaid(what);
    pages.reload();
    onChange();
  };
  const columns = [
    { title: "What", cell: (row) => html`<${Subject} row=${row} />` },
    { title: "Carrier", cell: (row) => row.carrier ?? "" },
    { title: "Since", cell: (row) => html`<${Time} at=${row.since} relative=${true} />` },
    { title: "Problem", cell: (row) => html`${row.problem.detail} <code class="small">${row.problem.code}</code>` },
    { title: "Actions", cell: (row) => html`<${Actions} row=${row} onDone=${done} />` },
  ];
  return html`<section aria-labelledby="attention">
    <h2 id="attention">What needs a person</h2>
    ${said && html`<${Notice}>${said}<//>`}
    <${PagedTable} pages=${pages} columns=${columns} caption="What needs a person, the worst first" noun="entries" id=${(row) => `${row.kind}:${row.id}`} empty="Nothing needs a person." />
  </section>`;
}

/** Where one reads more about an entry, by its kind: the page's parts, and the scope that it needs. */
const PLACES = {
  order: (id) => [["orders", id], "orders:read"],
  refund: (id) => [["orders", id], "orders:read"],
  delivery: (id) => [["inbox", id], "operator"],
  dead_letter: () => [["inbox"], "operator"],
  account: (id) => [["accounts", ...id.split("/")], "operator"],
  endpoint: (id) => [["webhooks", id], "webhooks:manage"],
};

const KINDS = { delivery: "carrier's webhook", dead_letter: "dead letters", endpoint: "webhook endpoint", account: "carrier account" };

/** An order by its reference, and anything else by its id, of which a long one is cut. */
function Subject({ row }) {
  const [place, scope] = PLACES[row.kind]?.(row.id) ?? [];
  const reads = place && session.may(scope);
  const order = useGet(reads && place[0] === "orders" ? `v1/orders/${encodeURIComponent(row.id)}` : null);
  const name = order.data?.reference ?? shortId(row.id);
  return html`${KINDS[row.kind] ?? words(row.kind)}${" "}
  <span class="id" title=${row.id}>${reads ? html`<${Link} to=${place}>${name}<//>` : html`<code>${name}</code>`}</span>`;
}

function Actions({ row, onDone }) {
  return html`<div class="buttons">${row.actions.map((name) => html`<${Action} key=${name} name=${name} row=${row} onDone=${onDone} />`)}</div>`;
}

function Action({ name, row, onDone }) {
  const id = encodeURIComponent(row.id);
  const resolve = (outcome) => send("POST", `v1/orders/${id}/resolve`, { outcome });
  if (name === "reread") {
    return html`<${ActionButton} label="Ask the carrier again" work=${() => resolve("reread")} onDone=${() => onDone(`The carrier is asked about order ${row.id}. Its answer shows in the order.`)} />`;
  }
  if (name === "close") {
    const isRefund = row.kind === "refund";
    return html`<${AskFirst}
      label=${isRefund ? "Money came back" : "Not at the carrier"}
      title="Close this case"
      question=${isRefund ? "You have seen that the carrier gave the money back. The refund is closed." : "You have made sure that the carrier does not have this order. Its case is closed, and its reference is free again."}
      confirm="Close it"
      work=${() => resolve(isRefund ? "refunded" : "not_at_carrier")}
      onDone=${() => onDone(`The case of order ${row.id} is closed.`)}
    />`;
  }
  if (name === "replay") {
    return html`<${ActionButton} label="Process it again" work=${() => send("POST", `v1/inbox/${id}/replay`)} onDone=${() => onDone("The carrier's webhook is processed again.")} />`;
  }
  if (name === "redrive") {
    return html`<${AskFirst}
      label="Send again"
      title="Send the messages again"
      question=${`The messages of ${row.id} go back to the queue that they came from, and are worked on again.`}
      confirm="Yes, send them again"
      work=${() => send("POST", `v1/dead-letters/${id}/redrive`)}
      onDone=${({ body }) => onDone(`${body.moved} were sent again, about ${body.left} are left.`)}
    />`;
  }
  if (name === "resume" && row.kind === "account") {
    const [carrier, account] = row.id.split("/");
    return html`<${ResumeButton} account=${{ carrier, account }} onDone=${(_, words) => onDone(words)} />`;
  }
  if (name === "check" && row.kind === "account") {
    const path = `v1/carrier-accounts/${row.id.split("/").map(encodeURIComponent).join("/")}/check`;
    return html`<${ActionButton} label="Check the login" work=${() => send("POST", path)} onDone=${({ body }) => onDone(`${row.id}: ${body.check.message}`)} />`;
  }
  // Of an order it is the carrier account that has to be mended, and of an endpoint the merchant's server.
  if (name === "check") {
    const [place, scope, shown] = row.kind === "endpoint" ? [["webhooks", row.id], "webhooks:manage", "Look at the endpoint"] : [["accounts"], "operator", "Look at the accounts"];
    return session.may(scope) && html`<${Link} to=${place}>${shown}<//>`;
  }
  return null;
}

/** How the carriers are: for an operator each account, for everybody else what the service says. */
function Carriers({ version }) {
  return html`<section aria-labelledby="carriers">
    <h2 id="carriers">Carriers</h2>
    ${session.may("operator") ? html`<${Accounts} version=${version} />` : html`<${Health} />`}
  </section>`;
}

function Accounts({ version }) {
  const { data, problem, loading, reload } = useGet("v1/carrier-accounts", {}, { every: MINUTE, version });
  const columns = [
    { title: "Account", cell: (row) => html`<${AccountLink} account=${row} />` },
    { title: "Calls", cell: (row) => html`<${Calls} account=${row} />` },
    { title: "Login", cell: (row) => html`<${Login} value=${row.login} />` },
    { title: "Last called", cell: (row) => html`<${Time} at=${row.last_called_at} relative=${true} />` },
    { title: "Last error", cell: (row) => row.last_error && html`<${Time} at=${row.last_error.at} relative=${true} />: ${row.last_error.message}` },
  ];
  return html`<div>
    <${Loading} when=${loading && !data}>Reading the accounts<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && html`<${Table} columns=${columns} rows=${data.data} caption="Carrier accounts" id=${(row) => `${row.carrier}/${row.account}`} empty="There is no carrier account yet." />`}
  </div>`;
}

function Health() {
  const { data, problem, loading, reload } = useGet("v1/health", {}, { every: MINUTE });
  const rows = Object.entries(data?.carriers ?? {}).map(([carrier, state]) => ({ carrier, state }));
  const columns = [
    { title: "Carrier", cell: (row) => row.carrier },
    { title: "State", cell: (row) => html`<${Status} value=${row.state} tone=${{ up: "good", down: "bad", paused: "warn" }[row.state] ?? "plain"} />` },
  ];
  return html`<div>
    <${Loading} when=${loading && !data}>Reading the carriers' health<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && html`<${Table} columns=${columns} rows=${rows} caption="Carriers' health" id=${(row) => row.carrier} />`}
  </div>`;
}
