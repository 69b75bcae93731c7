// One tracking: its timeline, and asking the carrier now or no more.

import { html, useState } from "../lib/preact.js";
import { send, session } from "../lib/api.js";
import { safeLink, words } from "../lib/format.js";
import { useGet } from "../lib/hooks.js";
import { Timeline } from "../lib/timeline.js";
import { ActionButton, AskFirst, Due, Facts, Heading, Link, Loading, Notice, ProblemBox, Status, Time } from "../lib/ui.js";

const SOON = 5;

export default function TrackingPage({ parameters }) {
  const path = `v1/trackings/${encodeURIComponent(parameters.id)}`;
  const [asked, setAsked] = useState(false);
  const tracking = useGet(path, {}, { every: asked ? SOON : null });
  const { data, problem, loading } = tracking;
  if (!data) {
    return html`<div><${Heading}>Tracking<//><${Loading} when=${loading}>Reading the tracking<//><${ProblemBox} problem=${problem} retry=${tracking.reload} /></div>`;
  }
  const put = (answer) => tracking.put(answer.body);
  const refreshed = (answer) => {
    put(answer);
    setAsked(true);
  };
  const isOver = data.next_poll_at === null;
  return html`<div>
    <${Heading} aside=${html`<${Status} value=${data.status} />`}>Tracking ${data.tracking_number}<//>
    <${ProblemBox} problem=${problem} retry=${tracking.reload} />
    ${session.may("trackings:write") &&
    html`<section aria-label="Actions" class="buttons actions">
      <${ActionButton} label="Ask the carrier now" work=${() => send("POST", `${path}/refresh`, {})} onDone=${refreshed} />
      ${data.carrier === "trackingmore" && html`<${ActionButton} label="Ask in real time" work=${() => send("POST", `${path}/refresh`, { realtime: true })} onDone=${refreshed} />`}
      ${!data.paused && !isOver && html`<${AskFirst} label="Pause" title="Pause this tracking" question="The carrier is asked no more about this parcel. What is known stays, and what the carrier tells by itself is still taken." confirm="Yes, pause it" work=${() => send("POST", `${path}/pause`)} onDone=${put} />`}
      ${data.paused && data.order_id && html`<${ActionButton} label="Resume" work=${() => send("PATCH", path, { paused: false })} onDone=${put} />`}
    </section>`}
    ${asked && html`<${Notice}>The carrier is being asked. News appear here by themselves.<//>`}
    <${Facts}
      facts=${[
        ["Carrier", [data.carrier, data.carrier_code].filter(Boolean).join(" · ")],
        ["Account", data.account],
        ["Order", data.order_id && (session.may("orders:read") ? html`<${Link} to=${["orders", data.order_id]}>${data.parcel_reference || data.order_id}<//>` : data.order_id)],
        ["Title", data.title],
        ["More about the status", data.sub_status && words(data.sub_status)],
        ["Estimated delivery", data.estimated_delivery],
        ["Delivered", data.delivered_at && html`<${Time} at=${data.delivered_at} />`],
        ["Signed by", data.signed_by],
        ["Handed to", data.next_carrier && `${data.next_carrier.carrier_code} ${data.next_carrier.tracking_number}`],
        ["Other numbers", data.secondary_tracking_numbers.map((each) => [each.carrier, each.number].filter(Boolean).join(" ")).join(", ")],
        ["Last event", data.last_event_at && html`<${Time} at=${data.last_event_at} />`],
        ["Asked next", data.paused ? "paused" : isOver ? "no more" : html`<${Due} at=${data.next_poll_at} />`],
        ["Proof of delivery", safeLink(data.proof_of_delivery?.image_url) && html`<a href=${safeLink(data.proof_of_delivery.image_url)} target="_blank" rel="noreferrer">Open the picture</a>`],
        ["Recipient's page", data.tracking_page && html`<a href=${data.tracking_page} target="_blank" rel="noreferrer">Open the recipient's page</a>`],
        ["Customer", data.customer && [data.customer.name, data.customer.email, data.customer.phone].filter(Boolean).join(", ")],
        ["Order reference", data.order_reference],
        ["Note", data.note],
        ["Id", html`<code>${data.id}</code>`],
        ...Object.entries(data.metadata ?? {}),
      ]}
    />
    <h2>Timeline</h2>
    <${Timeline} events=${data.events} />
  </div>`;
}
