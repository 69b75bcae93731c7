// The parts that pages are made of. All text from the API is rendered as text.

import { html, useEffect, useErrorBoundary, useId, useLayoutEffect, useRef, useState } from "./preact.js";
import { BASE } from "./api.js";
import { ago, money, time, words } from "./format.js";
import { to, useAction, useQuery } from "./hooks.js";

/** A link to a page of the console: `<${Link} to=${["orders", id]}>`. */
export function Link({ to: path, query, children, ...rest }) {
  return html`<a href=${to(path, query)} ...${rest}>${children}</a>`;
}

/** A time in the reader's zone, with the exact instant in its title. `relative`: "3 hours ago". */
export function Time({ at, relative = false }) {
  if (!at) return null;
  return html`<time datetime=${at} title=${at}>${relative ? ago(at) : time(at)}</time>`;
}

/** When something is done next. What should have been done by now is due. */
export function Due({ at, relative = false }) {
  if (!at || new Date(at).getTime() > Date.now()) return html`<${Time} at=${at} relative=${relative} />`;
  return html`<time datetime=${at} title=${at}>due now</time>`;
}

/** Money with its currency; what is not known is a dash. */
export function Money({ value }) {
  return value ? html`<span class="money">${money(value)}</span>` : html`<span class="quiet">–</span>`;
}

const TONES = {
  good: ["confirmed", "delivered", "ready", "finished", "ok", "closed", "active"],
  bad: ["failed", "lost", "damaged", "exception", "open", "unavailable", "disabled", "dead"],
  warn: ["needs_attention", "attempt_failed", "returning", "returned", "expired", "cancelling", "half_open"],
};

/** A status as a word with a colour; the word alone says it. */
export function Status({ value, tone }) {
  if (!value) return html`<span class="quiet">–</span>`;
  const colour = tone ?? Object.keys(TONES).find((each) => TONES[each].includes(value)) ?? "plain";
  return html`<span class=${`status ${colour}`}>${words(value)}</span>`;
}

/**
 * A problem in the API's own words, with the request's id. `retry` offers to do it again.
 * `known`: pointers whose errors a form shows at their fields, which are left out here.
 */
export function ProblemBox({ problem, retry, known = [], children }) {
  if (!problem) return null;
  // What the detail says already, about no field, is not said again.
  const errors = (problem.errors ?? []).filter((error) => !known.includes(error.pointer) && (error.pointer || error.message !== problem.detail));
  const carrier = problem.carrier;
  const title = problem.title || problem.message || "Something went wrong";
  const saysTitle = problem.detail?.startsWith(title.replace(/\.$/, ""));
  return html`<section class="problem" role="alert">
    ${carrier &&
    (carrier.code || carrier.message) &&
    html`<p><strong>The carrier ${carrier.name} says: ${[carrier.code, carrier.message].filter(Boolean).join(" ")}</strong></p>`}
    <p><strong>${saysTitle ? problem.detail : title}</strong></p>
    ${problem.detail && !saysTitle && html`<p>${problem.detail}</p>`}
    ${errors.length > 0 &&
    html`<ul>
      ${errors.map((error) => html`<li>${error.pointer && html`<code>${error.pointer}</code> `}${error.message || words(error.code)}</li>`)}
    </ul>`}
    ${children}
    <p class="quiet small">
      ${problem.code && html`<${Code} problem=${problem} />`}
      ${problem.requestId || problem.request_id
        ? html` · request <code>${problem.requestId || problem.request_id}</code>`
        : null}
    </p>
    ${retry && html`<button type="button" class="secondary" onClick=${() => retry()}>Try again</button>`}
  </section>`;
}

/** The code of a problem, which leads to its explanation where the API has one. */
function Code({ problem }) {
  const shown = html`<code>${problem.code}</code>`;
  if (!problem.type) return shown;
  return html`<a href=${new URL(`problems/${encodeURIComponent(problem.code)}`, BASE).href} target="_blank" rel="noreferrer">${shown}</a>`;
}

/** What a reader hears and sees while something is read: `<${Loading} when=${loading}>Reading orders</>`. */
export function Loading({ when = true, children = "Reading" }) {
  return html`<p class="loading" role="status" aria-live="polite">${when ? html`<span aria-busy="true">${children}…</span>` : ""}</p>`;
}

/** Progress of long work, read out as it moves. */
export function Progress({ done, total, children }) {
  return html`<div class="work" role="status" aria-live="polite">
    <p>${children ?? "Working"}: ${done} of ${total}</p>
    <progress value=${done} max=${total || 1} aria-label=${typeof children === "string" ? children : "Progress"}></progress>
  </div>`;
}

/**
 * A table that becomes a list of cards on a narrow screen.
 *
 * `columns`: `{title, cell: (row, index) => anything, number}`; the first column names its row.
 * `rows`, `id: (row, index) => key`, `caption` (read out; shown with `showCaption`), `empty`: what to say of none.
 */
export function Table({ columns, rows, caption, showCaption = false, id = (row, index) => row.id ?? index, empty = "There is nothing here." }) {
  const box = useRef(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    // Only what scrolls is reached with the keyboard.
    const watch = new ResizeObserver(() => {
      if (element.scrollWidth > element.clientWidth) element.setAttribute("tabindex", "0");
      else element.removeAttribute("tabindex");
    });
    watch.observe(element);
    watch.observe(element.firstElementChild);
    return () => watch.disconnect();
  }, [rows.length > 0]);
  if (!rows.length) return html`<p class="empty">${empty}</p>`;
  return html`<div class="wide" role="group" aria-label=${caption} ref=${box}><table class="rows" role="table">
    <caption class=${showCaption ? "" : "unseen"}>${caption}</caption>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map((column) => html`<th role="columnheader" scope="col" class=${column.number ? "number" : ""}>${column.title}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        (row, index) => html`<tr role="row" key=${id(row, index)}>
          ${columns.map((column, place) => {
            const [tag, more] = place ? ["td", { role: "cell" }] : ["th", { role: "rowheader", scope: "row" }];
            return html`<${tag} ...${more} data-title=${column.title} class=${column.number ? "number" : ""}>
              <div>${column.cell(row, index)}</div>
            </${tag}>`;
          })}
        </tr>`,
      )}
    </tbody>
  </table></div>`;
}

/** What `usePages` reads, as a table with its problem, and a button for the next page. */
export function PagedTable({ pages, noun = "rows", empty, ...table }) {
  return html`
    ${(pages.rows.length > 0 || pages.read) && html`<${Table} ...${table} rows=${pages.rows} empty=${pages.loading ? `Reading ${noun}…` : empty} />`}
    <${Loading} when=${pages.loading}>Reading ${noun}<//>
    <${ProblemBox} problem=${pages.problem} retry=${pages.rows.length ? pages.more : pages.reload} />
    ${pages.hasMore && !pages.loading && !pages.problem &&
    html`<p><button type="button" class="secondary" onClick=${pages.more}>Show more ${noun}</button>
      <span class="quiet"> ${pages.rows.length} shown</span></p>`}
  `;
}

/**
 * A field with its label: `<${Field} label="Name" name="name" value=${…} onInput=${…} />`.
 *
 * `options`: `[value, words]` makes a list of choices. `error` and `hint` are read with the field.
 * `required` marks the field, for the eye and for a reader of screens.
 * Everything else goes to the input itself.
 */
export function Field({ label, hint, error, options, area = false, ...input }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || null;
  const given = { id, "aria-describedby": described, "aria-invalid": error ? "true" : null, "aria-required": input.required ? "true" : null, ...input };
  const control = options
    ? html`<select ...${given}>
        ${options.map(([value, shown]) => html`<option value=${value} selected=${String(input.value ?? "") === String(value)}>${shown}</option>`)}
      </select>`
    : area
      ? html`<textarea ...${given}></textarea>`
      : html`<input type="text" ...${given} />`;
  return html`<div class="field">
    <label for=${id} class=${input.required ? "must" : ""}>${label}</label>
    ${control}
    ${hint && html`<small id=${`${id}-hint`}>${hint}</small>`}
    ${error && html`<small class="error" id=${`${id}-error`}>${error}</small>`}
  </div>`;
}

/**
 * Filters that stand in the address: `fields` are those of `Field`, each with a `name`.
 * A choice is taken at once, a text on Enter or with the button.
 */
export function Filters({ fields, children }) {
  const [query, change] = useQuery();
  const form = useRef(null);
  const apply = () => {
    const given = Object.fromEntries(fields.map(({ name }) => [name, form.current.elements[name].value.trim()]));
    change(given);
  };
  const submit = (event) => {
    event.preventDefault();
    apply();
  };
  // What was typed and not yet taken survives a new rendering; only another address replaces it.
  const fill = (some) => {
    for (const { name } of some) form.current.elements[name].value = query[name] ?? "";
  };
  useEffect(() => fill(fields), [JSON.stringify(fields.map(({ name }) => query[name] ?? ""))]);
  useEffect(() => fill(fields.filter(({ options }) => options)), [JSON.stringify(fields.map(({ options }) => options))]);
  const any = fields.some(({ name }) => query[name]);
  const clear = () => change(Object.fromEntries(fields.map(({ name }) => [name, ""])));
  return html`<search><form class="filters" ref=${form} onSubmit=${submit}>
    ${fields.map((field) => html`<${Field} key=${field.name} ...${field} onChange=${field.options ? apply : undefined} />`)}
    ${children}
    <div class="buttons">
      <button type="submit">Search</button>
      ${any && html`<button type="button" class="secondary" onClick=${clear}>Clear</button>`}
    </div>
  </form></search>`;
}

/** A dialog over the page. Escape and its button close it; the keyboard stays inside while it is open. */
export function Dialog({ title, onClose, children, closable = true }) {
  const dialog = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const element = dialog.current;
    element.showModal();
    return () => {
      // The browser gives the focus back, which it does not for a dialog that is only taken away.
      element.close();
      // What opened the dialog may be gone with what was done.
      setTimeout(() => document.activeElement === document.body && document.getElementById("main")?.focus(), 100);
    };
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    if (closable) onClose();
  };
  // At the second Escape a browser closes a dialog whatever the page says of it, unless the key itself is taken.
  const pressed = (event) => event.key === "Escape" && cancel(event);
  const closed = () => !closable && dialog.current?.showModal();
  return html`<dialog ref=${dialog} aria-labelledby=${id} onKeyDown=${pressed} onCancel=${cancel} onClose=${closed}>
    <article>
      <h2 id=${id}>${title}</h2>
      ${children}
    </article>
  </dialog>`;
}

/**
 * A button that asks first. `work` does it when the question is answered with yes; a problem is shown in the
 * dialog, which then stays, unless `onRefused(problem)` gives true: then the page shows it, and the question is
 * closed. `question`: the sentence that says what will happen. `main`: the page's main button.
 */
export function AskFirst({ label, title = label, question, confirm = label, work, onDone, onRefused, danger = false, main = false, disabled = false, children }) {
  const [open, setOpen] = useState(false);
  const action = useAction(async () => {
    let result;
    try {
      result = await work();
    } catch (problem) {
      if (!onRefused?.(problem)) throw problem;
      setOpen(false);
      return;
    }
    setOpen(false);
    onDone?.(result);
  });
  const close = () => {
    if (action.busy) return;
    action.clear();
    setOpen(false);
  };
  return html`
    <button type="button" class=${danger ? "danger" : main ? "" : "secondary"} disabled=${disabled} onClick=${() => setOpen(true)}>${label}</button>
    ${open &&
    html`<${Dialog} title=${title} onClose=${close}>
      <p>${question}</p>
      ${children}
      <${ProblemBox} problem=${action.problem} />
      <div class="buttons">
        <button type="button" class="secondary" onClick=${close} disabled=${action.busy}>No, go back</button>
        <button type="button" class=${danger ? "danger" : ""} aria-busy=${action.busy ? "true" : null} disabled=${action.busy} onClick=${() => action.run()}>${confirm}</button>
      </div>
    <//>`}
  `;
}

/** A button that does something at once; its problem is shown below it. */
export function ActionButton({ label, work, onDone, secondary = true, disabled = false }) {
  const action = useAction(async () => {
    const result = await work();
    onDone?.(result);
  });
  return html`<span class="action">
    <button type="button" class=${secondary ? "secondary" : ""} aria-busy=${action.busy ? "true" : null} disabled=${disabled || action.busy} onClick=${() => action.run()}>${label}</button>
    <${ProblemBox} problem=${action.problem} />
  </span>`;
}

/** A page's title; it gets the focus when the page is opened. `children` stand beside it. */
export function Heading({ children, aside }) {
  const title = useRef(null);
  useEffect(() => {
    document.title = `${title.current.textContent} · Parcelgate`;
  });
  return html`<header class="heading"><h1 tabindex="-1" ref=${title}>${children}</h1>${aside}</header>`;
}

/** Names and values: `facts` is a list of `[name, value]`; those without a value are left out. */
export function Facts({ facts }) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  return html`<dl class="facts">${known.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A message that is read out as soon as it appears. */
export function Notice({ children }) {
  return html`<p class="notice" role="status" aria-live="polite">${children}</p>`;
}

/** Let the reader take a file away, made here from `text`. */
export function saveFile(name, text, type = "text/csv") {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Shows what became of a part that failed, in place of a blank page. */
export function Safe({ children }) {
  const [error, reset] = useErrorBoundary();
  if (!error) return children;
  return html`<${ProblemBox} problem=${{ title: "This page could not be shown", detail: String(error.message ?? error), code: "" }} retry=${reset} />`;
}
