// What happened to a parcel, newest first, as a person reads it.

import { html } from "./preact.js";
import { utc, words } from "./format.js";
import { Status, Time } from "./ui.js";

/** The events of a tracking. The API gives them oldest first. */
export function Timeline({ events, label = "Timeline" }) {
  if (!events.length) return html`<p class="quiet">The carrier has said nothing of this parcel yet.</p>`;
  return html`<ol class="timeline" reversed aria-label=${label}>
    ${[...events].reverse().map(
      (event) => html`<li key=${event.id}>
        <span class="when">${event.at_is_local ? html`<time datetime=${event.at} title=${event.at}>${utc(event.at)}</time> <span class="quiet">UTC, zone unknown</span>` : html`<${Time} at=${event.at} />`}</span>
        <span>
          ${event.status && html`<${Status} value=${event.status} /> `}
          ${event.description || words(event.code)}
          ${event.sub_status && html`<span class="quiet"> (${words(event.sub_status)})</span>`}
          <span class="quiet"> ${[place(event.location), event.carrier].filter(Boolean).join(" · ")}</span>
        </span>
      </li>`,
    )}
  </ol>`;
}

function place(location) {
  const named = [location.city, location.state, location.country].filter(Boolean).join(", ");
  return named || location.text || "";
}
