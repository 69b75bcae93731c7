// What the columns of a file of orders mean, and which orders its lines make. It is the vocabulary of the
// command line's import (docs/importing.md): the same file gives the same orders there and here.

const ADDRESS = ["name", "company", "line1", "line2", "line3", "city", "state", "postcode", "country", "phone", "email", "tax_id"];
const names = (start, ends) => ends.map((end) => `${start}.${end}`);

const TEXTS = [
  "reference", "carrier", "account", "service",
  ...names("ship_to", ADDRESS),
  ...names("ship_from", ADDRESS),
  ...names("return_to", ADDRESS),
  ...names("parcel", ["volume", "reference", "secondary_reference", "tracking_number", "description", "native_description", "sku_on_label"]),
  ...names("item", ["description", "number", "sku", "native_description", "hs_code", "origin_country", "url", "warehouse_number"]),
  ...names("customs", ["description", "native_description", "incoterm", "battery.type", "battery.packing", "vendor_id", "gst_exemption_code", "abn", "sender_tax_id", "inject_port"]),
  ...names("options", ["instruction", "sender_name", "facility", "platform", "service_option", "return_option", "delivery_window.from", "delivery_window.to"]),
  "label.format", "label.size",
];

/** Every column and what its cells hold. `metadata.` takes any name besides. */
export const KINDS = {
  ...Object.fromEntries(TEXTS.map((name) => [name, "text"])),
  "parcel.weight": "weight",
  "item.weight": "weight",
  "parcel.dimensions": "dimensions",
  "parcel.declared_value": "money",
  "item.unit_value": "money",
  "customs.value": "money",
  "options.max_price": "money",
  "item.quantity": "integer",
  "label.dpi": "integer",
  "customs.dangerous_goods": "boolean",
  "options.authority_to_leave": "boolean",
  "options.locker": "boolean",
  "options.pick_up": "boolean",
};

/** Columns of shops that hold no value of an order themselves, but the unit of the others. */
export const UNITS = { "~currency": "currency of the amounts", "~weight_unit": "unit of the weights" };

const WOOCOMMERCE = {
  order_number: "reference",
  order_id: "reference",
  full_name_shipping: "ship_to.name",
  first_name_shipping: "ship_to.name",
  last_name_shipping: "ship_to.name",
  company_shipping: "ship_to.company",
  address_1_2_shipping: "ship_to.line1",
  address_1_shipping: "ship_to.line1",
  address_2_shipping: "ship_to.line2",
  city_shipping: "ship_to.city",
  state_code_shipping: "ship_to.state",
  postcode_shipping: "ship_to.postcode",
  country_code_shipping: "ship_to.country",
  phone_shipping: "ship_to.phone",
  phone_billing: "ship_to.phone",
  email_billing: "ship_to.email",
  shipping_first_name: "ship_to.name",
  shipping_last_name: "ship_to.name",
  shipping_company: "ship_to.company",
  shipping_address_1: "ship_to.line1",
  shipping_address_2: "ship_to.line2",
  shipping_city: "ship_to.city",
  shipping_state: "ship_to.state",
  shipping_postcode: "ship_to.postcode",
  shipping_country: "ship_to.country",
  shipping_phone: "ship_to.phone",
  billing_phone: "ship_to.phone",
  billing_email: "ship_to.email",
  sku: "item.sku",
  item_sku: "item.sku",
  item_name: "item.description",
  name: "item.description",
  quantity_refund: "item.quantity",
  quantity: "item.quantity",
  item_quantity: "item.quantity",
  item_cost: "item.unit_value",
  order_currency: "~currency",
  currency: "~currency",
};

const SHOPIFY = {
  name: "reference",
  email: "ship_to.email",
  currency: "~currency",
  shipping_name: "ship_to.name",
  shipping_company: "ship_to.company",
  shipping_address1: "ship_to.line1",
  shipping_address2: "ship_to.line2",
  shipping_city: "ship_to.city",
  shipping_province: "ship_to.state",
  shipping_zip: "ship_to.postcode",
  shipping_country: "ship_to.country",
  shipping_phone: "ship_to.phone",
  lineitem_name: "item.description",
  lineitem_quantity: "item.quantity",
  lineitem_price: "item.unit_value",
  lineitem_sku: "item.sku",
};

const MAGENTO = {
  increment_id: "reference",
  id: "reference",
  ship_to_name: "ship_to.name",
  shipping_name: "ship_to.name",
  shipping_firstname: "ship_to.name",
  shipping_lastname: "ship_to.name",
  shipping_company: "ship_to.company",
  shipping_street: "ship_to.line1",
  shipping_city: "ship_to.city",
  shipping_region_code: "ship_to.state",
  shipping_region: "ship_to.state",
  shipping_postcode: "ship_to.postcode",
  shipping_country_id: "ship_to.country",
  shipping_telephone: "ship_to.phone",
  customer_email: "ship_to.email",
  order_currency_code: "~currency",
  weight: "parcel.weight",
  sku: "item.sku",
  product_name: "item.description",
  qty_ordered: "item.quantity",
  price: "item.unit_value",
};

/** What the exports of shops call their columns, in the form that `plain` gives. */
const SHOPS = { WooCommerce: WOOCOMMERCE, Shopify: SHOPIFY, Magento: MAGENTO };

const COMMON = {
  order: "reference",
  order_number: "reference",
  order_reference: "reference",
  name: "ship_to.name",
  recipient: "ship_to.name",
  company: "ship_to.company",
  address: "ship_to.line1",
  address1: "ship_to.line1",
  address_1: "ship_to.line1",
  street: "ship_to.line1",
  address2: "ship_to.line2",
  address_2: "ship_to.line2",
  city: "ship_to.city",
  state: "ship_to.state",
  province: "ship_to.state",
  zip: "ship_to.postcode",
  zip_code: "ship_to.postcode",
  postcode: "ship_to.postcode",
  postal_code: "ship_to.postcode",
  country: "ship_to.country",
  country_code: "ship_to.country",
  phone: "ship_to.phone",
  email: "ship_to.email",
  weight: "parcel.weight",
  weight_unit: "~weight_unit",
  dimensions: "parcel.dimensions",
  currency: "~currency",
};

// A shop is recognized by this many of its columns.
const FEWEST = 3;

/** A column's title without case, blanks and signs: "Address 1&2 (Shipping)" is "address_1_2_shipping". */
export function plain(title) {
  return title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_").replace(/^_+|_+$/g, "");
}

// Titles and cells may be named like what every object has, such as "constructor".
const own = (table, name) => (Object.hasOwn(table, name) ? table[name] : undefined);

/** Whether a name is a column of ours. */
export function isField(name) {
  return Object.hasOwn(KINDS, name) || /^metadata\../.test(name);
}

function ownName(title) {
  const name = title.trim();
  const field = /^metadata\./i.test(name) ? `metadata.${name.slice("metadata.".length)}` : name.toLowerCase();
  return isField(field) ? field : null;
}

/** The shop whose export has these titles, or null. */
export function shopOf(titles) {
  if (titles.some((title) => ownName(title)?.includes("."))) return null;
  const plains = new Set(titles.map(plain));
  const hits = Object.entries(SHOPS).map(([shop, columns]) => [shop, Object.keys(columns).filter((name) => plains.has(name)).length]);
  const [shop, most] = hits.reduce((best, each) => (each[1] > best[1] ? each : best));
  return most >= FEWEST ? shop : null;
}

const joins = (field) => field.endsWith(".name");
const isPart = (title) => /first|last|surname|family/i.test(title);

/**
 * The field of each column: a name of `KINDS`, of `UNITS`, or "" for none. `remembered` has the choices that
 * were made by hand earlier, by plain title. Of several columns that mean one field, that is taken which
 * stands first in the table of the shop; the parts of a name are taken together.
 */
export function matchColumns(titles, remembered = {}) {
  const shop = shopOf(titles);
  const known = shop ? SHOPS[shop] : COMMON;
  const ranks = Object.keys(known);
  const columns = titles.map((title, place) => {
    const name = plain(title);
    const chosen = own(remembered, name);
    if (chosen === "" || Object.hasOwn(UNITS, chosen) || (chosen && isField(chosen))) return { place, field: chosen, rank: -2, part: isPart(title) };
    const named = ownName(title);
    return { place, field: named ?? own(known, name) ?? "", rank: named ? -1 : ranks.indexOf(name), part: isPart(title) };
  });
  const fields = titles.map(() => "");
  for (const field of new Set(columns.map((column) => column.field))) {
    const same = columns.filter((column) => column.field === field).sort((a, b) => a.rank - b.rank || a.place - b.place);
    const taken = field && joins(field) && same[0].part ? same.filter((column) => column.part) : same.slice(0, 1);
    for (const { place } of taken) fields[place] = field;
  }
  return fields;
}

/** The fields that several columns have although their values cannot be joined. */
export function doubled(fields) {
  return [...new Set(fields.filter((field, place) => field && !joins(field) && fields.indexOf(field) !== place))];
}

const PAIR = /^([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([A-Za-z]+)$/;
const SIDES = /^([\d.]+)\s*[xX*\u00d7]\s*([\d.]+)\s*[xX*\u00d7]\s*([\d.]+)\s*([A-Za-z]+)$/;
const NUMBER = /^(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)$/;
const SHORTENED = /^[+-]?\d+(?:[.,]\d+)?[eE][+-]\d{1,3}$/;
const SCIENTIFIC = /^[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d{1,3}(?![\dA-Za-z])/;
const TRUTHS = { true: true, yes: true, 1: true, false: false, no: false, 0: false };
const USUAL = { money: ["12.50 USD", "USD"], weight: ["1.25 kg", "kg"], dimensions: ["30x20x10 cm", "cm"] };

/** The value of a cell. One in a wrong form stays as it is, and the API refuses it. */
function valueOf(field, cell) {
  const kind = KINDS[field] ?? "text";
  if (kind === "boolean") return own(TRUTHS, cell.toLowerCase()) ?? cell;
  if (kind === "integer") return /^[0-9]+$/.test(cell) ? Number(cell) : cell;
  if (kind === "dimensions") {
    const sides = SIDES.exec(cell);
    return sides ? { length: sides[1], width: sides[2], height: sides[3], unit: sides[4].toLowerCase() } : cell;
  }
  const pair = kind === "text" ? null : PAIR.exec(cell);
  if (!pair) return cell;
  return kind === "money" ? { amount: pair[1], currency: pair[2].toUpperCase() } : { value: pair[1], unit: pair[2].toLowerCase() };
}

/** What is wrong with a cell and would not be said by the API, or null. */
function faultOf(field, cell) {
  const kind = KINDS[field] ?? "text";
  const measure = kind in USUAL;
  if (SHORTENED.test(cell) || ((measure || kind === "integer") && SCIENTIFIC.test(cell))) {
    return "This is a number in scientific notation, as spreadsheets shorten long ones. Write it out.";
  }
  if (!measure || typeof valueOf(field, cell) !== "string") return null;
  const pointed = cell.replace(/(?<=\d),(?=\d)/g, ".").replace(/\s+/g, " ").trim();
  const [example, unit] = USUAL[kind];
  const better = [pointed, `${pointed} ${unit}`].find((text) => typeof valueOf(field, text) !== "string") ?? example;
  return `This cannot be read. Write it as ${better}.`;
}

/**
 * The lines of a table with our columns: `[{line, cells: {field: text}}]`.
 *
 * `rows` are `{line, cells}` as read, `fields` what `matchColumns` gives. `fixed` has values for all orders,
 * which fill cells that are empty; its `~currency` and `~weight_unit` stand behind numbers that have no unit.
 * With `oneParcel` the further lines of an order are items of its parcel, whatever they repeat.
 */
export function makeSheet(rows, fields, { titles = [], fixed = {}, oneParcel = false } = {}) {
  const lines = [];
  let reference;
  let units = {};
  const order = fields.map((_, place) => place).sort((a, b) => isLast(titles[a]) - isLast(titles[b]) || a - b);
  for (const row of rows) {
    const cells = {};
    for (const place of order) {
      const field = fields[place];
      const text = cleaned(field, row.cells[place] ?? "");
      if (field && text) cells[field] = cells[field] ? `${cells[field]} ${text}` : text;
    }
    if (!Object.keys(cells).length) continue;
    const begins = !lines.length || (cells.reference !== undefined && cells.reference !== reference);
    if (begins) {
      reference = cells.reference;
      units = {};
    }
    for (const unit of Object.keys(UNITS)) {
      units[unit] = cells[unit] ?? units[unit] ?? fixed[unit]?.trim();
      delete cells[unit];
    }
    const has = (start) => Object.keys(cells).some((field) => field.startsWith(start));
    if (oneParcel && !begins) {
      for (const field of Object.keys(cells)) if (field.startsWith("parcel.")) delete cells[field];
    }
    const [parcel, item] = [begins || has("parcel."), has("item.")];
    for (const [field, given] of Object.entries(fixed)) {
      const text = given.trim();
      if (!text || field in UNITS || field in cells) continue;
      const fits = field.startsWith("parcel.") ? parcel : field.startsWith("item.") ? item : begins;
      if (fits) cells[field] = text;
    }
    for (const field of Object.keys(cells)) {
      const unit = { money: units["~currency"], weight: units["~weight_unit"] }[KINDS[field]];
      if (unit && NUMBER.test(cells[field])) cells[field] = `${cells[field]} ${unit}`;
    }
    lines.push({ line: row.line, cells });
  }
  return lines;
}

const isLast = (title) => Number(/last|surname|family/i.test(title ?? ""));

function cleaned(field, cell) {
  const text = cell.trim();
  // Shops write an apostrophe before numbers that begin with zero, so that spreadsheets leave them alone.
  return field.endsWith(".postcode") || field.endsWith(".phone") ? text.replace(/^'/, "") : text;
}

/**
 * The orders that the lines of a sheet make.
 *
 * Each is `{line, entry, rows, parcels, items, faults}`: its body, the places in `lines` of its first line, of
 * each parcel and of each item, and what is wrong with its cells: `[{row, field, message}]`.
 */
export function makeOrders(lines) {
  const orders = [];
  lines.forEach(({ line, cells }, row) => {
    const filled = Object.fromEntries(Object.entries(cells).map(([field, cell]) => [field, cell.trim()]).filter(([, cell]) => cell));
    if (!Object.keys(filled).length) return;
    const last = orders.at(-1);
    const begins = !last || (filled.reference !== undefined && filled.reference !== last.entry.reference);
    const order = begins ? { line, entry: { parcels: [] }, rows: [], parcels: [], items: [], faults: [] } : last;
    if (begins) orders.push(order);
    order.rows.push(row);
    for (const [field, cell] of Object.entries(filled)) {
      const message = faultOf(field, cell);
      if (message) order.faults.push({ row, field, message });
    }
    if (begins && !filled.reference) {
      order.faults.push({ row, field: "reference", message: "An order begins here, and it has no reference." });
    }
    const own = Object.entries(filled).filter(([field]) => !/^(parcel|item)\./.test(field));
    for (const [field, cell] of own) {
      const before = at(order.entry, field);
      const value = valueOf(field, cell);
      if (begins || before === undefined) {
        if (begins) put(order.entry, field, value);
        else order.faults.push({ row, field, message: "The order's first line has no value here." });
      } else if (JSON.stringify(before) !== JSON.stringify(value)) {
        order.faults.push({ row, field, message: "The order's first line has another value here." });
      }
    }
    const parcel = body(filled, "parcel.");
    const item = body(filled, "item.");
    if (parcel || !order.parcels.length) {
      order.entry.parcels.push(parcel ?? {});
      order.parcels.push(row);
      order.items.push([]);
    }
    if (item) {
      (order.entry.parcels.at(-1).items ??= []).push(item);
      order.items.at(-1).push(row);
    }
  });
  return orders;
}

function way(field) {
  const [first, ...rest] = field.split(".");
  return first === "metadata" ? [first, rest.join(".")] : [first, ...rest];
}

function at(entry, field) {
  return way(field).reduce((holder, part) => (holder && Object.hasOwn(holder, part) ? holder[part] : undefined), entry);
}

function put(entry, field, value) {
  const parts = way(field);
  const last = parts.pop();
  let holder = entry;
  for (const part of parts) {
    if (!Object.hasOwn(holder, part)) holder[part] = {};
    holder = holder[part];
  }
  holder[last] = value;
}

function body(cells, start) {
  const given = Object.entries(cells).filter(([field]) => field.startsWith(start));
  if (!given.length) return null;
  const made = {};
  for (const [field, cell] of given) put(made, field.slice(start.length), valueOf(field, cell));
  return made;
}

/**
 * Where in the sheet a JSON pointer into an order leads: `{row, field}`. `field` is null when no column holds
 * the value: the fault is then the whole line's.
 */
export function placeOf(order, pointer) {
  let parts = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  let row = order.rows[0];
  let start = "";
  if (parts[0] === "parcels" && parts.length > 1) {
    const parcel = Number(parts[1]);
    row = order.parcels[parcel] ?? row;
    [start, parts] = ["parcel.", parts.slice(2)];
    if (parts[0] === "items" && parts.length > 1) {
      row = order.items[parcel]?.[Number(parts[1])] ?? row;
      [start, parts] = ["item.", parts.slice(2)];
    }
  }
  if (!start && parts[0] === "metadata" && parts.length > 1) return { row, field: `metadata.${parts.slice(1).join(".")}` };
  for (; parts.length; parts = parts.slice(0, -1)) {
    const field = `${start}${parts.join(".")}`;
    if (field in KINDS) return { row, field };
  }
  return { row, field: null };
}

/** The orders in batches that fit into one request. */
export function chunks(orders, { most = 300, mostBytes = 4_000_000 } = {}) {
  const batches = [];
  let room = 0;
  const encoder = new TextEncoder();
  for (const order of orders) {
    const size = encoder.encode(JSON.stringify(order.entry)).length + 2;
    if (!batches.length || batches.at(-1).length === most || size > room) {
      batches.push([]);
      room = mostBytes;
    }
    batches.at(-1).push(order);
    room -= size;
  }
  return batches;
}
