// What becomes of the orders of batches, whose ids stand in the address: `#/create/batches?ids=bat_1,bat_2`.

import { html, useEffect, useState } from "../lib/preact.js";
import { BASE, get, isAbort, pause } from "../lib/api.js";
import { csv } from "../lib/csv.js";
import { go, useAction, useQuery, useSession } from "../lib/hooks.js";
import { recent } from "../lib/recent.js";
import { correctFailed, holdsFile } from "./file.js";
import { Field, Heading, Link, Loading, ProblemBox, Progress, Status, Table, saveFile } from "../lib/ui.js";

const SECONDS = 2;
const SHOWN = 50;
const AT_ONCE = 4;
const KINDS = {
  failed: (row) => row.status === "failed" || row.status === "cancelled",
  needs_attention: (row) => row.status === "needs_attention",
  confirmed: (row) => row.status === "confirmed",
  all: () => true,
};
const COLUMNS = [
  "line", "reference", "id", "status", "tracking_numbers", "carrier_order_number", "price", "currency", "label",
  "problem", "detail", "errors", "carrier_code", "carrier_message",
];

/** The batches as they stand, read again until all are finished. */
function useBatches(ids) {
  const [state, setState] = useState({ batches: {}, problem: null });
  const [turn, setTurn] = useState(0);
  const { epoch } = useSession();
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const watch = async () => {
      let open = ids;
      while (open.length) {
        const unfinished = [];
        for (const id of open) {
          const batch = await get(`v1/batches/${encodeURIComponent(id)}`, {}, { signal });
          setState((before) => ({ batches: { ...before.batches, [id]: batch }, problem: null }));
          if (batch.status !== "finished") unfinished.push(id);
        }
        open = unfinished;
        if (open.length) await pause(SECONDS, signal);
      }
    };
    watch().catch((problem) => isAbort(problem) || setState((before) => ({ ...before, problem })));
    return () => leaving.abort();
  }, [ids.join(","), turn, epoch]);
  return { ...state, again: () => setTurn(turn + 1) };
}

export default function Batches() {
  const [query, change] = useQuery();
  const ids = [...new Set((query.ids ?? "").split(",").filter(Boolean))];
  const { batches, problem, again } = useBatches(ids);
  const [most, setMost] = useState(SHOWN);
  const known = ids.map((id) => batches[id]).filter(Boolean);
  const sum = (name) => known.reduce((total, batch) => total + batch[name], 0);
  const finished = known.length === ids.length && known.every((batch) => batch.status === "finished");
  const rows = known.flatMap((batch) => batch.orders.map((row) => ({ ...row, batch: batch.id })));
  const [total, failed, attention, confirmed] = ["total", "failed", "needs_attention", "confirmed"].map(sum);
  const filter = query.show in KINDS ? query.show : "all";
  const chosen = rows.filter(KINDS[filter]);
  const results = useResults(rows);
  if (!ids.length) return html`<div><${Heading}>Orders from a file<//><p>The address names no batch.</p></div>`;
  return html`<div>
    <${Heading} aside=${html`<${Link} to="create/file">Another file<//>`}>Orders from a file<//>
    ${known.length > 0 &&
    html`<${Progress} done=${total - sum("processing")} total=${total}>${finished ? "Finished" : "Orders processed"}<//>
      <p role="status" aria-live="polite">${confirmed} confirmed, ${failed} failed, ${attention} ${attention === 1 ? "needs" : "need"} attention.
        ${!finished && " You can leave this page and come back to its address."}</p>`}
    <${Loading} when=${!known.length && !problem}>Reading what became of the orders<//>
    <${ProblemBox} problem=${problem} retry=${again} />
    ${rows.length > 0 &&
    html`
      <div class="buttons">
        ${confirmed > 0 && html`<${Link} to="print" query=${{ batch: ids.join(",") }}>Print the labels<//>`}
        ${finished && failed > 0 && holdsFile(ids) && html`<button type="button" class="secondary" onClick=${() => (correctFailed(batches), go("create/file"))}>Correct the failed ones</button>`}
        <button type="button" class="secondary" disabled=${!finished || results.busy} aria-busy=${results.busy ? "true" : null} onClick=${() => results.run()}>Save the results as CSV</button>
      </div>
      ${results.busy && html`<${Progress} done=${results.done} total=${results.total}>Orders read<//>`}
      <${ProblemBox} problem=${results.problem} />
      <${Field} label="Show" name="show" value=${filter} onChange=${(event) => change({ show: event.target.value === "all" ? "" : event.target.value }, { replace: true })}
        options=${[["all", `All (${total})`], ["failed", `Failed (${failed})`], ["needs_attention", `Need attention (${attention})`], ["confirmed", `Confirmed (${confirmed})`]]} />
      <${Table} caption="Orders" rows=${chosen.slice(0, most)} id=${(row) => `${row.batch} ${row.index}`} empty="There are no such orders." columns=${[
        { title: "Reference", cell: (row) => (row.id ? html`<${Link} to=${["orders", row.id]}>${row.reference}<//>` : (row.reference ?? "None")) },
        { title: "Status", cell: (row) => html`<${Status} value=${row.status} />` },
        { title: "Problem", cell: (row) => html`<${Why} problem=${row.problem} />` },
      ]} />
      ${chosen.length > most && html`<p><button type="button" class="secondary" onClick=${() => setMost(most + SHOWN)}>Show more orders</button></p>`}
    `}
  </div>`;
}

function Why({ problem }) {
  if (!problem) return null;
  const words = problem.carrier;
  return html`${problem.detail || problem.title}
    ${problem.errors.length > 0 && html`<ul>${problem.errors.map((error) => html`<li><code>${error.pointer}</code> ${error.message}</li>`)}</ul>`}
    ${words && ` ${words.name}: ${[words.code, words.message].filter(Boolean).join(" ")}`}`;
}

/** Reads the confirmed orders and gives the file of results to take away: the one of the command line. */
function useResults(rows) {
  const [done, setDone] = useState(0);
  const confirmed = rows.filter((row) => row.id && row.status === "confirmed");
  const action = useAction(async () => {
    const orders = new Map();
    setDone(0);
    const left = [...confirmed];
    const read = async () => {
      for (let row = left.shift(); row; row = left.shift()) {
        orders.set(row.id, await get(`v1/orders/${row.id}`));
        setDone(orders.size);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, read));
    const lines = Object.assign({}, ...recent().map((entry) => entry.lines));
    const results = rows.map((row) => result(row, orders.get(row.id), lines[row.batch]?.[row.index]));
    saveFile("orders.results.csv", csv(COLUMNS, results.map((each) => COLUMNS.map((name) => each[name]))));
  });
  return { ...action, done, total: confirmed.length };
}

function result({ reference, id, status, problem }, order, line) {
  const label = order?.links?.label;
  return {
    line,
    reference,
    id,
    status,
    tracking_numbers: order?.tracking_numbers.join(" "),
    carrier_order_number: order?.carrier_order_number,
    price: order?.price?.amount,
    currency: order?.price?.currency,
    label: label?.startsWith("/") ? new URL(label.slice(1), BASE).href : label,
    problem: problem?.code,
    detail: problem?.detail,
    errors: problem?.errors?.map((error) => `${error.pointer}: ${error.message}`).join("; "),
    carrier_code: problem?.carrier?.code,
    carrier_message: problem?.carrier?.message,
  };
}
