// Reports: what was bought and followed, as pictures, as tables, and as CSV. All figures are those of /v1/stats.

import { html, useRef } from "../lib/preact.js";
import { get } from "../lib/api.js";
import { Chart } from "../lib/chart.js";
import { csv } from "../lib/csv.js";
import { money, time, words } from "../lib/format.js";
import { useGet, useQuery } from "../lib/hooks.js";
import { ActionButton, Field, Heading, Loading, ProblemBox, Table, saveFile } from "../lib/ui.js";

const DAY = 86_400_000;
const SPANS = [7, 30, 90, 365];
const USUAL = 30;

/** A day of UTC as the API writes it. The figures count by such days. */
const day = (instant) => new Date(instant).toISOString().slice(0, 10);

/** The page `reports`. The first and the last day stand in the address. */
export default function Reports() {
  const [query] = useQuery();
  const today = Date.now();
  const from = query.from || day(today - (USUAL - 1) * DAY);
  const to = query.to || day(today);
  const daily = useGet("v1/stats", { from, to, by: "day" });
  const services = useGet("v1/stats", { from, to, by: "carrier,service" });
  const reload = () => {
    daily.reload();
    services.reload();
  };
  return html`<div>
    <${Heading}>Reports<//>
    <${Span} key=${`${from} ${to}`} from=${from} to=${to} today=${today} />
    <p>Days are those of UTC. Everything about an order counts on the day on which it was made, whenever it happens.</p>
    <${Loading} when=${daily.loading || services.loading}>Reading the figures<//>
    <${ProblemBox} problem=${daily.problem ?? services.problem} retry=${reload} />
    ${daily.data && html`<${Totals} figures=${daily.data.total} /><${Pictures} stats=${daily.data} />`}
    ${services.data && html`<${Services} groups=${services.data.data} />`}
    ${daily.data && html`<h2>Take them away</h2>
      <p>A CSV with one row for each day, carrier and service.</p>
      <${ActionButton} label="Take the figures away as CSV" work=${() => takeAway(from, to)} />`}
  </div>`;
}

function Span({ from, to, today }) {
  const [, change] = useQuery();
  const form = useRef(null);
  const submit = (event) => {
    event.preventDefault();
    const { elements } = form.current;
    change({ from: elements.from.value, to: elements.to.value });
  };
  const quick = (days) => ({ from: day(today - (days - 1) * DAY), to: day(today) });
  return html`<form class="filters" onSubmit=${submit} ref=${form}>
    ${Object.entries({ from, to }).map(([name, value]) => html`<${Field} key=${name} label=${name === "to" ? "To" : "From"} name=${name} type="date" value=${value} />`)}
    <div class="buttons">
      <button type="submit">Show</button>
      ${SPANS.map((days) => html`<button type="button" class="secondary" aria-pressed=${String(quick(days).from === from && quick(days).to === to)} onClick=${() => change(quick(days))}>${days} days</button>`)}
    </div>
  </form>`;
}

const amounts = (figures) => (figures.length ? figures.map((each) => html`<div class="money">${money(each.amount)}${each.source === "rate_card" && html` <span class="quiet small">by rate card</span>`}${each.status && html` <span class="quiet small">${words(each.status)}</span>`}</div>`) : html`<span class="quiet">–</span>`);
const mean = (times, unit) => (times.mean === null ? html`<span class="quiet">–</span>` : `${times.mean} ${unit}`);

function Totals({ figures }) {
  const { orders, parcels } = figures;
  const cards = [
    ["Orders", orders.total],
    ["Confirmed", orders.confirmed],
    ["Failed", orders.failed],
    ["Cancelled", orders.cancelled],
    ["Under way", orders.accepted + orders.processing + orders.cancelling],
    ["Need a person", orders.needs_attention],
    ["Labels ready", figures.labels.ready],
    ["Parcels", parcels.total],
    ["Delivered", parcels.delivered],
    ["In exception", parcels.exception],
    ["Returned", parcels.returned],
    ["Parcels cancelled", parcels.cancelled],
    ["Other parcels, such as those on their way", parcels.other],
  ];
  return html`<h2>All together</h2>
    <dl class="cards totals">
      ${cards.map(([name, value]) => html`<div><dt>${name}</dt><dd class="large">${value}</dd></div>`)}
      <div><dt>Spend</dt><dd>${amounts(figures.spend)}</dd></div>
      <div><dt>Refunds</dt><dd>${amounts(figures.refunds)}</dd></div>
      <div><dt>To the label</dt><dd>${mean(figures.minutes_to_label, "minutes")}</dd></div>
      <div><dt>To the door</dt><dd>${mean(figures.days_to_delivery, "days")}</dd></div>
      <div><dt>Calls that asked for parcels</dt><dd class="large">${figures.polls.calls}</dd></div>
      <div><dt>Webhooks of carriers</dt><dd class="large">${figures.webhooks}</dd></div>
    </dl>`;
}

function Pictures({ stats }) {
  const byDay = new Map(stats.data.map((group) => [group.day, group]));
  const days = [];
  for (let at = Date.parse(stats.from); at <= Date.parse(stats.to); at += DAY) days.push(day(at));
  const values = (pick) => days.map((each) => (byDay.has(each) ? Number(pick(byDay.get(each)) ?? 0) : 0));
  const orders = ["confirmed", "failed", "cancelled", "needs_attention"].map((status) => ({ name: words(status), values: values((group) => group.orders[status]) }));
  const trouble = ["exception", "returned"].map((status) => ({ name: words(status), values: values((group) => group.parcels[status]) }));
  const priced = [...new Set(stats.data.flatMap((group) => group.spend.map(spendName)))].sort();
  const spend = priced.map((name) => ({ name, values: values((group) => group.spend.find((each) => spendName(each) === name)?.amount.amount) }));
  const { minutes_to_label: labels, days_to_delivery: delivery } = stats.total;
  const by = { label: "Day", labels: days.map(time) };
  return html`<h2>Pictures</h2>
    <div class="charts">
      <${Chart} ...${by} title="Orders by day" unit="orders" series=${orders} empty="No orders were made on these days." />
      <${Chart} ...${by} title="Spend by day" series=${spend} empty="No order of these days has a price." shown=${amount} />
      <${Chart} title="Time to the label" unit="orders, by minutes" label="Minutes" bars labels=${bands(labels.spread)} series=${[{ name: "Orders", values: labels.spread.map((band) => band.orders) }]} empty="No label of these days is ready yet." />
      <${Chart} title="Time to the door" unit="parcels, by days" label="Days" bars labels=${delivery.spread.map((band) => (band.days > 30 ? "31+" : String(band.days)))} series=${[{ name: "Parcels", values: delivery.spread.map((band) => band.parcels) }]} empty="No parcel of these days is delivered yet." />
      <${Chart} ...${by} title="Trouble by day" unit="parcels" series=${trouble} empty="No parcel of these days is in exception or was returned." />
    </div>`;
}

const spendName = (figure) => `${figure.amount.currency}${figure.source === "rate_card" ? " by rate card" : ""}`;
const amount = (value) => String(value ?? 0);
const bands = (spread) => spread.map((band, place) => (band.minutes === null ? `more than ${spread[place - 1]?.minutes ?? "an hour"}` : `up to ${band.minutes}`));

const SERVICE_COLUMNS = [
  { title: "Carrier and service", cell: (row) => [row.carrier, row.service ?? "no service"].filter(Boolean).join(", ") },
  { title: "Orders", number: true, cell: (row) => row.orders.total },
  { title: "Confirmed", number: true, cell: (row) => row.orders.confirmed },
  { title: "Failed", number: true, cell: (row) => row.orders.failed },
  { title: "Cancelled", number: true, cell: (row) => row.orders.cancelled },
  { title: "Spend", number: true, cell: (row) => amounts(row.spend) },
  { title: "Refunds", number: true, cell: (row) => amounts(row.refunds) },
  { title: "To the label", number: true, cell: (row) => mean(row.minutes_to_label, "min") },
  { title: "Parcels", number: true, cell: (row) => row.parcels.total },
  { title: "Delivered", number: true, cell: (row) => row.parcels.delivered },
  { title: "In exception", number: true, cell: (row) => row.parcels.exception },
  { title: "Returned", number: true, cell: (row) => row.parcels.returned },
  { title: "To the door", number: true, cell: (row) => mean(row.days_to_delivery, "days") },
];

// Calls and webhooks without an order make groups of their own, which would be rows of zeros here.
const hasFigures = (row) => row.orders.total > 0 || row.parcels.total > 0 || row.spend.length > 0 || row.refunds.length > 0;

function Services({ groups }) {
  return html`<h2>By carrier and service</h2>
    <${Table} caption="Figures by carrier and service" rows=${groups.filter(hasFigures)} columns=${SERVICE_COLUMNS} id=${(row) => `${row.carrier} ${row.service}`} empty="Nothing happened on these days." />`;
}

/** Every figure of each day, carrier and service. Each currency and state of money has a column of its own. */
async function takeAway(from, to) {
  const { data } = await get("v1/stats", { from, to, by: "day,carrier,service" });
  const names = (pick) => [...new Set(data.flatMap(pick))].sort();
  const spend = names((group) => group.spend.map((each) => `${each.source} ${each.amount.currency}`));
  const refunds = names((group) => group.refunds.map((each) => `${each.status} ${each.amount.currency}`));
  const statuses = ["total", "accepted", "processing", "confirmed", "cancelling", "cancelled", "failed", "needs_attention"];
  const labels = ["ready", "pending", "unavailable"];
  const parcels = ["total", "delivered", "exception", "returned", "cancelled", "other"];
  const heading = [
    "day", "carrier", "service",
    ...statuses.map((name) => `orders_${name}`),
    ...spend.map((name) => `spend_${name.replace(" ", "_")}`),
    ...refunds.map((name) => `refunds_${name.replace(" ", "_")}`),
    ...labels.map((name) => `labels_${name}`),
    "minutes_to_label_orders", "minutes_to_label_mean",
    ...parcels.map((name) => `parcels_${name}`),
    "days_to_delivery_parcels", "days_to_delivery_mean",
    "poll_calls", "poll_parcels", "webhooks",
  ];
  const rows = data.map((group) => [
    group.day, group.carrier, group.service,
    ...statuses.map((name) => group.orders[name]),
    ...spend.map((name) => group.spend.find((each) => `${each.source} ${each.amount.currency}` === name)?.amount.amount),
    ...refunds.map((name) => group.refunds.find((each) => `${each.status} ${each.amount.currency}` === name)?.amount.amount),
    ...labels.map((name) => group.labels[name]),
    group.minutes_to_label.orders, group.minutes_to_label.mean,
    ...parcels.map((name) => group.parcels[name]),
    group.days_to_delivery.parcels, group.days_to_delivery.mean,
    group.polls.calls, group.polls.parcels, group.webhooks,
  ]);
  saveFile(`parcelgate-${from}-to-${to}.csv`, csv(heading, rows));
}
