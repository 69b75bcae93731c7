// Reads tables of CSV as spreadsheets save them.

import Papa from "../vendor/papaparse.js";

const MOST_BYTES = 30_000_000;
const MARK = "\ufeff";

/** The file is no table of CSV; the message says why. */
export class FileError extends Error {}

/** The table in a file: `{titles, rows: [{line, cells}]}`. Throws FileError. */
export async function readFile(file) {
  if (file.size > MOST_BYTES) throw new FileError(`${file.name} is larger than 30 MB. Split it.`);
  return parse(decoded(await file.arrayBuffer(), file.name), file.name);
}

/** The text of a file's bytes. Throws FileError for what is not UTF-8. */
export function decoded(bytes, name = "The file") {
  const start = new Uint8Array(bytes.slice(0, 2));
  const advice = 'save it as "CSV UTF-8" and choose that.';
  if ((start[0] === 0xff && start[1] === 0xfe) || (start[0] === 0xfe && start[1] === 0xff)) {
    throw new FileError(`${name} is UTF-16 (Excel's Unicode text): ${advice}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FileError(`${name} is not UTF-8: ${advice}`);
  }
}

/** The table in a text. Commas, semicolons or tabs; Excel's own `sep=;` may come first. */
export function parse(text, name = "The file") {
  const content = (text.startsWith(MARK) ? text.slice(1) : text).replace(/\r\n?/g, "\n");
  const { delimiter, skip } = separator(content);
  const table = content.slice(skip);
  const records = [];
  let line = skip ? 2 : 1;
  let seen = 0;
  Papa.parse(table, {
    delimiter,
    step: ({ data, errors, meta }) => {
      if (errors.length) throw new FileError(`Line ${line} of ${name} is not CSV: ${errors[0].message}.`);
      if (data.some((cell) => cell.trim())) records.push({ line, cells: data });
      line += table.slice(seen, meta.cursor).split("\n").length - 1;
      seen = meta.cursor;
    },
  });
  const [heading, ...rows] = records;
  if (!heading) throw new FileError(`${name} is empty.`);
  if (!rows.length) throw new FileError(`${name} has no line below its heading.`);
  const titles = heading.cells.map((title) => title.trim());
  const wide = rows.find(({ cells }) => cells.slice(titles.length).some((cell) => cell.trim()));
  if (wide) throw new FileError(`Line ${wide.line} of ${name} has more cells than there are columns.`);
  return { titles, rows };
}

function separator(text) {
  const heading = text.split("\n", 1)[0];
  const told = /^"?sep=([^"])"?$/i.exec(heading.replace(/^ +| +$/g, ""));
  if (told) return { delimiter: told[1], skip: heading.length + 1 };
  const count = (sign) => heading.split(sign).length;
  return { delimiter: [",", ";", "\t"].reduce((best, sign) => (count(sign) > count(best) ? sign : best)), skip: 0 };
}
