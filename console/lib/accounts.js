// How the states of carrier accounts are shown.

import { html } from "./preact.js";
import { Link, Status } from "./ui.js";

const CIRCUITS = { closed: ["made", "good"], half_open: ["trying", "warn"], open: ["stopped", "bad"] };
const LOGINS = { works: "good", refused: "bad", wrong: "bad", missing: "bad" };

/** A carrier account as a link to its page. */
export function AccountLink({ account }) {
  return html`<${Link} to=${["accounts", account.carrier, account.account]}>${account.carrier}, ${account.account}<//>`;
}

/** Whether calls are made, by the state of the circuit breaker. */
export function Circuit({ value }) {
  const [shown, tone] = CIRCUITS[value] ?? [value, "plain"];
  return html`<${Status} value=${shown} tone=${tone} />`;
}

/** Whether the carrier takes the login. */
export function Login({ value }) {
  return html`<${Status} value=${value} tone=${LOGINS[value] ?? "plain"} />`;
}
