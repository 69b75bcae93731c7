// What pages have in common: reading, paging, acting, and the address.

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "./preact.js";
import { get, isAbort, session } from "./api.js";

/** The page's name, its parts, and its query: `#/orders/ord_1?tab=events` is `["orders", "ord_1"]`, `{tab}`. */
export function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(decoded), query: Object.fromEntries(new URLSearchParams(query)) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a page, for links: `to("orders", {status: "failed"})`, `to(["orders", id])`. */
export function to(path, query = {}) {
  const parts = Array.isArray(path) ? path : path.split("/");
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  return `#/${parts.map(encodeURIComponent).join("/")}${search}`;
}

/** Go to a page. `replace`: "back" does not return to the present one. */
export function go(path, query = {}, { replace = false } = {}) {
  const target = to(path, query);
  if (!replace) location.hash = target;
  else {
    history.replaceState(null, "", target);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  }
}

/** The query of the address, and a function that changes fields of it: `const [query, change] = useQuery()`. */
export function useQuery() {
  const [query, setQuery] = useState(() => address().query);
  useEffect(() => {
    const read = () => setQuery(address().query);
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, []);
  const change = useCallback((fields, options) => {
    const now = address();
    go(now.parts, { ...now.query, ...fields }, options);
  }, []);
  return [query, change];
}

/** The session, with a new rendering when it changes. */
export function useSession() {
  const [, render] = useState(0);
  // A plain effect comes some time after the page is drawn: a change before it would not be seen.
  useLayoutEffect(() => session.listen(() => render((count) => count + 1)), []);
  return session;
}

/**
 * Read something and keep it: `const {data, problem, loading, reload} = useGet("v1/orders/ord_1")`.
 *
 * While it is read again, and if that fails, the earlier `data` stays. A `path` of null reads nothing.
 * `every`: seconds after which it is read again while the page is visible; a function of the data may say it.
 * Another `version` reads it again, too.
 */
export function useGet(path, query = {}, { every = null, version = "" } = {}) {
  const [state, setState] = useState({ data: null, problem: null, loading: path !== null, of: path });
  const { epoch } = useSession();
  const key = JSON.stringify([path, query]);
  const latest = useRef(0);
  const reload = useCallback(async () => {
    if (path === null) return;
    const mine = (latest.current += 1);
    setState((before) => ({ ...before, loading: true, data: before.of === key ? before.data : null, of: key }));
    try {
      const data = await get(path, query);
      if (mine === latest.current) setState({ data, problem: null, loading: false, of: key });
    } catch (problem) {
      if (!isAbort(problem) && mine === latest.current) setState((before) => ({ ...before, problem, loading: false }));
    }
  }, [key, epoch, version]);
  useEffect(() => {
    reload();
    return () => {
      latest.current += 1;
    };
  }, [reload]);
  const seconds = typeof every === "function" ? (state.data ? every(state.data) : null) : every;
  useEffect(() => {
    if (!seconds) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && reload(), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds, reload]);
  const put = (data) => {
    latest.current += 1;
    setState({ data, problem: null, loading: false, of: key });
  };
  return { ...state, reload, put };
}

/**
 * Read a list page by page: `const {rows, problem, loading, more, hasMore, reload} = usePages("v1/orders", query)`.
 * `more()` adds the next page. Another query starts again.
 */
export function usePages(path, query = {}) {
  const empty = { rows: [], cursor: null, problem: null, loading: path !== null, read: false };
  const [state, setState] = useState(empty);
  const { epoch } = useSession();
  const key = JSON.stringify([path, query]);
  const latest = useRef(0);
  const load = useCallback(
    async (cursor, rows) => {
      if (path === null) return;
      const mine = (latest.current += 1);
      setState((before) => ({ ...before, loading: true, problem: null }));
      try {
        const page = await get(path, { ...query, cursor });
        const next = page.next_cursor ?? null;
        if (mine === latest.current) {
          setState({ rows: [...rows, ...page.data], cursor: next, problem: null, loading: false, read: true });
        }
      } catch (problem) {
        if (!isAbort(problem) && mine === latest.current) setState((before) => ({ ...before, problem, loading: false }));
      }
    },
    [key, epoch],
  );
  const reload = useCallback(() => load(null, []), [load]);
  useEffect(() => {
    setState(empty);
    reload();
    return () => {
      latest.current += 1;
    };
  }, [reload]);
  const more = () => load(state.cursor, state.rows);
  return { ...state, more, hasMore: state.cursor !== null, reload };
}

/**
 * Do something that changes things: `const {run, busy, problem} = useAction(async () => {...})`.
 * While it runs, a second `run` does nothing. `run` gives what the function gives, undefined after a problem.
 */
export function useAction(work) {
  const [state, setState] = useState({ busy: false, problem: null });
  const running = useRef(false);
  const run = async (...given) => {
    if (running.current) return undefined;
    running.current = true;
    setState({ busy: true, problem: null });
    let problem = null;
    try {
      return await work(...given);
    } catch (error) {
      problem = isAbort(error) ? null : error;
      return undefined;
    } finally {
      running.current = false;
      setState({ busy: false, problem });
    }
  };
  return { ...state, run, clear: () => setState({ busy: false, problem: null }) };
}
