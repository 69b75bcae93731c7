// Tables to take away.

/** Text that a spreadsheet would run as a formula, full-width signs included. A plain number is none. */
const FORMULA = /^\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** Rows of values as CSV with a heading, for any spreadsheet: no cell is run as a formula. */
export function csv(heading, rows) {
  return "\ufeff" + [heading, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value) {
  let text = value === null || value === undefined ? "" : String(value);
  if (FORMULA.test(text) && !NUMBER.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
