// Trackings: every parcel that is followed, ours and others'.

import { html } from "../lib/preact.js";
import { words } from "../lib/format.js";
import { useGet, usePages } from "../lib/hooks.js";
import { Due, Filters, Heading, Link, PagedTable, Status, Time } from "../lib/ui.js";

const STATUSES = [
  "pending",
  "info_received",
  "in_transit",
  "out_for_delivery",
  "attempt_failed",
  "available_for_pickup",
  "delivered",
  "exception",
  "returning",
  "returned",
  "lost",
  "damaged",
  "cancelled",
  "expired",
];

const COLUMNS = [
  { title: "Tracking number", cell: (row) => html`<${Link} to=${["trackings", row.id]}>${row.tracking_number}<//>` },
  { title: "Status", cell: (row) => html`<${Status} value=${row.status} />${row.paused ? html` <span class="quiet">paused</span>` : ""}` },
  { title: "Carrier", cell: (row) => [row.carrier, row.carrier_code].filter(Boolean).join(" · ") },
  { title: "What", cell: (row) => row.title || row.parcel_reference || row.order_reference },
  { title: "Last event", cell: (row) => html`<${Time} at=${row.last_event_at} relative=${true} />` },
  { title: "Asked next", cell: (row) => html`<${Due} at=${row.next_poll_at} relative=${true} />` },
];

export default function Trackings({ query }) {
  const carriers = useGet("v1/carriers");
  const codes = (carriers.data?.data ?? []).map((each) => [each.code, each.name]);
  const { tracking_number, status, carrier, order_id } = query;
  const pages = usePages("v1/trackings", { tracking_number, status, carrier, order_id, limit: 25 });
  const fields = [
    { name: "tracking_number", label: "Tracking number", type: "search", maxlength: 80, hint: "The whole number. A part of it finds nothing." },
    { name: "status", label: "Status", options: [["", "any"], ...STATUSES.map((each) => [each, words(each)])] },
    { name: "carrier", label: "Carrier", options: [["", "any"], ...codes] },
  ];
  return html`<div>
    <${Heading}>Trackings<//>
    <${Filters} fields=${fields} />
    <${PagedTable} pages=${pages} columns=${COLUMNS} caption="Trackings, newest first" noun="trackings" empty="There is no such tracking." />
  </div>`;
}
