// Orders from a CSV file: its columns are matched, the API checks every order, errors are corrected in their
// cells, and what is left is bought in batches.

import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/preact.js";
import { BASE, pause, send, session } from "../lib/api.js";
import { CarrierFields } from "../lib/carriers.js";
import { KINDS, UNITS, chunks, doubled, isField, makeOrders, makeSheet, matchColumns, placeOf, plain, shopOf } from "../lib/columns.js";
import { csv } from "../lib/csv.js";
import { FileError, readFile } from "../lib/tables.js";
import { count } from "../lib/format.js";
import { go, useAction } from "../lib/hooks.js";
import { Recent, remember } from "../lib/recent.js";
import { AskFirst, Field, Heading, Link, Notice, ProblemBox, Progress, saveFile } from "../lib/ui.js";

const USUAL = ["reference", "carrier", "service", "ship_to.name", "ship_to.line1", "ship_to.city", "ship_to.state", "ship_to.postcode", "ship_to.country", "ship_to.phone", "parcel.weight", "parcel.dimensions"];
const REMEMBERED = "parcelgate.columns";
const SHOWN = 25;
const AT_ONCE = 4;
const TRIES = 4;
const PRICED_BY_ITSELF = 25;
const FIXED = [
  ["parcel.weight", "Weight of a parcel", { placeholder: "1.25 kg" }],
  ["parcel.dimensions", "Dimensions of a parcel", { placeholder: "30x20x10 cm" }],
  ["item.origin_country", "Country of origin of the goods", { placeholder: "CN", maxlength: 2 }],
  ["~currency", "Currency of amounts without one", { placeholder: "USD", maxlength: 3 }],
  ["~weight_unit", "Unit of weights without one", { options: [["", "None"], ["kg", "kg"], ["g", "g"], ["lb", "lb"], ["oz", "oz"]] }],
];
const NOTHING = { file: "", table: null, fields: [], fixed: {}, oneParcel: false, sheet: null, orders: [], checked: false, stale: false, prices: null, sends: null, told: {} };

// The file stays while another page is looked at, and goes with the session. `redraw` shows it if the page is
// open, and `sending` is what is being sent, also while it is not.
let work = NOTHING;
let redraw = null;
let sending = null;
session.listen(() => {
  if (!session.key) work = NOTHING;
});

function update(fields) {
  work = { ...work, ...fields };
  redraw?.();
}

function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(REMEMBERED));
    return kept && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}

/** Whether the file that these batches came from is still here. */
export function holdsFile(ids) {
  return Boolean(work.sends?.every((each) => ids.includes(each.id)));
}

/** Take the lines of the orders that failed up again, so that they can be corrected and bought. */
export function correctFailed(batches) {
  const sheet = [];
  const told = {};
  for (const { id, orders } of work.sends) {
    orders.forEach((order, place) => {
      const { status, problem } = batches[id].orders[place];
      if (status !== "failed" && status !== "cancelled") return;
      told[order.line] = [problem?.detail, problem?.carrier?.message].filter(Boolean).join(" ");
      sheet.push(...order.rows.map((row) => work.sheet[row]));
    });
  }
  work = { ...work, sheet, orders: makeOrders(sheet), checked: false, stale: false, prices: null, sends: null, told };
}

export default function FromFile() {
  const [, render] = useState(0);
  // A plain effect comes some time after the page is drawn: somebody may drop a file before.
  useLayoutEffect(() => {
    redraw = () => render((times) => times + 1);
    return () => {
      redraw = null;
    };
  }, []);
  const unsent = work.sends?.some((each) => !each.id);
  return html`<div>
    <${Heading} aside=${html`<${Link} to="create">Create one order<//>`}>Create orders from a file<//>
    ${!work.table && html`<${Choose} />`}
    ${work.table && !work.sheet && html`<${Match} />`}
    ${work.sheet && !work.sends && html`<${Correct} />`}
    ${work.sends && html`<${Buying} />`}
    ${work.table && !unsent && html`<p class="another"><button type="button" class="secondary" onClick=${() => update(NOTHING)}>Choose another file</button></p>`}
    ${!work.table && html`<${Recent} />`}
  </div>`;
}

function Choose() {
  const [over, setOver] = useState(false);
  const read = useAction(async (file) => {
    if (!file) return;
    try {
      const table = await readFile(file);
      const shop = shopOf(table.titles);
      update({ ...NOTHING, file: file.name, table, fields: matchColumns(table.titles, remembered()), oneParcel: shop !== null });
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      throw { title: "The file cannot be read", detail: error.message };
    }
  });
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    read.run(event.dataTransfer.files[0]);
  };
  const drag = (event) => {
    event.preventDefault();
    setOver(event.type === "dragover");
  };
  return html`<div>
    <section class=${`drop ${over ? "over" : ""}`} onDragOver=${drag} onDragLeave=${drag} onDrop=${drop}>
      <p>Drop a CSV file here, or choose one. It is read in this browser, and nothing is bought before you say so.</p>
      <${Field} label="CSV file" name="file" type="file" accept=".csv,.tsv,.txt,text/csv" onChange=${(event) => read.run(event.target.files[0])}
        hint="The exports of WooCommerce, Shopify and Magento are recognized." />
      <p class="buttons"><button type="button" class="secondary" onClick=${() => saveFile("orders.csv", csv(USUAL, []))}>Save an empty file with the usual columns</button>
        <a href=${new URL("docs/importing.html", BASE).href} target="_blank" rel="noreferrer">What may stand in a file</a></p>
    </section>
    <${ProblemBox} problem=${read.problem} />
  </div>`;
}

const FIELD_CHOICES = [...Object.keys(KINDS).map((name) => [name, name]), ...Object.entries(UNITS)];

function Match() {
  const { table, fields, fixed, oneParcel, file } = work;
  const shop = shopOf(table.titles);
  const twice = doubled(fields);
  const heading = useRef(null);
  useEffect(() => heading.current.focus(), []);
  const start = useAction(async () => {
    const sheet = makeSheet(table.rows, fields, { titles: table.titles, fixed, oneParcel });
    update({ sheet, orders: makeOrders(sheet), checked: false });
  });
  const choose = (place, field) => {
    localStorage.setItem(REMEMBERED, JSON.stringify({ ...remembered(), [plain(table.titles[place])]: field }));
    update({ fields: fields.map((each, other) => (other === place ? field : each)) });
  };
  const example = (place) => table.rows.map((row) => (row.cells[place] ?? "").trim()).find(Boolean) ?? "";
  const fix = (field, value) => update({ fixed: { ...work.fixed, [field]: value } });
  const withReference = fields.includes("reference");
  return html`<div>
    <p>${file}: ${count(table.rows.length, "line")}, ${count(table.titles.length, "column")}.${shop && ` It looks like an export of ${shop}.`}</p>
    <h2 tabindex="-1" ref=${heading}>Columns</h2>
    <p>Your choices are remembered in this browser: the names of columns only.</p>
    <div class="grid-fields">
      ${table.titles.map((title, place) => {
        const own = `metadata.${plain(title)}`;
        const current = fields[place];
        const extra = [...new Set([own, current])].filter((name) => name.startsWith("metadata.") && isField(name));
        return html`<${Field} key=${place} label=${title || `Column ${place + 1}`} name=${`column-${place}`} value=${current}
          options=${[["", "Not used"], ...FIELD_CHOICES, ...extra.map((name) => [name, name])]}
          hint=${example(place) && `For example: ${example(place).slice(0, 60)}`} error=${twice.includes(current) ? "Another column is the same." : null}
          onChange=${(event) => choose(place, event.target.value)} />`;
      })}
    </div>
    <h2>For all orders</h2>
    <p>These values fill cells that are empty.</p>
    <div class="grid-fields">
      <${CarrierFields} any="As in the file" value=${fixed} change=${(given) => update({ fixed: { ...work.fixed, ...given } })} />
      ${FIXED.map(([field, label, more]) => html`<${Field} key=${field} label=${label} name=${field} ...${more} value=${fixed[field] ?? ""} onInput=${(event) => fix(field, event.target.value)} />`)}
    </div>
    <label class="check"><input type="checkbox" name="one-parcel" checked=${oneParcel} onChange=${(event) => update({ oneParcel: event.target.checked })} />
      ${" "}Further lines of an order are goods of its one parcel</label>
    ${!withReference && html`<p role="alert" class="error">Choose the column that holds the reference of the order.</p>`}
    <${ProblemBox} problem=${start.problem} />
    <div class="buttons"><button type="button" disabled=${!withReference || twice.length > 0} onClick=${() => start.run()}>Check the orders</button></div>
  </div>`;
}

/** What is wrong with an order: `[{row, field, message}]`; `field` is null for the whole line. */
function faultsOf(order) {
  const own = order.faults;
  const told = (order.errors ?? []).map((error) => ({ ...placeOf(order, error.pointer), message: error.message }));
  const known = new Set(own.map(({ row, field }) => `${row} ${field}`));
  return [...own, ...told.filter(({ row, field }) => !known.has(`${row} ${field}`))];
}

const isGood = (order) => order.errors && !order.errors.length && !order.faults.length;

function Correct() {
  const { sheet, orders, checked, stale, prices } = work;
  const [done, setDone] = useState(null);
  const [show, setShow] = useState("");
  const [most, setMost] = useState(SHOWN);
  const heading = useRef(null);
  const check = useAction(async () => {
    const { sheet: mine } = work;
    const fresh = makeOrders(mine);
    setDone(0);
    for (const chunk of chunks(fresh)) {
      const { body } = await send("POST", "v1/orders/batch", { orders: chunk.map((order) => order.entry), validate_only: true });
      body.orders.forEach(({ errors, warnings }, place) => Object.assign(chunk[place], { errors, warnings }));
      setDone((before) => before + chunk.length);
    }
    // Another file was chosen meanwhile, or a cell was changed.
    if (work.sheet !== mine) return;
    update({ orders: fresh, checked: true, stale: false, prices: null });
    const good = fresh.filter(isGood);
    if (good.length && good.length <= PRICED_BY_ITSELF) await price.run(good);
  });
  const price = useAction(async (good) => {
    const { sheet: mine } = work;
    const sums = new Map();
    let told = 0;
    let asked = 0;
    const left = [...good];
    const ask = async () => {
      for (let order = left.shift(); order; order = left.shift()) {
        const rates = await ratesOf(order.entry);
        if (work.sheet !== mine || !redraw) return;
        const rate = rates.find((each) => each.service === order.entry.service) ?? (rates.length === 1 ? rates[0] : null);
        asked += 1;
        if (rate) {
          told += 1;
          add(sums, rate.price);
        }
        update({ prices: { asked, told, of: good.length, sums: [...sums] } });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, ask));
  });
  useEffect(() => {
    if (!checked && !check.busy) check.run();
  }, []);
  // The button that was pressed is gone, or what it led to stands above it.
  useEffect(() => {
    if (checked) heading.current.focus();
  }, [orders]);
  const good = orders.filter(isGood);
  const wrong = orders.filter((order) => order.errors && !isGood(order));
  const warned = orders.filter((order) => order.warnings?.length);
  const filter = show || (wrong.length ? "wrong" : warned.length ? "warned" : "all");
  const chosen = { wrong, warned, all: orders }[filter];
  const edit = (row, field, text) => {
    const cells = { ...work.sheet[row].cells };
    if (text) cells[field] = text;
    else delete cells[field];
    update({ sheet: work.sheet.map((line, place) => (place === row ? { ...line, cells } : line)), stale: true });
  };
  const buy = async () => {
    const at = new Date().toISOString();
    const sends = chunks(good).map((chunk) => ({
      key: crypto.randomUUID(),
      orders: chunk,
      id: null,
      at,
    }));
    update({ sends });
  };
  const question = `${count(good.length, "order")} will be bought. ${priceWords(prices, good.length)}${wrong.length ? ` ${count(wrong.length, "order")} with errors will be left out.` : ""}`;
  return html`<div>
    ${(check.busy || (!checked && !check.problem)) && html`<${Progress} done=${done ?? 0} total=${orders.length}>Orders checked<//>`}
    <${ProblemBox} problem=${check.problem} retry=${() => check.run()} />
    ${checked &&
    html`
      <h2 tabindex="-1" ref=${heading}>${count(orders.length, "order")}: ${good.length} can be bought, ${wrong.length} cannot</h2>
      <${Field} label="Show" name="show" value=${filter} onChange=${(event) => (setShow(event.target.value), setMost(SHOWN))}
        options=${[["wrong", `With errors (${wrong.length})`], ["warned", `With warnings (${warned.length})`], ["all", `All (${orders.length})`]]} />
      <${Sheet} sheet=${sheet} orders=${chosen.slice(0, most)} edit=${edit} />
      ${chosen.length > most && html`<p><button type="button" class="secondary" onClick=${() => setMost(most + SHOWN)}>Show more orders</button></p>`}
      ${stale && html`<p role="status">Cells were changed. Check the orders again before you buy them.</p>`}
      ${price.busy && html`<${Progress} done=${prices?.asked ?? 0} total=${good.length}>Prices asked<//>`}
      <${ProblemBox} problem=${price.problem} retry=${() => price.run(good)} />
      ${!stale && !price.busy && prices && html`<p role="status">${priceWords(prices, good.length)}</p>`}
      <div class="buttons">
        <button type="button" class=${stale ? "" : "secondary"} aria-busy=${check.busy ? "true" : null} disabled=${check.busy} onClick=${() => check.run()}>Check again</button>
        ${!stale && !prices && good.length > 0 && html`<button type="button" class="secondary" disabled=${price.busy} onClick=${() => price.run(good)}>Ask for ${count(good.length, "price")}</button>`}
        <button type="button" class="secondary" onClick=${() => update({ sheet: null, orders: [], checked: false, prices: null, told: {} })}>Back to the columns</button>
        <${AskFirst} label=${`Buy ${count(good.length, "order")}`} title="Buy these orders?" question=${question} confirm="Buy them" main work=${buy}
          disabled=${stale || check.busy || price.busy || !good.length} />
      </div>
    `}
  </div>`;
}

/** The prices of one order. Carriers answer so many questions with "later": it is asked again then. */
async function ratesOf(entry) {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await send("POST", "v1/rates", entry)).body.rates;
    } catch (problem) {
      if (problem.status === 422) return [];
      if (![429, 503].includes(problem.status) || tries === TRIES) throw problem;
      await pause(problem.retryAfter ?? tries);
    }
  }
}

function add(sums, { amount, currency }) {
  // In the smallest unit of the longest amount, since binary fractions of money do not add up.
  const [whole, part = ""] = amount.split(".");
  const before = sums.get(currency) ?? { units: 0n, places: 0 };
  const places = Math.max(before.places, part.length);
  const units = BigInt(whole + part) * 10n ** BigInt(places - part.length) + before.units * 10n ** BigInt(places - before.places);
  sums.set(currency, { units, places });
}

function shownSum([currency, { units, places }]) {
  const digits = String(units).padStart(places + 1, "0");
  return `${places ? `${digits.slice(0, -places)}.${digits.slice(-places)}` : digits} ${currency}`;
}

function priceWords(prices, number) {
  if (!prices) return "Their prices were not asked for.";
  const untold = number - prices.told;
  const sum = prices.sums.map(shownSum).join(" and ");
  const rest = untold ? `${sum ? " " : ""}No price can be told beforehand for ${count(untold, "order")}.` : "";
  return `${sum && `Price: ${sum}.`}${rest}`;
}

/** Lines of the file as a table. Cells with errors are fields, and so are all cells of a line that is edited. */
function Sheet({ sheet, orders, edit }) {
  const [open, setOpen] = useState(new Set());
  if (!orders.length) return html`<p class="empty">There are no such orders.</p>`;
  const faults = new Map();
  const loose = new Map();
  const notes = new Map();
  const note = (map, key, message) => map.set(key, [...(map.get(key) ?? []), message]);
  const columns = new Set();
  const wrongColumns = new Set();
  for (const order of orders) {
    for (const row of order.rows) Object.keys(sheet[row].cells).forEach((field) => columns.add(field));
    for (const { row, field, message } of faultsOf(order)) {
      if (field) wrongColumns.add(field);
      note(field ? faults : loose, field ? `${row} ${field}` : row, message);
    }
    if (work.told[order.line]) note(notes, order.rows[0], work.told[order.line]);
    for (const warning of order.warnings ?? []) note(notes, placeOf(order, warning.pointer).row, warning.message);
  }
  // What is to be corrected stands first, so that nobody has to look for it far to the right.
  const place = (name) => (name === "reference" ? -2 * PLACES.length : placeIn(name) - (wrongColumns.has(name) ? PLACES.length : 0));
  const names = [...new Set([...columns, ...wrongColumns])].sort((a, b) => place(a) - place(b));
  const rows = orders.flatMap((order) => order.rows);
  return html`<div class="sheet" role="region" aria-label="Lines of the file" tabindex="0">
    <table>
      <caption class="unseen">Lines of the file, with what is wrong with their cells</caption>
      <thead><tr><th scope="col">Line</th>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
      <tbody>
        ${rows.map((row) => {
          const { line, cells } = sheet[row];
          return html`<tr key=${row}>
            <th scope="row">
              ${line}
              ${!open.has(row) && html` <button type="button" class="secondary small" onClick=${() => setOpen(new Set([...open, row]))} aria-label=${`Edit line ${line}`}>Edit</button>`}
              ${(loose.get(row) ?? []).map((message) => html`<small class="error">${message}</small>`)}
              ${(notes.get(row) ?? []).map((message) => html`<small class="note">${message}</small>`)}
            </th>
            ${names.map((name) => {
              const wrong = faults.get(`${row} ${name}`);
              if (!wrong && !open.has(row)) return html`<td>${cells[name] ?? ""}</td>`;
              const id = `cell-${row}-${name}`;
              return html`<td>
                <input type="text" aria-label=${`${name}, line ${line}`} value=${cells[name] ?? ""} aria-invalid=${wrong ? "true" : null}
                  aria-describedby=${wrong ? id : null} onInput=${(event) => edit(row, name, event.target.value)} />
                ${wrong && html`<small class="error" id=${id}>${wrong.join(" ")}</small>`}
              </td>`;
            })}
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

const PLACES = Object.keys(KINDS);
const placeIn = (name) => (PLACES.includes(name) ? PLACES.indexOf(name) : PLACES.length);

function Buying() {
  const { sends } = work;
  const left = sends.filter((each) => !each.id);
  const buy = useAction(async () => {
    // One at a time, also when the page was left meanwhile and is opened again.
    sending ??= sendAll().finally(() => {
      sending = null;
    });
    await sending;
    if (redraw && work.sends?.every((each) => each.id) && session.may("orders:read")) go("create/batches", { ids: idsOf(work.sends) });
  });
  useEffect(() => {
    if (left.length) buy.run();
  }, []);
  useEffect(() => {
    if (!left.length) return undefined;
    const warn = (event) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [left.length]);
  return html`<div>
    ${left.length > 0 && html`<${Progress} done=${sends.length - left.length} total=${sends.length}>Batches sent<//>`}
    <${ProblemBox} problem=${buy.problem} retry=${() => buy.run()}>
      ${buy.problem?.status === 0 && html`<p>Try again: the same orders are not bought twice.</p>`}
    <//>
    ${!left.length && html`<${Notice}>The orders of ${work.file} were sent. <${Link} to="create/batches" query=${{ ids: idsOf(sends) }}>See what became of them<//><//>`}
  </div>`;
}

const idsOf = (sends) => sends.map((each) => each.id).join(",");

/** Send the batches that were not sent yet, each with its own key: a lost answer buys nothing twice. */
async function sendAll() {
  const { table } = work;
  for (const each of work.sends) {
    if (each.id) continue;
    const { body } = await send("POST", "v1/orders/batch", { orders: each.orders.map((order) => order.entry) }, { idempotencyKey: each.key });
    // The session ended meanwhile.
    if (work.table !== table) return;
    update({ sends: work.sends.map((other) => (other.key === each.key ? { ...other, id: body.id } : other)) });
    remember(summary(work.sends));
  }
}

function summary(sends) {
  const sent = sends.filter((each) => each.id);
  return {
    ids: sent.map((each) => each.id),
    at: sent[0].at,
    orders: sent.reduce((sum, each) => sum + each.orders.length, 0),
    lines: Object.fromEntries(sent.map((each) => [each.id, each.orders.map((order) => order.line)])),
  };
}
