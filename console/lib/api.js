// Calls the API of this very stack, with the key of this tab. Nothing else in the console uses `fetch`.

/** The address under which `/v1` begins. The console's files lie at `<base>/console/<hash>/lib/`. */
export const BASE = new URL("../../../", import.meta.url);

const KEY = "parcelgate.session";
const TRIES = 4;
const LONGEST_WAIT = 20;
const NETWORK_WAITS = [0.3, 1, 2];

/**
 * Why a call failed, in the API's own words.
 *
 * `status` is 0 when no answer came. `type` is the address of the code's explanation, "" where there is none. `errors` is a list of `{pointer, code, message}`. `carrier` is
 * `{name, code, message}` or null. `requestId` names the request in the logs, "" if it is not known.
 */
export class Problem extends Error {
  constructor(fields) {
    super(fields.detail || fields.title);
    Object.assign(
      this,
      { status: 0, type: "", code: "", title: "", detail: "", errors: [], carrier: null, orderId: null, requestId: "" },
      fields,
    );
  }
}

/** The signed-in key and its scopes. `listen` tells of changes; `expired`: the API refused the key. */
export const session = {
  key: "",
  scopes: new Set(),
  expired: false,
  /** Grows with each sign-in, so that a page reads again what it could not read. */
  epoch: 0,
  listeners: new Set(),

  /** Whether the key has all of these scopes. */
  may(...scopes) {
    return scopes.every((scope) => this.scopes.has(scope));
  },
  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  },
  changed() {
    for (const listener of [...this.listeners]) listener();
  },
  /** Take up the session that this tab had before it was loaded again. */
  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY));
      if (kept?.key) Object.assign(this, { key: kept.key, scopes: new Set(kept.scopes) });
    } catch {
      sessionStorage.removeItem(KEY);
    }
  },
  signOut() {
    sessionStorage.removeItem(KEY);
    Object.assign(this, { key: "", scopes: new Set(), expired: false });
    leavePage();
    this.changed();
  },
};

// The contract has no call that tells a key's scopes: these are the cheapest calls that need each of them.
// Those that write name things that do not exist, so they change nothing.
const PROBES = {
  "orders:read": ["GET", "v1/orders?limit=1"],
  "orders:write": ["POST", "v1/orders/batch", { validate_only: true, orders: [{}] }],
  "trackings:read": ["GET", "v1/trackings?limit=1"],
  "trackings:write": ["POST", "v1/trackings/update", [{ id: "trk_none", note: "" }]],
  "webhooks:manage": ["GET", "v1/webhook-endpoints"],
  "settings:manage": ["GET", "v1/settings"],
  operator: ["GET", "v1/attention?limit=1"],
};

/**
 * Sign in: find the key's scopes, and keep both in this tab.
 * Throws a Problem if the key is refused, or if the API cannot say.
 */
export async function signIn(key) {
  let failures = 0;
  const probes = Object.entries(PROBES);
  const found = await Promise.all(
    probes.map(async ([scope, [method, path, body]]) => {
      try {
        await request(method, path, { body, key });
      } catch (problem) {
        if (problem.code === "missing_scope") return null;
        // The scope is checked before anything else: what fails later has it. Unless everything fails.
        failures += problem.status >= 500 ? 1 : 0;
        if (!(problem.status >= 400) || [401, 429].includes(problem.status) || failures === probes.length) throw problem;
      }
      return scope;
    }),
  );
  const scopes = found.filter(Boolean);
  sessionStorage.setItem(KEY, JSON.stringify({ key, scopes }));
  Object.assign(session, { key, scopes: new Set(scopes), expired: false, epoch: session.epoch + 1 });
  session.changed();
}

let page = new AbortController();

/** Give up what the page that is left has asked for. Calls that change something go on. */
export function leavePage() {
  page.abort();
  page = new AbortController();
}

/** Read: `await get("v1/orders", {limit: 20})` gives the body. Ends with an AbortError when the page is left. */
export async function get(path, query = {}, { signal = page.signal } = {}) {
  return (await request("GET", withQuery(path, query), { signal })).body;
}

/**
 * Change: `await send("POST", "v1/orders", body, {idempotencyKey})` gives `{status, body, headers}`.
 * It is never sent twice by itself. `type` is the media type of a body that is text.
 */
export function send(method, path, body, { idempotencyKey, type, signal } = {}) {
  return request(method, path, { body, idempotencyKey, type, signal });
}

/** Whether a thrown error only means that somebody left the page. */
export const isAbort = (error) => error?.name === "AbortError";

/** `path` with those fields of `query` that have a value. */
function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

async function request(method, path, { body, key = session.key, idempotencyKey, type, signal } = {}) {
  const headers = { Authorization: `Bearer ${key}`, Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = type ?? (method === "PATCH" ? "application/merge-patch+json" : "application/json");
  if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
  const init = { method, headers, signal, body: type ? body : body && JSON.stringify(body), cache: "no-store", redirect: "error", credentials: "omit" };
  for (let tries = 1; ; tries += 1) {
    let answer;
    let text;
    try {
      answer = await fetch(new URL(path, BASE), init);
      text = await answer.text();
    } catch (error) {
      if (isAbort(error)) throw error;
      if (method === "GET" && tries <= NETWORK_WAITS.length) {
        await pause(NETWORK_WAITS[tries - 1], signal);
        continue;
      }
      throw unreachable(method);
    }
    if (method === "GET" && [429, 503].includes(answer.status) && tries < TRIES) {
      const wait = Number(answer.headers.get("Retry-After") ?? tries);
      if (wait <= LONGEST_WAIT) {
        await pause(wait, signal);
        continue;
      }
    }
    const read = parsed(text);
    if (answer.ok) return { status: answer.status, body: read, headers: answer.headers };
    const problem = problemOf(answer, read);
    if (problem.status === 401 && key === session.key && !session.expired) {
      session.expired = true;
      session.changed();
    }
    throw problem;
  }
}

function problemOf(answer, body) {
  const id = body?.request_id || answer.headers.get("apigw-requestid") || "";
  // What the gateway says by itself has only a message.
  const title = body?.title || body?.message || `The API answered ${answer.status}`;
  return new Problem({
    status: answer.status,
    type: body?.type ?? "",
    code: body?.code || (answer.status === 401 ? "invalid_key" : ""),
    title: answer.status === 401 && !body?.title ? "The API key is not valid" : title,
    detail: body?.detail || (answer.status === 429 ? "Too many calls were made at once. Wait a moment, then try again." : ""),
    errors: body?.errors ?? [],
    carrier: body?.carrier ?? null,
    orderId: body?.order_id ?? null,
    requestId: id,
    retryAfter: Number(answer.headers.get("Retry-After")) || null,
  });
}

function unreachable(method) {
  const unsure = method === "GET" ? "" : " It is not known whether the call arrived: look before you repeat it.";
  return new Problem({
    code: "unreachable",
    title: "The API cannot be reached",
    detail: `Check the network. What you entered is still here.${unsure}`,
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Wait some seconds; an aborted `signal` ends it with an AbortError. */
export function pause(seconds, signal) {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason);
    });
  });
}
