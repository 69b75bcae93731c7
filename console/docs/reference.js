// The reference of the API, with calls that can be tried out on the very stack that shows it.
const base = new URL(".", location.href).href.replace(/\/$/, "");
const home = document.getElementById("reference");

// Swagger UI's own layout has a landmark inside ours, and a choice of servers of which there is one.
const layout = ({ React: { createElement: element } }) => ({
  components: {
    ReferenceLayout: ({ getComponent }) => element("div", { className: "swagger-ui" },
      element(getComponent("SvgAssets")),
      element(getComponent("errors", true)),
      element(getComponent("InfoContainer", true)),
      element("h2", null, "Calls"),
      element("div", { className: "scheme-container" }, element(getComponent("AuthorizeBtnContainer", true))),
      element(getComponent("FilterContainer", true)),
      element(getComponent("operations", true))),
    // Its links stand inside buttons.
    DeepLink: ({ text }) => element("span", null, text),
  },
});

const BEHIND = ".skip, header, nav, .swagger-ui > :not(.scheme-container), .auth-wrapper > .btn.authorize";
const missing = (selector, name, words) => {
  for (const each of home.querySelectorAll(`${selector}:not([${name}])`)) each.setAttribute(name, words(each));
};
const tidy = () => {
  missing("select", "aria-label", each => each.closest("[data-param-name]")?.dataset.paramName ?? "Choice");
  missing("textarea", "aria-label", each => each.closest("[data-param-name]")?.dataset.paramName ?? "Body of the request");
  missing(".responses-table", "aria-label", each =>
    `Answers of ${each.closest(".opblock").querySelector(".opblock-summary-path").dataset.path}, ${each.id}`);
  missing(".close-modal", "aria-label", () => "Close");
  missing("pre", "tabindex", () => "0");
  // While its dialog is open, the focus stays there.
  const open = Boolean(home.querySelector(".dialog-ux"));
  for (const each of document.querySelectorAll(BEHIND)) each.inert = open;
};
addEventListener("keydown", event => {
  if (event.key === "Escape") home.querySelector(".close-modal")?.click();
});
new MutationObserver(tidy).observe(home, { childList: true, subtree: true });

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const show = spec => SwaggerUIBundle({
  // The page's own address: behind a name of your own, the API's is another than the document says.
  spec: { ...spec, servers: [{ url: base }] },
  domNode: home,
  layout: "ReferenceLayout",
  plugins: [layout],
  presets: [SwaggerUIBundle.presets.apis],
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  filter: true,
  syntaxHighlight: false,
  tryItOutEnabled: true,
});

fetch("v1/openapi.json").then(answer => answer.json()).then(show).catch(error => {
  home.textContent = `The description of the API could not be loaded (${error.message}). Load the page again.`;
});
