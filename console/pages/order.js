// One order: what it is, where its parcels are, what happened, and what can be done with it now.

import { html, useState } from "../lib/preact.js";
import { get, send, session } from "../lib/api.js";
import { words } from "../lib/format.js";
import { useAction, useGet } from "../lib/hooks.js";
import { LabelPreview } from "../lib/label.js";
import { Timeline } from "../lib/timeline.js";
import { ActionButton, AskFirst, Due, Facts, Heading, Link, Loading, Money, Notice, ProblemBox, Status, Table, Time } from "../lib/ui.js";

const SOON = 5;
const WAITS_FOR = {
  carrier: "The carrier must be reached, and must do what it is asked.",
  decision: "The carrier has the order and is deciding whether it takes it.",
  label: "The carrier has confirmed the order and makes its label.",
};

const GONE = {
  in_transit: "is on its way",
  out_for_delivery: "is out for delivery",
  attempt_failed: "is on its way",
  available_for_pickup: "waits to be fetched",
  delivered: "has been delivered",
  returning: "is on its way back",
  returned: "has come back",
  lost: "is lost",
  damaged: "is damaged",
};
/** What is said once a person's work is done: by the call and the status of the order. */
const DONE = {
  cancel: {
    cancelled: "The order is cancelled.",
    cancelling: "The carrier is being asked to cancel the order.",
    confirmed: "The order is not cancelled.",
  },
  hold: { confirmed: "The carrier holds the order." },
  return: { confirmed: "The carrier is asked to bring the parcels back." },
};

export default function OrderPage({ parameters }) {
  const path = `v1/orders/${encodeURIComponent(parameters.id)}`;
  const [asked, setAsked] = useState("");
  const [done, setDone] = useState("");
  const [refused, setRefused] = useState(null);
  // The question to the carrier is over once the order is another than the one that was asked about.
  const isAsked = (data) => asked === data.updated_at;
  const order = useGet(path, {}, { every: (data) => (isAsked(data) || isMoving(data) ? SOON : null) });
  const { data, problem, loading } = order;
  if (!data) {
    return html`<div><${Heading}>Order<//><${Loading} when=${loading}>Reading the order<//><${ProblemBox} problem=${problem} retry=${order.reload} /></div>`;
  }
  // Everything else of the order is read again when the order has changed.
  const version = data.updated_at;
  const tell = (call, problem = null) => {
    setDone(call);
    setRefused(problem);
  };
  return html`<div>
    <${Heading} aside=${html`<${Status} value=${data.status} />`}>Order ${data.reference}<//>
    <${ProblemBox} problem=${problem} retry=${order.reload} />
    <${Actions} order=${data} path=${path}
      onDone=${({ body }, call = "") => {
        tell(call);
        order.put(body);
      }}
      onRefused=${(problem) => {
        tell("", problem);
        order.reload();
      }}
      onAsked=${({ body }) => {
        tell("");
        setAsked(body.updated_at);
        order.put(body);
      }} />
    <${ProblemBox} problem=${refused} />
    ${DONE[done]?.[data.status] && html`<${Notice}>${DONE[done][data.status]}<//>`}
    ${isAsked(data) && html`<${Notice}>The carrier is being asked. News appear here by themselves.<//>`}
    ${data.erased_at && html`<${Notice}>The recipient's data was erased <${Time} at=${data.erased_at} />, and the label with it. The order's money and numbers are kept.<//>`}
    <${Trouble} order=${data} />
    <${Summary} order=${data} />
    <${Label} key=${`label ${data.label.status}`} order=${data} path=${path} />
    <${Parcels} order=${data} />
    <${Journeys} path=${path} version=${version} />
    <${Audit} path=${path} version=${version} />
  </div>`;
}

const isMoving = (order) =>
  ["accepted", "processing", "cancelling"].includes(order.status) || (order.status === "confirmed" && order.label.status === "pending");

/** Why an order should hardly be cancelled any more: what its parcels have done meanwhile. Null if nothing. */
function tooLate(order) {
  const gone = order.parcels.filter((parcel) => parcel.delivery_status in GONE);
  if (!gone.length) return null;
  if (order.parcels.length === 1) return `The parcel ${GONE[gone[0].delivery_status]}.`;
  return gone.map((parcel) => `Parcel ${parcel.reference} ${GONE[parcel.delivery_status]}.`).join(" ");
}

/** What can be done with the order in its state, with its carrier, and with this key. */
function Actions({ order, path, onDone, onRefused, onAsked }) {
  const carriers = useGet(session.may("orders:write") ? "v1/carriers" : null);
  const grades = carriers.data?.data.find((each) => each.code === order.carrier)?.grades ?? {};
  const post = (call, body) => () => send("POST", `${path}/${call}`, body);
  const resolve = (outcome) => post("resolve", { outcome });
  const confirmed = order.status === "confirmed" && !order.erased_at;
  const writes = session.may("orders:write");
  const operates = session.may("operator");
  const can = {
    cancel: writes && ["accepted", "processing", "confirmed", "needs_attention"].includes(order.status),
    hold: writes && confirmed && grades.hold && !order.held_at,
    return: writes && confirmed && grades.return && !order.return_requested_at,
    reread: operates && (order.status === "needs_attention" || (order.attention && ["failed", "confirmed"].includes(order.status))),
    close: operates && (order.status === "needs_attention" || (order.status === "failed" && order.attention)),
    refunded: operates && (order.status === "needs_attention" || (["cancelled", "failed"].includes(order.status) && ["requested", "rejected"].includes(order.refund.status))),
  };
  if (!Object.values(can).some(Boolean)) return null;
  const late = tooLate(order);
  // The state of the order forbids it, or its carrier: the question is answered, and the order read again.
  const refused = (problem) => {
    if (problem.status !== 409) return false;
    onRefused(problem);
    return true;
  };
  const change = (call) => ({ work: post(call), onDone: (answer) => onDone(answer, call), onRefused: refused });
  const cancel = html`<${AskFirst} danger=${!late} label="Cancel the order" question=${`Order ${order.reference} is cancelled with the carrier, and its money is asked for. This cannot be undone.`} confirm="Yes, cancel it" ...${change("cancel")}>
    ${late && html`<p><strong>${late}</strong> The carrier decides whether it still cancels the order.</p>`}
  <//>`;
  return html`<section aria-label="Actions" class="buttons actions">
    ${can.cancel && !late && cancel}
    ${can.hold &&
    html`<${AskFirst} label="Hold" title="Hold the order" question="The carrier is asked to keep the parcels back." confirm="Yes, hold it" ...${change("hold")} />`}
    ${can.return &&
    html`<${AskFirst} label="Send back" title="Send the order back" question="The carrier is asked to bring the parcels back to the sender. It is asked once, and this cannot be undone." confirm="Yes, send it back" ...${change("return")} />`}
    ${can.reread && html`<${ActionButton} label="Ask the carrier again" work=${resolve("reread")} onDone=${onAsked} />`}
    ${can.close &&
    html`<${AskFirst} label="Not at the carrier" title="Close this case" question=${order.status === "failed" ? "You have looked at what the carrier says of this failed order. The note is taken away." : "You have made sure that the carrier does not have this order. It ends as failed, and its reference is free again."} confirm="Close it" work=${resolve("not_at_carrier")} onDone=${onDone} />`}
    ${can.refunded &&
    html`<${AskFirst} label="Money came back" title="Close the refund" question="You have seen that the carrier gave the money back." confirm="Close it" work=${resolve("refunded")} onDone=${onDone} />`}
    ${can.cancel && late && cancel}
  </section>`;
}

/** Why the order stands as it does: its problem, what needs a person, what it waits for, its warnings. */
function Trouble({ order }) {
  const { waiting } = order;
  const paused = waiting?.last_error?.code === "account_paused";
  return html`
    ${order.problem && html`<${ProblemBox} problem=${order.problem} />`}
    ${order.attention && html`<${ProblemBox} problem=${order.attention}><p class="quiet">The order itself stands as it is.</p><//>`}
    ${waiting &&
    html`<section class="notice" role="status" aria-live="polite">
      ${paused
        ? html`<p><strong>It is waiting.</strong> ${waiting.last_error.message} It goes on when they are resumed.${session.may("operator") && html` <${Link} to=${["accounts", order.carrier, order.account]}>Look at the account<//>`}</p>`
        : html`<p><strong>It is waiting.</strong> ${WAITS_FOR[waiting.for] ?? words(waiting.for)} It goes on by itself.</p>`}
      <${Facts}
        facts=${[
          ["Since", html`<${Time} at=${waiting.since} />`],
          ["Failed attempts", waiting.attempts || null],
          ["Last error", waiting.last_error && !paused && `${waiting.last_error.message || words(waiting.last_error.code)} (${waiting.last_error.code})`],
          ["Next attempt", waiting.next_attempt_at ? html`<${Due} at=${waiting.next_attempt_at} />` : paused ? "when the calls are resumed" : "when the carrier calls back"],
        ]}
      />
    </section>`}
    ${order.warnings.length > 0 &&
    html`<section aria-labelledby="warnings">
      <h2 id="warnings">Warnings</h2>
      <ul>${order.warnings.map((warning) => html`<li><code>${warning.pointer}</code> ${warning.message}</li>`)}</ul>
    </section>`}
  `;
}

function Summary({ order }) {
  const page = order.links?.tracking_page;
  const refund = order.refund.status === "none" ? null : html`${words(order.refund.status)} <${Money} value=${order.refund.amount} />${order.refund.status === "requested" && html`<br /><span class="quiet small">The carrier does not tell when the money came back.</span>`}`;
  return html`<section aria-labelledby="facts">
    <h2 id="facts">The order</h2>
    <${Facts}
      facts=${[
        ["Delivery", html`<${Status} value=${order.delivery_status} />`],
        ["Carrier", `${order.carrier} (account ${order.account})`],
        ["Service", order.service],
        ["Price", order.price && html`<${Money} value=${order.price} />${order.price_source === "rate_card" ? " from your rate card" : ""}`],
        ["Charges", order.charges.length > 0 && html`<ul>${order.charges.map((charge) => html`<li>${words(charge.type)} <${Money} value=${charge.amount} /></li>`)}</ul>`],
        ["Billable weight", order.billable_weight && `${order.billable_weight.value} ${order.billable_weight.unit}`],
        ["Refund", refund],
        ["Carrier's order number", order.carrier_order_number],
        ["Master tracking numbers", order.master_tracking_numbers.join(", ")],
        ["Created", html`<${Time} at=${order.created_at} />`],
        ["Changed", html`<${Time} at=${order.updated_at} />`],
        ["Held", order.held_at && html`<${Time} at=${order.held_at} />`],
        ["Return asked for", order.return_requested_at && html`<${Time} at=${order.return_requested_at} />`],
        ["Manifest", order.manifest_id],
        ["To", html`<${Address} address=${order.ship_to} />`],
        ["From", order.ship_from && html`<${Address} address=${order.ship_from} />`],
        ["Returns to", order.return_to && html`<${Address} address=${order.return_to} />`],
        ["Recipient's page", page && html`<a href=${page} target="_blank" rel="noreferrer">Open the recipient's page</a>`],
        ["Id", html`<code>${order.id}</code>`],
        ...Object.entries(order.metadata).map(([name, value]) => [name, value]),
      ]}
    />
  </section>`;
}

function Address({ address }) {
  const lines = [
    address.name,
    address.company,
    address.line1,
    address.line2,
    address.line3,
    [address.city, address.state, address.postcode].filter(Boolean).join(", "),
    address.country,
    address.phone,
    address.email,
  ].filter(Boolean);
  return html`<address>${lines.map((line, place) => html`${place > 0 && html`<br />`}${line}`)}</address>`;
}

/** The label: asked for when somebody wants it, as each look is logged and its links last only minutes. */
function Label({ order, path }) {
  const [label, setLabel] = useState(null);
  const asked = useAction(async () => setLabel(await get(`${path}/label`)));
  const { status, format, size } = order.label;
  const opens = label?.format === "zpl" ? "Download" : "Open";
  if (["failed", "cancelled"].includes(order.status) || order.erased_at) return null;
  return html`<section aria-labelledby="label">
    <h2 id="label">Label</h2>
    <p><${Status} value=${status} /> ${format.toUpperCase()}, ${size}</p>
    ${status === "ready" &&
    html`<button type="button" class="secondary" aria-busy=${asked.busy ? "true" : null} disabled=${asked.busy} onClick=${() => asked.run()}>${label ? "Renew the links" : "Show the label"}</button>`}
    <${ProblemBox} problem=${asked.problem} />
    ${label?.status === "pending" && html`<p role="status">The label is being made. Try again in a moment.</p>`}
    ${label?.status === "ready" &&
    html`<div role="status">
      <${LabelPreview} label=${label} />
      <ul>
        ${label.url && html`<li><${Outside} address=${label.url}>${label.parcels.length > 1 ? `${opens} all labels` : `${opens} the label`} (${label.format.toUpperCase()})<//></li>`}
        ${(label.parcels.length > 1 || !label.url) &&
        label.parcels.map((parcel) => parcel.url && html`<li><${Outside} address=${parcel.url}>${opens} the label of ${parcel.reference} (${parcel.tracking_number})<//></li>`)}
      </ul>
      <p><${Link} to="print" query=${{ ids: order.id }}>Print it with other labels<//></p>
      <p class="quiet small">These links work until <${Time} at=${label.expires_at} />. Anybody who has one can open the label.</p>
    </div>`}
  </section>`;
}

// The address is the API's own; on a local stack it is not https.
const Outside = ({ address, children }) => html`<a href=${address} target="_blank" rel="noreferrer">${children}</a>`;

function Parcels({ order }) {
  const columns = [
    { title: "Parcel", cell: (row) => row.reference },
    { title: "Tracking number", cell: (row) => row.tracking_number },
    { title: "Delivery", cell: (row) => html`<${Status} value=${row.delivery_status} />` },
    { title: "Weight", number: true, cell: (row) => `${row.weight.value} ${row.weight.unit}` },
    { title: "Contents", cell: (row) => row.description || (row.items ?? []).map((item) => `${item.quantity} × ${item.description}`).join(", ") },
    { title: "Problem", cell: (row) => row.problem && (row.problem.detail || row.problem.title) },
  ];
  const shown = order.parcels.some((each) => each.problem) ? columns : columns.slice(0, -1);
  return html`<section aria-labelledby="parcels">
    <h2 id="parcels">Parcels</h2>
    <${Table} columns=${shown} rows=${order.parcels} caption="Parcels" id=${(row) => row.reference} />
  </section>`;
}

function Journeys({ path, version }) {
  const { data, problem, loading, reload } = useGet(`${path}/tracking`, {}, { version });
  return html`<section aria-labelledby="journeys">
    <h2 id="journeys">Where the parcels are</h2>
    <${Loading} when=${loading && !data}>Reading the timelines<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && !data.data.length && html`<p class="quiet">There is nothing to follow yet.</p>`}
    ${data?.data.map(
      (tracking) => html`<article key=${tracking.id}>
        <h3>
          ${session.may("trackings:read") ? html`<${Link} to=${["trackings", tracking.id]}>${tracking.tracking_number}<//>` : tracking.tracking_number}
          ${" "}<${Status} value=${tracking.status} />
        </h3>
        <${Timeline} events=${tracking.events} label=${`Timeline of ${tracking.tracking_number}`} />
      </article>`,
    )}
  </section>`;
}

function Audit({ path, version }) {
  const { data, problem, loading, reload } = useGet(`${path}/events`, {}, { version });
  const columns = [
    { title: "When", cell: (row) => html`<${Time} at=${row.at} />` },
    { title: "What", cell: (row) => html`<code>${row.type}</code>` },
    { title: "Status", cell: (row) => row.from !== row.to && [row.from, row.to].filter(Boolean).map(words).join(" to ") },
    { title: "By", cell: (row) => row.actor },
    { title: "Detail", cell: (row) => [row.detail, row.carrier && [row.carrier.code, row.carrier.message].filter(Boolean).join(" ")].filter(Boolean).join(" · ") },
  ];
  return html`<section aria-labelledby="audit">
    <h2 id="audit">Audit trail</h2>
    <${Loading} when=${loading && !data}>Reading the audit trail<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && html`<${Table} columns=${columns} rows=${data.data} caption="Audit trail, oldest first" id=${(row, index) => index} />`}
  </section>`;
}
