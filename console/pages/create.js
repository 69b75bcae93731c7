// One order by form: checked and priced before it is bought.

import { html, useEffect, useRef, useState } from "../lib/preact.js";
import { send, session } from "../lib/api.js";
import { CarrierFields } from "../lib/carriers.js";
import { count } from "../lib/format.js";
import { useAction } from "../lib/hooks.js";
import { Dialog, Field, Heading, Link, Loading, Money, Notice, ProblemBox, Status, Table } from "../lib/ui.js";
import { Recent, remember } from "../lib/recent.js";

const ADDRESS = [
  ["name", "Name", { required: true }],
  ["company", "Company"],
  ["line1", "Street and number", { required: true }],
  ["line2", "Address line 2"],
  ["city", "City", { required: true }],
  ["state", "State"],
  ["postcode", "Postcode"],
  ["country", "Country (two letters)", { required: true, maxlength: 2, autocapitalize: "characters" }],
  ["phone", "Phone"],
  ["email", "E-mail"],
];
const WEIGHTS = ["kg", "g", "lb", "oz"].map((unit) => [unit, unit]);
const LENGTHS = ["cm", "in", "m", "mm"].map((unit) => [unit, unit]);
const ITEM = { description: "", quantity: "1", unit_value: { amount: "", currency: "" } };
const PARCEL = { weight: { value: "", unit: "kg" }, dimensions: { length: "", width: "", height: "", unit: "cm" }, items: [] };
const EMPTY = { carrier: "", account: "", service: "", reference: "", ship_to: {}, parcels: [PARCEL] };

// What was entered stays while another page is looked at, and goes with the session.
const kept = { form: EMPTY, attempt: null };
session.listen(() => {
  if (!session.key) Object.assign(kept, { form: EMPTY, attempt: null });
});

/** A copy of `value` with `leaf` where a JSON pointer leads. */
function placed(value, [first, ...rest], leaf) {
  if (first === undefined) return leaf;
  const copy = Array.isArray(value) ? [...value] : { ...value };
  copy[first] = placed(copy[first], rest, leaf);
  return copy;
}

const wayOf = (pointer) => pointer.split("/").slice(1);
const valueAt = (value, pointer) => wayOf(pointer).reduce((holder, part) => holder?.[part], value);

// What the prices of several services leave to be chosen.
const CHOICE = ["/carrier", "/service"];

// The units are chosen before anything is entered, so they alone are no value.
const UNIT_OF = { weight: ["value"], dimensions: ["length", "width", "height"] };

/** The create body that the form makes. */
function orderOf(form) {
  return { ship_to: {}, ...given(form) };
}

/** A value without what is empty in it; undefined if nothing is left. Lists keep their length. */
function given(value, name = "") {
  if (Array.isArray(value)) return value.length ? value.map((part) => given(part) ?? {}) : undefined;
  if (value && typeof value === "object") {
    if (UNIT_OF[name] && UNIT_OF[name].every((part) => !value[part])) return undefined;
    const parts = Object.entries(value).map(([key, part]) => [key, given(part, key)]).filter(([, part]) => part !== undefined);
    return parts.length ? Object.fromEntries(parts) : undefined;
  }
  if (typeof value !== "string") return value === false ? undefined : value;
  const text = value.trim();
  if (!text) return undefined;
  return name === "quantity" && /^\d+$/.test(text) ? Number(text) : name === "reference" ? value : text;
}

/** The field among `pointers` at which an error with this pointer is shown, or null. */
function fieldFor(pointer, pointers) {
  const above = pointers.filter((each) => pointer === each || pointer.startsWith(`${each}/`)).sort((a, b) => b.length - a.length);
  return above[0] ?? pointers.find((each) => pointer && each.startsWith(`${pointer}/`)) ?? null;
}

export default function Create() {
  const [form, setForm] = useState(kept.form);
  const [faults, setFaults] = useState([]);
  const [offer, setOffer] = useState(null);
  const [bought, setBought] = useState(null);
  const section = useRef(null);
  const update = (next) => {
    kept.form = next;
    setForm(next);
  };
  const change = (pointer, value) => update(placed(kept.form, wayOf(pointer), value));

  const shown = [];
  const field = (pointer, label, more = {}) => {
    shown.push(pointer);
    return { pointer, label, more };
  };
  const look = useAction(async () => {
    setFaults([]);
    setBought(null);
    const body = orderOf(kept.form);
    const { body: checked } = await send("POST", "v1/orders/batch", { orders: [body], validate_only: true });
    const [{ errors, warnings }] = checked.orders;
    const open = errors.length > 0 && errors.every((error) => error.code === "missing" && CHOICE.includes(error.pointer));
    if (errors.length && !open) {
      setFaults(errors);
      return;
    }
    const { body: prices } = await send("POST", "v1/rates", body).catch((problem) => ({ body: { rates: [], skipped: [], problem } }));
    if (open && !prices.rates.length) setFaults(errors);
    if (open && !prices.rates.length && !prices.problem) return;
    setOffer({ body, warnings, open, ...prices });
  });
  useEffect(() => {
    if (faults.length) section.current?.querySelector('[aria-invalid="true"], .problem')?.focus();
  }, [faults]);

  const buy = useAction(async () => {
    const text = JSON.stringify(offer.body);
    // The same key until an answer came: a second click or a lost answer buys nothing twice.
    if (kept.attempt?.text !== text) kept.attempt = { text, key: crypto.randomUUID() };
    try {
      const { body: order } = await send("POST", "v1/orders", offer.body, { idempotencyKey: kept.attempt.key });
      kept.attempt = null;
      update({ ...EMPTY, carrier: form.carrier, account: form.account, service: form.service });
      remember({ order: order.id, reference: order.reference, at: order.created_at });
      setBought(order);
      setOffer(null);
    } catch (problem) {
      const open = problem.status === 0 || problem.status >= 500 || problem.status === 429 || problem.code === "idempotency_in_progress";
      if (!open) {
        kept.attempt = null;
        if (problem.errors.length) {
          setFaults(problem.errors);
          setOffer(null);
        }
      }
      throw problem;
    }
  });

  const addressFields = (start, change = (more) => more) => ADDRESS.map(([name, label, more]) => field(`${start}/${name}`, label, change(more)));
  const parts = {
    reference: field("/reference", "Reference", { required: true, hint: "Your own name for the order. The carrier gets it unchanged." }),
    to: addressFields("/ship_to"),
    from: addressFields("/ship_from", (more) => ({ ...more, required: false })),
    parcels: form.parcels.map((parcel, n) => ({
      weight: [field(`/parcels/${n}/weight/value`, "Weight", { required: true, inputmode: "decimal" }), field(`/parcels/${n}/weight/unit`, "Unit of weight", { options: WEIGHTS })],
      sides: [
        field(`/parcels/${n}/dimensions/length`, "Length", { inputmode: "decimal" }),
        field(`/parcels/${n}/dimensions/width`, "Width", { inputmode: "decimal" }),
        field(`/parcels/${n}/dimensions/height`, "Height", { inputmode: "decimal" }),
        field(`/parcels/${n}/dimensions/unit`, "Unit of length", { options: LENGTHS }),
      ],
      description: field(`/parcels/${n}/description`, "Description"),
      items: parcel.items.map((_, i) => [
        field(`/parcels/${n}/items/${i}/description`, "Goods", { required: true }),
        field(`/parcels/${n}/items/${i}/quantity`, "Quantity", { required: true, inputmode: "numeric" }),
        field(`/parcels/${n}/items/${i}/unit_value/amount`, "Value of one", { required: true, inputmode: "decimal" }),
        field(`/parcels/${n}/items/${i}/unit_value/currency`, "Currency", { required: true, maxlength: 3 }),
        field(`/parcels/${n}/items/${i}/origin_country`, "Country of origin", { maxlength: 2 }),
        field(`/parcels/${n}/items/${i}/hs_code`, "HS code"),
      ]),
    })),
    options: [
      field("/options/instruction", "Instruction for the driver"),
      field("/options/max_price/amount", "Do not buy above", { inputmode: "decimal", hint: "Leave it empty for no limit." }),
      field("/options/max_price/currency", "Currency of the limit", { maxlength: 3 }),
      field("/customs/description", "Goods as customs shall read them"),
      field("/customs/incoterm", "Incoterm", { options: [["", "Not set"], ["DDU", "DDU"], ["DDP", "DDP"]] }),
      field("/label/format", "Label", { options: [["", "PDF"], ["jpg", "JPG"], ["zpl", "ZPL"]] }),
    ],
  };
  const chooser = ["/carrier", "/account", "/service"];
  const words = {};
  const loose = [];
  for (const fault of faults) {
    const place = fieldFor(fault.pointer, [...shown, ...chooser]);
    if (place) words[place] = words[place] ? `${words[place]} ${fault.message}` : fault.message;
    else loose.push(fault);
  }
  const render = ({ pointer, label, more }) => {
    const take = (event) => change(pointer, event.target.value);
    return html`<${Field} key=${pointer} label=${label} name=${pointer} ...${more} error=${words[pointer]}
      value=${valueAt(form, pointer) ?? ""} onInput=${more.options ? undefined : take} onChange=${more.options ? take : undefined} />`;
  };
  const wrong = (fields) => fields.some(({ pointer }) => words[pointer]);
  const parcels = (list) => change("/parcels", list);
  const submit = (event) => {
    event.preventDefault();
    look.run();
  };

  return html`<div>
    <${Heading} aside=${html`<${Link} to="create/file">Create orders from a file<//>`}>Create an order<//>
    ${bought && html`<${Bought} order=${bought} />`}
    <form onSubmit=${submit} ref=${section} novalidate>
      <p class="quiet">Fields with <span class="must">*</span> are always needed. Your carrier may need more, and says so before anything is bought.</p>
      <fieldset class="grid-fields">
        <legend>Carrier and service</legend>
        <${CarrierFields} any="Any: compare prices" value=${form} change=${(fields) => update({ ...kept.form, ...fields })}
          errors=${{ carrier: words["/carrier"], account: words["/account"], service: words["/service"] }} />
        ${render(parts.reference)}
      </fieldset>
      <fieldset class="grid-fields">
        <legend>To</legend>
        ${parts.to.map(render)}
      </fieldset>
      ${parts.parcels.map(
        ({ weight, sides, description, items }, n) => html`<fieldset key=${n} class="grid-fields">
          <legend>${form.parcels.length > 1 ? `Parcel ${n + 1}` : "Parcel"}</legend>
          ${weight.map(render)} ${sides.map(render)} ${render(description)}
          ${items.map(
            (fields, i) => html`<fieldset key=${i} class="grid-fields wide">
              <legend>Goods ${i + 1}</legend>
              ${fields.map(render)}
              <div class="buttons"><button type="button" class="secondary" onClick=${() => change(`/parcels/${n}/items`, form.parcels[n].items.filter((_, place) => place !== i))}>Remove goods ${i + 1}</button></div>
            </fieldset>`,
          )}
          <div class="buttons wide">
            <button type="button" class="secondary" onClick=${() => change(`/parcels/${n}/items`, [...form.parcels[n].items, ITEM])}>Add goods</button>
            ${form.parcels.length > 1 &&
            html`<button type="button" class="secondary" onClick=${() => parcels(form.parcels.filter((_, place) => place !== n))}>Remove parcel ${n + 1}</button>`}
          </div>
        </fieldset>`,
      )}
      <p><button type="button" class="secondary" onClick=${() => parcels([...form.parcels, PARCEL])}>Add a parcel</button></p>
      <details open=${wrong(parts.from) || null}>
        <summary>From another address than the account's</summary>
        <div class="grid-fields">${parts.from.map(render)}</div>
      </details>
      <details open=${wrong(parts.options) || null}>
        <summary>Options, customs and label</summary>
        <div class="grid-fields">
          ${parts.options.map(render)}
          <label class="check"><input type="checkbox" name="/options/authority_to_leave" checked=${valueAt(form, "/options/authority_to_leave") ?? false}
            onChange=${(event) => change("/options/authority_to_leave", event.target.checked)} /> May be left without a signature</label>
        </div>
      </details>
      ${loose.length > 0 && html`<${ProblemBox} problem=${{ title: "The order cannot be bought like this", errors: loose }} />`}
      ${faults.length > loose.length && html`<p role="alert" class="error">${count(faults.length - loose.length, "field")} to be corrected above.</p>`}
      <${ProblemBox} problem=${look.problem} />
      ${!offer && html`<${ProblemBox} problem=${buy.problem} known=${faults.map((fault) => fault.pointer)} />`}
      <${Loading} when=${look.busy}>Checking the order and asking for its price<//>
      <div class="buttons">
        <button type="submit" disabled=${look.busy}>See the price</button>
        <button type="button" class="secondary" onClick=${() => (setFaults([]), update(EMPTY))}>Clear the form</button>
      </div>
    </form>
    ${offer &&
    html`<${Offer} offer=${offer} action=${buy} onClose=${() => setOffer(null)}
      onChoose=${(rate) => {
        const { carrier, account, service } = rate;
        update({ ...kept.form, carrier, account, service });
        setOffer({ ...offer, open: false, body: { ...offer.body, carrier, account, service } });
      }} />`}
    ${session.may("orders:read") && html`<${Recent} />`}
  </div>`;
}

function Offer({ offer, action, onClose, onChoose }) {
  const { body, rates, skipped, warnings, problem } = offer;
  const mine = offer.open ? null : rates.find((rate) => rate.carrier === body.carrier && (rate.service === body.service || rates.length === 1));
  const close = () => action.busy || (action.clear(), onClose());
  return html`<${Dialog} title="Buy this order?" onClose=${close}>
    ${mine
      ? html`<p>Price with ${mine.carrier} ${mine.service}: <strong><${Money} value=${mine.price} /></strong></p>`
      : rates.length
        ? html`<p>Choose a service:</p>
            <${Table} caption="Prices" id=${(rate) => `${rate.carrier} ${rate.account} ${rate.service}`} rows=${rates}
              columns=${[
                { title: "Service", cell: (rate) => `${rate.carrier} ${rate.service}` },
                { title: "Price", number: true, cell: (rate) => html`<${Money} value=${rate.price} />` },
                { title: "Choice", cell: (rate) => html`<button type="button" class="secondary" onClick=${() => onChoose(rate)}>Choose ${rate.service}</button>` },
              ]} />`
        : html`<p>No price can be told before it is bought.</p>`}
    ${skipped?.length > 0 && !mine && html`<ul>${skipped.map((each) => html`<li>${each.carrier} ${each.service}: ${each.message}</li>`)}</ul>`}
    <${ProblemBox} problem=${problem} />
    ${warnings.length > 0 && html`<p>Warnings:</p><ul>${warnings.map((each) => html`<li><code>${each.pointer}</code> ${each.message}</li>`)}</ul>`}
    <p>Order <strong>${body.reference}</strong> to ${body.ship_to?.name}, ${body.ship_to?.city}, ${body.ship_to?.country}.</p>
    <${ProblemBox} problem=${action.problem}>
      ${action.problem?.status === 0 && html`<p>Buy again: the same order is not bought twice.</p>`}
    <//>
    <div class="buttons">
      <button type="button" class="secondary" disabled=${action.busy} onClick=${close}>No, go back</button>
      <button type="button" aria-busy=${action.busy ? "true" : null} disabled=${action.busy || offer.open} onClick=${() => action.run()}>Buy it</button>
    </div>
  <//>`;
}

function Bought({ order }) {
  return html`<${Notice}>
    Order <${Link} to=${["orders", order.id]}>${order.reference}<//> is <${Status} value=${order.status} />
    ${order.price && html` for <${Money} value=${order.price} />`}
    ${order.tracking_numbers.length > 0 && ` with ${order.tracking_numbers.join(", ")}`}.
    ${" "}<${Link} to="print" query=${{ ids: order.id }}>Print its label<//>
  <//>`;
}
