// How the states of carrier accounts are shown.

import { html } from "./preact.js";
import { send } from "./api.js";
import { ActionButton, Link, Status, Time } from "./ui.js";

const CIRCUITS = { closed: ["made", "good"], half_open: ["trying", "warn"], open: ["stopped", "bad"] };
const LOGINS = { works: "good", refused: "bad", wrong: "bad", missing: "bad" };

/** A carrier account as a link to its page. */
export function AccountLink({ account }) {
  return html`<${Link} to=${["accounts", account.carrier, account.account]}>${account.carrier}, ${account.account}<//>`;
}

/** Whether calls are made: a person may have paused them, and the circuit breaker may have stopped them. */
export function Calls({ account }) {
  const [shown, tone] = account.paused ? ["paused", "warn"] : CIRCUITS[account.circuit] ?? [account.circuit, "plain"];
  return html`<${Status} value=${shown} tone=${tone} />`;
}

/** Since when, by whom and why the calls of an account are paused; null if they are not. */
export function PausedWords({ account: { paused } }) {
  return paused && html`since <${Time} at=${paused.since} /> by ${paused.by}: ${paused.reason}`;
}

/** Let an account's calls be made again, with words for `onDone` when they are. */
export function ResumeButton({ account, onDone }) {
  const name = `${account.carrier}/${account.account}`;
  return html`<${ActionButton} label="Resume the calls" work=${() => send("POST", `${accountPath(account)}/resume`)}
    onDone=${({ body }) => onDone(body, `The calls of ${name} are made again. What waits goes on within a few minutes.`)} />`;
}

/** The address of an account's calls in the API. */
export function accountPath({ carrier, account }) {
  return `v1/carrier-accounts/${encodeURIComponent(carrier)}/${encodeURIComponent(account)}`;
}

/** Whether the carrier takes the login. */
export function Login({ value }) {
  return html`<${Status} value=${value} tone=${LOGINS[value] ?? "plain"} />`;
}
