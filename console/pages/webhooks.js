// Webhook endpoints: where events are sent, what is sent, and what came of it.

import { html, useRef, useState } from "../lib/preact.js";
import { pause, send } from "../lib/api.js";
import { count } from "../lib/format.js";
import { go, useAction, useGet, usePages } from "../lib/hooks.js";
import { ActionButton, AskFirst, Due, Facts, Field, Heading, Link, Loading, Notice, PagedTable, ProblemBox, Status, Table, Time } from "../lib/ui.js";

/** Every type of event, by group; a test compares them with the API's. */
const EVENTS = {
  order: ["confirmed", "failed", "cancelled", "needs_attention", "attention"],
  label: ["ready", "unavailable"],
  batch: ["finished"],
  tracking: ["updated", "out_for_delivery", "attempt_failed", "available_for_pickup", "delivered", "exception", "returned"],
  endpoint: ["disabled"],
};

const WHY_DISABLED = {
  disabled_by_client: "paused",
  gone: "it answered 410",
  failing: "every attempt of five days failed",
};

/** The page `webhooks`: the list, `webhooks/new`, or `webhooks/<id>`. */
export default function Webhooks({ parameters: { id } }) {
  if (id === "new") return html`<${NewEndpoint} />`;
  return id ? html`<${Endpoint} key=${id} id=${id} />` : html`<${Endpoints} />`;
}

function Endpoints() {
  const { data, problem, loading, reload } = useGet("v1/webhook-endpoints");
  return html`<div>
    <${Heading} aside=${html`<${Link} to=${["webhooks", "new"]} role="button">New endpoint<//>`}>Webhooks<//>
    <p>Events are sent to these addresses as they happen, each signed with the endpoint's own secret.</p>
    <${Loading} when=${loading && !data}>Reading endpoints<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && html`<${Table} caption="Webhook endpoints" columns=${ENDPOINT_COLUMNS} rows=${data.data}
      empty="No endpoint is set up. Until then, events can be read with GET /v1/events." />`}
  </div>`;
}

const ENDPOINT_COLUMNS = [
  { title: "Address", cell: (row) => html`<${Link} to=${["webhooks", row.id]}>${row.url}<//>` },
  { title: "Description", cell: (row) => row.description ?? html`<span class="quiet">–</span>` },
  { title: "Events", cell: (row) => html`<${Filtered} events=${row.events} />` },
  { title: "State", cell: (row) => html`<${State} endpoint=${row} />` },
  { title: "Since", cell: (row) => html`<${Time} at=${row.disabled_at ?? row.created_at} />` },
];

function Filtered({ events }) {
  return events.includes("*") ? "all" : events.map((event, place) => html`${place > 0 && ", "}<code>${event}</code>`);
}

function State({ endpoint }) {
  if (endpoint.enabled) return html`<${Status} value="enabled" tone="good" />`;
  const why = WHY_DISABLED[endpoint.disabled_reason] ?? endpoint.disabled_reason;
  return endpoint.disabled_reason === "disabled_by_client"
    ? html`<${Status} value="paused" tone="warn" />`
    : html`<${Status} value="disabled" tone="bad" /> <span class="small">${why}</span>`;
}

function NewEndpoint() {
  const [made, setMade] = useState(null);
  const attempt = useRef({});
  const create = async (body) => {
    // The same form sent again is the same attempt: a lost answer makes no second endpoint.
    const text = JSON.stringify(body);
    if (attempt.current.text !== text) attempt.current = { text, key: crypto.randomUUID() };
    setMade((await send("POST", "v1/webhook-endpoints", body, { idempotencyKey: attempt.current.key })).body);
  };
  return html`<div>
    <${Heading}>New endpoint<//>
    ${made
      ? html`<${Secret} value=${made.secret}>
            <p>Events are sent to <strong>${made.url}</strong> from now on.</p>
          <//>
          <p><${Link} to=${["webhooks", made.id]} role="button">Go to the endpoint<//></p>`
      : html`<${EndpointForm} label="Create the endpoint" work=${create} />
          <p><${Link} to="webhooks">Back to the list<//></p>`}
  </div>`;
}

/** A secret that nobody can read again. */
function Secret({ value, children }) {
  const [copied, setCopied] = useState("");
  const field = useRef(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value);
      setCopied("The secret is copied.");
    } catch {
      field.current.querySelector("input").select();
      setCopied("Copy the marked text.");
    }
  };
  return html`<section class="secret" ref=${field}>
    ${children}
    <${Field} label="Secret" value=${value} readonly autocomplete="off" spellcheck="false"
      hint="It is shown this once. Put it where your server checks the signatures." onFocus=${(event) => event.target.select()} />
    <div class="buttons"><button type="button" onClick=${copy}>Copy the secret</button></div>
    <${Notice}>${copied}<//>
  </section>`;
}

function EndpointForm({ endpoint, label, work }) {
  const known = Object.entries(EVENTS).flatMap(([group, names]) => names.map((name) => `${group}.${name}`));
  const given = endpoint?.events ?? ["*"];
  const [all, setAll] = useState(given.includes("*"));
  const [chosen, setChosen] = useState(
    () => new Set(known.filter((type) => given.some((each) => each === type || (each.endsWith(".*") && type.startsWith(each.slice(0, -1)))))),
  );
  const [url, setUrl] = useState(endpoint?.url ?? "");
  const [description, setDescription] = useState(endpoint?.description ?? "");
  const action = useAction(() => work({ url, description: description || null, events: all ? ["*"] : filters(chosen, given) }));
  const error = (pointer) => action.problem?.errors?.find((each) => each.pointer === pointer)?.message;
  const toggle = (types, on) =>
    setChosen((before) => {
      const after = new Set(before);
      for (const type of types) if (on) after.add(type); else after.delete(type);
      return after;
    });
  const submit = (event) => {
    event.preventDefault();
    action.run();
  };
  return html`<form onSubmit=${submit}>
    <${Field} label="Address" name="url" type="url" required maxlength="2048" placeholder="https://shop.example/parcelgate" value=${url}
      error=${error("/url")} hint="An https address on port 443 or 8443, with a public host." onInput=${(event) => setUrl(event.target.value)} />
    <${Field} label="Description" name="description" maxlength="100" value=${description} error=${error("/description")}
      hint="For you: nobody else is shown it." onInput=${(event) => setDescription(event.target.value)} />
    <fieldset>
      <legend>Events</legend>
      <label><input type="radio" name="which" checked=${all} onChange=${() => setAll(true)} />All events, those of later versions too</label>
      <label><input type="radio" name="which" checked=${!all} onChange=${() => setAll(false)} />Only these</label>
    </fieldset>
    ${!all && html`<div class="choices">
      ${Object.entries(EVENTS).map(([group, names]) => {
        const types = names.map((name) => `${group}.${name}`);
        return html`<fieldset key=${group}>
          <legend>${group}</legend>
          ${types.length > 1 && html`<label><input type="checkbox" name=${`${group}.*`} checked=${types.every((type) => chosen.has(type))}
            onChange=${(event) => toggle(types, event.target.checked)} />all of them</label>`}
          ${types.map((type) => html`<label key=${type}><input type="checkbox" name=${type} checked=${chosen.has(type)}
            onChange=${(event) => toggle([type], event.target.checked)} /><code>${type}</code></label>`)}
        </fieldset>`;
      })}
    </div>`}
    <${ProblemBox} problem=${action.problem} known=${["/url", "/description"]} />
    <div class="buttons"><button type="submit" aria-busy=${action.busy ? "true" : null} disabled=${action.busy || (!all && !chosen.size)}>${label}</button></div>
  </form>`;
}

/** What is chosen, as the API takes it: a whole group stands for those that come later, too. */
function filters(chosen, given) {
  const own = Object.entries(EVENTS).flatMap(([group, names]) => {
    const types = names.map((name) => `${group}.${name}`).filter((type) => chosen.has(type));
    return types.length === names.length && (types.length > 1 || given.includes(`${group}.*`)) ? [`${group}.*`] : types;
  });
  return given.includes("ping") ? [...own, "ping"] : own;
}

function Endpoint({ id }) {
  const path = `v1/webhook-endpoints/${id}`;
  const { data: endpoint, problem, loading, reload, put } = useGet(path);
  const deliveries = usePages(`${path}/deliveries`);
  const [secret, setSecret] = useState(null);
  const [editing, setEditing] = useState(false);
  const [said, setSaid] = useState("");
  const change = async (body) => {
    put((await send("PATCH", path, body)).body);
    setEditing(false);
  };
  const test = async () => {
    await send("POST", `${path}/test`);
    setSaid("A ping is on its way. It stands in the list of deliveries below.");
    await pause(1.5);
    deliveries.reload();
  };
  if (!endpoint) {
    return html`<${Heading}>Webhook endpoint<//><${Loading} when=${loading}>Reading the endpoint<//><${ProblemBox} problem=${problem} retry=${reload} />
      <p><${Link} to="webhooks">All endpoints<//></p>`;
  }
  return html`<div>
    <${Heading}>Webhook endpoint<//>
    <p><${Link} to="webhooks">All endpoints<//></p>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${secret && html`<${Secret} value=${secret}><p>This is the new secret. For 24 hours events are signed with the old one too.</p><//>`}
    <${Facts} facts=${[
      ["Address", endpoint.url],
      ["Description", endpoint.description],
      ["State", html`<${State} endpoint=${endpoint} />`],
      ["Events", html`<${Filtered} events=${endpoint.events} />`],
      ["Disabled", endpoint.disabled_at && html`<${Time} at=${endpoint.disabled_at} />`],
      ["Created", html`<${Time} at=${endpoint.created_at} />`],
      ["Id", html`<code>${endpoint.id}</code>`],
    ]} />
    ${editing
      ? html`<${EndpointForm} endpoint=${endpoint} label="Save" work=${change} />
          <p><button type="button" class="secondary" onClick=${() => setEditing(false)}>Leave it as it was</button></p>`
      : html`<div class="buttons">
          <${ActionButton} label="Send a test" work=${test} />
          <button type="button" class="secondary" onClick=${() => setEditing(true)}>Change</button>
          ${endpoint.enabled
            ? html`<${AskFirst} label="Pause" title="Pause this endpoint?" work=${() => change({ enabled: false })}
                question="Nothing is sent to it until it is enabled again. What is on its way fails, and can be replayed later." />`
            : html`<${ActionButton} label="Enable" work=${() => change({ enabled: true })} />`}
          <${AskFirst} label="Rotate the secret" title="Make a new secret?" question="For 24 hours events are signed with both, so that you can change it on your server."
            work=${async () => setSecret((await send("POST", `${path}/rotate-secret`)).body.secret)} />
          <${AskFirst} label="Delete" title="Delete this endpoint?" danger question="What is on its way to it is not delivered any more, and its deliveries can no longer be read."
            work=${() => send("DELETE", path)} onDone=${() => go("webhooks")} />
        </div>`}
    <${Notice}>${said}<//>
    <h2>Deliveries</h2>
    <p>What was sent in the last 30 days, the newest first. <button type="button" class="secondary small" onClick=${deliveries.reload}>Read again</button></p>
    <${PagedTable} pages=${deliveries} noun="deliveries" caption="Deliveries" empty="Nothing was sent to it yet."
      columns=${deliveryColumns(async (delivery) => {
        await send("POST", `v1/webhook-deliveries/${delivery.id}/replay`);
        setSaid(`The event ${delivery.event_id} is sent again.`);
        await pause(1.5);
        deliveries.reload();
      })} />
  </div>`;
}

function deliveryColumns(replay) {
  return [
    { title: "Event", cell: (row) => html`<code>${row.type}</code>` },
    { title: "Since", cell: (row) => html`<${Time} at=${row.created_at} />` },
    {
      title: "State",
      cell: (row) => html`<${Status} value=${row.state} tone=${{ pending: "plain", delivered: "good", failed: "bad" }[row.state]} />
        ${row.reason && html`<br /><span class="small">${row.reason}</span>`}
        ${row.next_attempt_at && html`<br /><span class="small">next attempt <${Due} at=${row.next_attempt_at} relative /></span>`}`,
    },
    { title: "Attempts", cell: (row) => html`<${Attempts} delivery=${row} />` },
    { title: "Again", cell: (row) => row.state !== "pending" && html`<${ActionButton} label="Replay" work=${() => replay(row)} />` },
  ];
}

function Attempts({ delivery }) {
  const { attempts } = delivery;
  if (!attempts.length) return html`<span class="quiet">none yet</span>`;
  const last = attempts.at(-1);
  return html`<details>
    <summary>${count(attempts.length, "attempt")}, ${last.error ? "the last failed" : `${last.status} in ${last.ms} ms`}</summary>
    <ol class="attempts">
      ${attempts.map((attempt) => html`<li>
        <${Time} at=${attempt.at} />${attempt.status !== null && `: ${attempt.status}`}${attempt.ms !== null && ` in ${attempt.ms} ms`}
        ${attempt.error && html`<br />${attempt.error}`}
        ${attempt.body && html`<pre>${attempt.body}</pre>`}
      </li>`)}
    </ol>
    <p class="small quiet">event <code>${delivery.event_id}</code>, delivery <code>${delivery.id}</code></p>
  </details>`;
}
