// The frame: sign-in, navigation and the pages. The address after `#` names the page.

import { html, render, useEffect, useLayoutEffect, useRef, useState } from "./lib/preact.js";
import { BASE, leavePage, session, signIn } from "./lib/api.js";
import { address, go, useAction, useSession } from "./lib/hooks.js";
import { Dialog, Field, Heading, Link, Loading, ProblemBox, Safe } from "./lib/ui.js";

// One line for each page: the path, its title in the navigation (null: not there), the scopes that the key must
// have, and the module. `:id` is given to the page as `parameters.id`. The module's default export is the page.
const PAGES = [
  page("today", "Today", [], () => import("./pages/today.js")),
  page("orders", "Orders", ["orders:read"], () => import("./pages/orders.js")),
  page("orders/:id", null, ["orders:read"], () => import("./pages/order.js")),
  page("create", "Create", ["orders:write"], () => import("./pages/create.js")),
  page("create/file", null, ["orders:write"], () => import("./pages/file.js")),
  page("create/batches", null, ["orders:read"], () => import("./pages/batches.js")),
  page("print", "Print", ["orders:read"], () => import("./pages/print.js")),
  page("trackings", "Trackings", ["trackings:read"], () => import("./pages/trackings.js")),
  page("trackings/:id", null, ["trackings:read"], () => import("./pages/tracking.js")),
  page("webhooks", "Webhooks", ["webhooks:manage"], () => import("./pages/webhooks.js")),
  page("webhooks/:id", null, ["webhooks:manage"], () => import("./pages/webhooks.js")),
  page("inbox", "Inbox and dead letters", ["operator"], () => import("./pages/inbox.js")),
  page("inbox/:id", null, ["operator"], () => import("./pages/inbox.js")),
  page("accounts", "Carrier accounts", ["operator"], () => import("./pages/accounts.js")),
  page("accounts/:carrier/:account", null, ["operator"], () => import("./pages/accounts.js")),
  page("reports", "Reports", ["operator"], () => import("./pages/reports.js")),
  page("settings", "Settings", ["settings:manage"], () => import("./pages/settings.js")),
];

function page(path, title, scopes, load) {
  return { path, title, scopes, load, parts: path.split("/") };
}

/** The page of these parts of an address, and its parameters. */
function find(parts) {
  for (const each of PAGES) {
    if (each.parts.length !== parts.length) continue;
    if (!each.parts.every((part, index) => part.startsWith(":") || part === parts[index])) continue;
    const named = each.parts.map((part, index) => [part, parts[index]]).filter(([part]) => part.startsWith(":"));
    return { page: each, parameters: Object.fromEntries(named.map(([part, value]) => [part.slice(1), value])) };
  }
  return null;
}

function App() {
  const { key, expired } = useSession();
  if (!key) return html`<main id="main" class="container sign-in"><${Heading}>Parcelgate<//><${SignIn} /></main>`;
  return html`<${Frame} />${expired && html`<${SignInAgain} />`}`;
}

function SignIn({ again = false }) {
  const field = useRef(null);
  const { run, busy, problem } = useAction(async (key) => signIn(key));
  const submit = (event) => {
    event.preventDefault();
    const key = field.current.querySelector("input").value.trim();
    if (key) run(key);
  };
  return html`<form onSubmit=${submit} ref=${field}>
    ${!again && html`<p>Sign in with an API key. The key stays in this tab and is forgotten when the tab is closed.</p>`}
    <${Field} label="API key" name="key" type="password" autocomplete="off" spellcheck=${false} required autofocus hint="It begins with pg_." />
    <${Loading} when=${busy}>Finding out what this key may do<//>
    <${ProblemBox} problem=${problem} />
    <button type="submit" disabled=${busy}>Sign in</button>
    ${again && html`<button type="button" class="secondary" onClick=${() => session.signOut()}>Sign out</button>`}
  </form>`;
}

// The page stays below it, with all that was entered.
function SignInAgain() {
  return html`<${Dialog} title="Sign in again" closable=${false}>
    <p role="alert">The API refused this key: it was revoked, or is not known. What you entered is still on the page.</p>
    <${SignIn} again=${true} />
  <//>`;
}

function Frame() {
  const { scopes } = useSession();
  const [place, setPlace] = useState(address);
  const [menu, setMenu] = useState(false);
  const main = useRef(null);
  const path = place.parts.join("/");
  const before = useRef(path);
  // A plain effect comes some time after the page is drawn: an address that changes before it would be missed.
  useLayoutEffect(() => {
    const read = () => {
      const now = address();
      if (now.parts.join("/") !== before.current) leavePage();
      setPlace(now);
      setMenu(false);
    };
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, []);
  useEffect(() => {
    if (!place.parts.length) go("today", {}, { replace: true });
  }, [path]);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    window.scrollTo(0, 0);
    main.current?.focus();
  }, [path]);
  const allowed = PAGES.filter((each) => each.scopes.every((scope) => scopes.has(scope)));
  const found = find(place.parts);
  const skip = (event) => {
    event.preventDefault();
    main.current.focus();
  };
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
    <div class="frame">
      <header class="top">
        <strong class="brand">Parcelgate</strong>
        <button type="button" class="menu secondary" aria-expanded=${String(menu)} aria-controls="pages" onClick=${() => setMenu(!menu)}>Menu</button>
        <nav id="pages" aria-label="Pages" class=${menu ? "shown" : ""}>
          <ul>
            ${allowed
              .filter((each) => each.title)
              .map((each) => html`<li><${Link} to=${each.path} aria-current=${each.parts[0] === place.parts[0] ? "page" : null}>${each.title}<//></li>`)}
            <li><a href=${new URL("docs", BASE).href}>API and guides</a></li>
          </ul>
          <button type="button" class="secondary" onClick=${() => session.signOut()}>Sign out</button>
        </nav>
      </header>
      <main id="main" tabindex="-1" ref=${main}>
        <${Safe} key=${path}>
          ${!found
            ? place.parts.length > 0 && html`<${Heading}>There is no such page<//><p>Choose a page from the menu.</p>`
            : allowed.includes(found.page)
              ? html`<${Loaded} key=${path} page=${found.page} parameters=${found.parameters} query=${place.query} />`
              : html`<${Missing} scopes=${found.page.scopes} />`}
        <//>
      </main>
    </div>
  `;
}

function Missing({ scopes }) {
  return html`<${Heading}>Not with this key<//>
    <p>This page needs a key with ${scopes.length > 1 ? "the scopes" : "the scope"} <code>${scopes.join(", ")}</code>. Sign in with another key to open it.</p>`;
}

/** A page whose module is loaded first. */
function Loaded({ page: each, parameters, query }) {
  const [state, setState] = useState({ module: null, failed: false });
  useEffect(() => {
    let here = true;
    each.load().then(
      (module) => here && setState({ module, failed: false }),
      () => here && setState({ module: null, failed: true }),
    );
    return () => {
      here = false;
    };
  }, [each]);
  if (state.failed) {
    const problem = {
      title: "This page could not be loaded",
      detail: "The network is down, or a new version of the console was installed. Load the console again.",
    };
    return html`<${ProblemBox} problem=${problem} retry=${() => location.reload()} />`;
  }
  if (!state.module) return html`<${Loading}>Loading the page<//>`;
  return html`<${state.module.default} parameters=${parameters} query=${query} />`;
}

session.restore();
render(html`<${App} />`, document.getElementById("app"));
