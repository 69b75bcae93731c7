// Carrier accounts: how their calls go, whether their logins work, and price lists for those that tell no prices.

import { html, useRef, useState } from "../lib/preact.js";
import { AccountLink, Calls, Login, PausedWords, ResumeButton, accountPath } from "../lib/accounts.js";
import { send } from "../lib/api.js";
import { csv } from "../lib/csv.js";
import { count, money, words } from "../lib/format.js";
import { useAction, useGet } from "../lib/hooks.js";
import { AskFirst, Facts, Field, Heading, Link, Loading, Notice, ProblemBox, Status, Table, Time, saveFile } from "../lib/ui.js";

const COLUMNS = ["service", "destination_country", "weight_up_to", "price", "currency"];
const SHOWN = 50;
const CHECKS = { works: "good", refused: "bad", wrong: "bad", unreachable: "warn", not_asked: "warn" };

/** The page `accounts`: all of them, or `accounts/<carrier>/<account>`. */
export default function Accounts({ parameters: { carrier, account } }) {
  const list = useGet("v1/carrier-accounts");
  const known = list.data?.data;
  if (!carrier) return html`<${List} list=${list} />`;
  const found = known?.find((each) => each.carrier === carrier && each.account === account);
  return html`<div>
    <${Heading}>${carrier}, account ${account}<//>
    <p><${Link} to="accounts">All carrier accounts<//></p>
    <${Loading} when=${list.loading && !known}>Reading the account<//>
    <${ProblemBox} problem=${list.problem} retry=${list.reload} />
    ${known && !found && html`<p>There is no such account.</p>`}
    ${found && html`
      <${Account} account=${found} changed=${(now) => list.put({ data: known.map((each) => (each === found ? now : each)) })} />
      <${RateCard} carrier=${carrier} account=${account} />
    `}
  </div>`;
}

function List({ list }) {
  return html`<div>
    <${Heading}>Carrier accounts<//>
    <p>Secrets are never shown here. <code>parcelgate accounts put</code> adds and changes accounts.</p>
    <${Loading} when=${list.loading && !list.data}>Reading the accounts<//>
    <${ProblemBox} problem=${list.problem} retry=${list.reload} />
    ${list.data && html`<${Table} caption="Carrier accounts" rows=${list.data.data} columns=${LIST_COLUMNS} id=${(row) => `${row.carrier}/${row.account}`}
      empty="There is no carrier account yet." />
      <p><button type="button" class="secondary" onClick=${list.reload}>Read again</button></p>`}
  </div>`;
}

const LIST_COLUMNS = [
  { title: "Account", cell: (row) => html`<${AccountLink} account=${row} />` },
  { title: "Calls", cell: (row) => html`<${Calls} account=${row} />${row.paused && html`<br /><${PausedWords} account=${row} />`}` },
  { title: "Login", cell: (row) => html`<${Login} value=${row.login} />` },
  { title: "Last called", cell: (row) => html`<${Maybe} at=${row.last_called_at} />` },
  { title: "Last error", cell: (row) => (row.last_error ? html`<${Time} at=${row.last_error.at} /><br />${row.last_error.message}` : html`<${Maybe} />`) },
  { title: "Calls not made", number: true, cell: (row) => row.held_calls },
];

function Maybe({ at }) {
  return at ? html`<${Time} at=${at} />` : html`<span class="quiet">–</span>`;
}

function Account({ account, changed }) {
  const { check, paused } = account;
  const [said, setSaid] = useState("");
  const action = useAction(async () => changed((await send("POST", `${accountPath(account)}/check`)).body));
  const done = (now, words) => {
    setSaid(words);
    changed(now);
  };
  return html`<div>
    <${Facts} facts=${[
      ["Calls", html`<${Calls} account=${account} />`],
      ["Paused", paused && html`<${PausedWords} account=${account} />`],
      ["Down since", account.down_since && html`<${Time} at=${account.down_since} />`],
      ["Rests until", account.rests_until && html`<${Time} at=${account.rests_until} />`],
      ["Calls not made meanwhile", account.held_calls > 0 && account.held_calls],
      ["Login", html`<${Login} value=${account.login} />`],
      ["Login shared", account.shared_login && "with other accounts: their calls are counted together"],
      ["Faults of the account's secret", account.faults.length > 0 && html`<ul class="bare">${account.faults.map((fault) => html`<li>${fault}</li>`)}</ul>`],
      ["Last called", html`<${Maybe} at=${account.last_called_at} />`],
      ["Last error", account.last_error && html`<${Time} at=${account.last_error.at} />: ${account.last_error.message}`],
    ]} />
    <div class="buttons"><button type="button" aria-busy=${action.busy ? "true" : null} disabled=${action.busy} onClick=${() => action.run()}>Check the login now</button>
      ${paused ? html`<${ResumeButton} account=${account} onDone=${done} />` : html`<${Pause} account=${account} onDone=${done} />`}</div>
    <${Notice}>${said}<//>
    <${ProblemBox} problem=${action.problem} />
    <${Notice}>${check && html`<${Status} value=${check.result} tone=${CHECKS[check.result]} /> ${check.message} <span class="quiet">(<${Time} at=${check.at} />)</span>`}<//>
  </div>`;
}

function Pause({ account, onDone }) {
  const [reason, setReason] = useState("");
  return html`<${AskFirst} label="Pause the calls" title="Pause the calls of this account"
    question="No call is made until somebody resumes them. Orders, cancellations, labels and polls wait, and each order says why; nothing is lost by it."
    work=${() => send("POST", `${accountPath(account)}/pause`, { reason })}
    onDone=${({ body }) => onDone(body, "The calls are paused.")}>
    <${Field} label="Reason" name="reason" required value=${reason} hint="Everybody who reads a waiting order reads it." onInput=${(event) => setReason(event.target.value)} />
  <//>`;
}

function RateCard({ carrier, account }) {
  const path = `${accountPath({ carrier, account })}/rate-card`;
  const { data, problem, loading, reload, put } = useGet(path);
  const [said, setSaid] = useState("");
  const none = problem?.status === 404;
  const card = none ? null : data;
  const stored = (body) => {
    put(body);
    setSaid(`The rate card is stored: ${count(body.rows.length, "row")}. Orders that are confirmed from now on get their price from it.`);
  };
  return html`<section>
    <h2>Rate card</h2>
    <p>Your own price list, for a carrier that tells no prices. A table of CSV with the columns ${COLUMNS.map((name, place) => html`${place > 0 && ", "}<code>${name}</code>`)}; <code>*</code> stands for any service or country.</p>
    <${Notice}>${said}<//>
    <${Loading} when=${loading && !card}>Reading the rate card<//>
    ${!none && html`<${ProblemBox} problem=${problem} retry=${reload} />`}
    ${none && html`<p>This account has no rate card.</p>`}
    ${card && html`
      <p>${count(card.rows.length, "row")}, stored <${Time} at=${card.updated_at} />.</p>
      <${Rows} rows=${card.rows} />
      <div class="buttons">
        <button type="button" class="secondary" onClick=${() => saveFile(`rate-card-${carrier}-${account}.csv`, cardCsv(card.rows))}>Take it away as CSV</button>
        <${AskFirst} label="Delete the rate card" danger question="Orders that were priced by it keep their prices. New ones get none from it."
          work=${() => send("DELETE", path)} onDone=${() => {
            setSaid("The rate card is deleted.");
            reload();
          }} />
      </div>`}
    ${(card || none) && html`<${Upload} path=${path} stored=${stored} replaces=${Boolean(card)} />`}
  </section>`;
}

const weight = ({ value, unit }) => `${value} ${unit}`;

const ROW_COLUMNS = [
  { title: "Service", cell: (row) => row.service },
  { title: "Country", cell: (row) => row.destination_country },
  { title: "Up to", number: true, cell: (row) => weight(row.weight_up_to) },
  { title: "Price", number: true, cell: (row) => money(row.price) },
];

function Rows({ rows }) {
  const [all, setAll] = useState(false);
  return html`<${Table} caption="Rows of the rate card" columns=${ROW_COLUMNS} rows=${all ? rows : rows.slice(0, SHOWN)} id=${(row, index) => index} />
    ${!all && rows.length > SHOWN && html`<p><button type="button" class="secondary" onClick=${() => setAll(true)}>Show all ${rows.length} rows</button></p>`}`;
}

/** The card as it can be uploaded again. */
function cardCsv(rows) {
  return csv(COLUMNS, rows.map((row) => [row.service, row.destination_country, weight(row.weight_up_to), row.price.amount, row.price.currency]));
}

function Upload({ path, stored, replaces }) {
  const [lines, setLines] = useState([]);
  const input = useRef(null);
  const action = useAction(async (file) => {
    const text = await file.text();
    setLines(text.split(/\r\n|\r|\n/));
    stored((await send("PUT", path, text, { type: "text/csv" })).body);
    input.current.querySelector("input").value = "";
  });
  const wrong = (action.problem?.errors ?? []).filter((error) => /^\/lines\/\d+/.test(error.pointer));
  const submit = (event) => {
    event.preventDefault();
    const [file] = input.current.querySelector("input").files;
    if (file) action.run(file);
  };
  return html`<form onSubmit=${submit} ref=${input}>
    <${Field} label=${replaces ? "A new rate card, in place of this one" : "A rate card"} type="file" name="card" accept=".csv,text/csv" required
      hint="A CSV file of at most 2,000 rows. If a line is wrong, nothing is changed and each wrong line is shown here." onChange=${action.clear} />
    <${ProblemBox} problem=${action.problem} known=${wrong.map((error) => error.pointer)} />
    ${wrong.length > 0 && html`<${Table} caption="Wrong lines" showCaption rows=${wrong} columns=${wrongColumns(lines)} id=${(row, index) => index} />`}
    <button type="submit" aria-busy=${action.busy ? "true" : null} disabled=${action.busy}>Upload</button>
  </form>`;
}

function wrongColumns(lines) {
  const place = (error) => error.pointer.split("/").slice(2);
  return [
    { title: "Line", number: true, cell: (error) => place(error)[0] },
    { title: "Column", cell: (error) => words(place(error)[1] ?? "the whole line") },
    { title: "What is wrong", cell: (error) => error.message },
    { title: "The line", cell: (error) => html`<code>${lines[place(error)[0] - 1] ?? ""}</code>` },
  ];
}
