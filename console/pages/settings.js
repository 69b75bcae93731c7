// What recipients see: the brand, and whether they have a page.

import { html, useState } from "../lib/preact.js";
import { send } from "../lib/api.js";
import { safeLink } from "../lib/format.js";
import { useAction, useGet, useSession } from "../lib/hooks.js";
import { Field, Heading, Loading, Notice, ProblemBox } from "../lib/ui.js";

const FIELDS = [
  { name: "name", label: "Name", maxlength: 100, hint: "The name of your shop, as recipients know it." },
  { name: "logo_url", label: "Address of the logo", type: "url", maxlength: 2048, placeholder: "https://shop.example/logo.png", hint: "An image behind https. Recipients' browsers load it from there." },
  { name: "colour", label: "Colour", maxlength: 7, placeholder: "#1a7f5a", hint: "# and six hexadecimal digits." },
  { name: "support_url", label: "Address of your help page", type: "url", maxlength: 2048, placeholder: "https://shop.example/help" },
  { name: "support_email", label: "E-mail of your support", type: "email", maxlength: 254, placeholder: "help@shop.example" },
];
const POINTERS = FIELDS.map(({ name }) => `/brand/${name}`);

/** The page `settings`. */
export default function Settings() {
  const { data, problem, loading, reload, put } = useGet("v1/settings");
  return html`<div>
    <${Heading}>Settings<//>
    <${Loading} when=${loading && !data}>Reading the settings<//>
    <${ProblemBox} problem=${problem} retry=${reload} />
    ${data && html`<${Form} settings=${data} stored=${put} />`}
  </div>`;
}

function Form({ settings, stored }) {
  const [brand, setBrand] = useState(() => ({ ...settings.brand }));
  const [enabled, setEnabled] = useState(settings.tracking_page.enabled);
  const [said, setSaid] = useState("");
  const action = useAction(async () => {
    const given = Object.fromEntries(FIELDS.map(({ name }) => [name, brand[name]?.trim() || null]));
    const { body } = await send("PUT", "v1/settings", { brand: given, tracking_page: { enabled } });
    stored(body);
    setBrand({ ...body.brand });
    setEnabled(body.tracking_page.enabled);
    setSaid("The settings are stored.");
  });
  const error = (name) => action.problem?.errors?.find((each) => each.pointer === `/brand/${name}`)?.message;
  const set = (name) => (event) => setBrand((before) => ({ ...before, [name]: event.target.value }));
  const submit = (event) => {
    event.preventDefault();
    setSaid("");
    action.run();
  };
  return html`<form onSubmit=${submit} noValidate>
    <h2>Brand</h2>
    <div class="beside">
      <div>
        ${FIELDS.map((field) => html`<${Field} key=${field.name} ...${field} value=${brand[field.name] ?? ""} error=${error(field.name)} onInput=${set(field.name)} />
          ${field.name === "colour" && html`<${Field} label="Choose the colour" type="color" name="picker" value=${/^#[0-9a-f]{6}$/i.test(brand.colour ?? "") ? brand.colour : "#808080"} onInput=${set("colour")} />`}`)}
      </div>
      <${Preview} brand=${brand} enabled=${enabled} />
    </div>
    <h2>Recipient's page</h2>
    <label><input type="checkbox" role="switch" name="tracking_page" checked=${enabled} onChange=${(event) => setEnabled(event.target.checked)} />
      Recipients can follow their parcels on a page of their own</label>
    <p class="quiet">While it is off, its links answer as if they did not exist.</p>
    <${ProblemBox} problem=${action.problem} known=${POINTERS} />
    <button type="submit" aria-busy=${action.busy ? "true" : null} disabled=${action.busy}>Save</button>
    <${Notice}>${said}<//>
  </form>`;
}

/** Roughly what recipients see. The logo is named and not loaded: this page loads nothing from elsewhere. */
function Preview({ brand, enabled }) {
  const colour = /^#[0-9a-f]{6}$/i.test(brand.colour ?? "") ? brand.colour : "#44546a";
  const links = [
    brand.support_url && safeLink(brand.support_url) && [brand.support_url, "Help"],
    brand.support_email && [`mailto:${encodeURIComponent(brand.support_email)}`, brand.support_email],
  ].filter(Boolean);
  return html`<section class="preview" aria-label="Preview">
    <p class="quiet small">Preview${enabled ? "" : " (the page is switched off)"}</p>
    <div class="card">
      <p class="bar" style=${{ background: colour, color: readable(colour) }}>${brand.name || "Your parcel"}</p>
      <div class="inside">
        <p><strong>Out for delivery</strong></p>
        <p>Expected today</p>
        ${links.length > 0 && html`<p>${links.map(([address, text]) => html`<a href=${address} rel="noreferrer noopener">${text}</a> `)}</p>`}
        ${brand.logo_url && safeLink(brand.logo_url) && html`<p class="small">The logo is loaded from <a href=${brand.logo_url} target="_blank" rel="noreferrer noopener">its address</a> by recipients' browsers.</p>`}
      </div>
    </div>
    <${Real} />
  </section>`;
}

/** A link to the page of a parcel, where there is one and the key may read it. */
function Real() {
  const may = useSession().may("trackings:read");
  const { data } = useGet(may ? "v1/trackings" : null, { limit: 1 });
  const link = data?.data[0]?.tracking_page;
  return link ? html`<p><a href=${link} target="_blank" rel="noreferrer noopener">Open the page of your newest parcel</a></p>` : null;
}

/** Black or white, whichever is easier to read on this colour. */
function readable(colour) {
  const [red, green, blue] = [1, 3, 5].map((place) => {
    const part = parseInt(colour.slice(place, place + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return (light + 0.05) ** 2 > 1.05 * 0.05 ? "#000000" : "#ffffff";
}
