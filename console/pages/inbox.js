// The carriers' webhooks that could not be used, and the messages that could not be processed.

import { html, useState } from "../lib/preact.js";
import { send } from "../lib/api.js";
import { count, shortId, words } from "../lib/format.js";
import { useGet, usePages } from "../lib/hooks.js";
import { ActionButton, AskFirst, Facts, Field, Heading, Link, Loading, Notice, PagedTable, ProblemBox, Status, Table, Time } from "../lib/ui.js";

/** The page `inbox`: both lists, or `inbox/<id>` for one webhook. */
export default function Inbox({ parameters: { id } }) {
  return id ? html`<${Webhook} key=${id} id=${id} />` : html`<${Lists} />`;
}

const path = (id) => `v1/inbox/${encodeURIComponent(id)}`;

function Lists() {
  return html`<div><${Heading}>Inbox and dead letters<//><${Parked} /><${DeadLetters} /></div>`;
}

function Parked() {
  const pages = usePages("v1/inbox");
  const [said, setSaid] = useState("");
  const replay = async (row) => {
    await send("POST", `${path(row.id)}/replay`);
    setSaid(`The webhook ${shortId(row.id)} is processed again. If it still cannot be used, it comes back here.`);
    pages.reload();
  };
  const columns = [
    { title: "Webhook", cell: (row) => html`<span class="id" title=${row.id}><${Link} to=${["inbox", row.id]}>${shortId(row.id)}<//></span>` },
    { title: "Carrier", cell: (row) => `${row.carrier}, ${row.account}` },
    { title: "Came", cell: (row) => html`<${Time} at=${row.received_at} />` },
    { title: "Reason", cell: (row) => row.reason },
    { title: "Order", cell: (row) => html`<${OrderLink} id=${row.order_id} />` },
    { title: "Again", cell: (row) => html`<${ActionButton} label="Replay" work=${() => replay(row)} />` },
  ];
  return html`<section>
    <h2>Webhooks that could not be used</h2>
    <p>Carriers sent these. They are kept for 30 days, and their bodies are not shown here: they may hold personal data.</p>
    <${Notice}>${said}<//>
    <${PagedTable} pages=${pages} noun="webhooks" columns=${columns} caption="Webhooks that could not be used" empty="Every webhook could be used." />
  </section>`;
}

function DeadLetters() {
  const { data, problem, loading, reload } = useGet("v1/dead-letters");
  const [said, setSaid] = useState("");
  const columns = [
    { title: "Queue", cell: (row) => row.queue },
    { title: "Messages", number: true, cell: (row) => row.messages },
    { title: "Oldest", cell: (row) => (row.oldest ? html`<${Time} at=${row.oldest} />` : html`<span class="quiet">–</span>`) },
    {
      title: "Yours among them",
      cell: (row) => (row.sample.length ? html`<ul class="bare">${row.sample.map((letter) => html`<${Letter} letter=${letter} />`)}</ul>` : html`<span class="quiet">–</span>`),
    },
    {
      title: "Again",
      cell: (row) => row.redrivable && row.messages > 0 && html`<${AskFirst} label="Redrive" title=${`Send the dead letters of ${row.queue} again?`}
        question=${`About ${count(row.messages, "message")} of the whole stack, of all its tenants, go back to the queue that they came from. What fails again comes back, so correct the cause first.`}
        work=${async () => (await send("POST", `v1/dead-letters/${encodeURIComponent(row.queue)}/redrive`)).body}
        onDone=${(result) => {
          setSaid(`${count(result.moved, "message")} of ${result.queue} went back; about ${result.left} are left.`);
          reload();
        }} />`,
    },
  ];
  return html`<section>
    <h2>Dead letters</h2>
    <p>Messages that could not be processed in several attempts. The queues belong to the whole stack.</p>
    <${Notice}>${said}<//>
    <${Loading} when=${loading && !data}>Reading the queues<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && html`<${Table} columns=${columns} rows=${data.data} id=${(row) => row.queue} caption="Dead-letter queues" empty="The stack has no dead-letter queues." />`}
    ${data && html`<p><button type="button" class="secondary" onClick=${reload}>Read again</button></p>`}
  </section>`;
}

function Letter({ letter }) {
  return html`<li><${Named} id=${letter.id} />${letter.action && ` (${words(letter.action)})`}, <${Time} at=${letter.sent_at} relative /></li>`;
}

/** An id as a link, if there is a page for what it names. */
function Named({ id }) {
  const page = { ord: "orders", trk: "trackings" }[String(id).slice(0, 3)];
  return page && id[3] === "_" ? html`<${Link} to=${[page, id]}>${id}<//>` : html`<code>${id}</code>`;
}

function OrderLink({ id }) {
  return id ? html`<${Named} id=${id} />` : html`<span class="quiet">–</span>`;
}

function Webhook({ id }) {
  const { data: webhook, problem, loading, reload, put } = useGet(path(id), {}, { every: (data) => (data.state === "received" ? 2 : null) });
  const replay = async () => put((await send("POST", `${path(id)}/replay`)).body);
  const [how, setHow] = useState("");
  return html`<div>
    <${Heading}>Webhook of a carrier<//>
    <p><${Link} to="inbox">Inbox and dead letters<//></p>
    <${Loading} when=${loading && !webhook}>Reading the webhook<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${webhook && html`
      <${Facts} facts=${[
        ["Id", html`<code>${webhook.id}</code>`],
        ["State", html`<${Status} value=${webhook.state} tone=${{ received: "plain", processed: "good", parked: "warn", dismissed: "plain" }[webhook.state]} />`],
        ["Reason", webhook.reason],
        ["Dismissed", webhook.dismissed && html`<${Time} at=${webhook.dismissed.at} /> by ${webhook.dismissed.by}: ${webhook.dismissed.reason}`],
        ["Carrier", webhook.carrier],
        ["Account", webhook.account],
        ["Order", webhook.order_id && html`<${OrderLink} id=${webhook.order_id} />`],
        ["Came", html`<${Time} at=${webhook.received_at} />`],
        ["Parked", webhook.parked_at && html`<${Time} at=${webhook.parked_at} />`],
        ["Size", count(webhook.size, "byte")],
        ["SHA-256", webhook.sha256 && html`<code class="long">${webhook.sha256}</code>`],
        ["Headers kept", webhook.headers.join(", ")],
      ]} />
      <${Notice}>${webhook.state === "received" && "It waits to be processed."}${webhook.state === "processed" && "It was processed."}<//>
      ${webhook.state === "parked" && html`<div class="buttons"><${ActionButton} label="Replay" work=${replay} />
        <${AskFirst} label="Dismiss" title="Dismiss this webhook" question="You have dealt with it. It leaves the list, and needs nobody any more."
          work=${() => send("POST", `${path(id)}/dismiss`, { reason: how })} onDone=${({ body }) => put(body)}>
          <${Field} label="How was it dealt with?" name="reason" required value=${how} onInput=${(event) => setHow(event.target.value)} />
        <//></div>
        <p class="quiet">It is judged as when it came. If nothing has changed, it is parked again.</p>`}
    `}
  </div>`;
}
