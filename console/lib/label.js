// A label inside of the page: its pictures, its PDF where the browser shows one, or what to do with it instead.

import { html, useState } from "./preact.js";

/** The documents of a label that is ready. Each is loaded from the bucket, by its signed link. */
export function LabelPreview({ label }) {
  if (label.format === "zpl") return html`<p>This label is in ZPL, the language of label printers, and no browser draws it. Download it, and send it to the printer.</p>`;
  const several = label.parcels.length > 1;
  const documents = label.url ? [{ url: label.url, title: several ? `Labels of ${label.parcels.length} parcels` : "Label" }] : label.parcels.filter((parcel) => parcel.url).map((parcel) => ({ url: parcel.url, title: `Label of ${parcel.reference}` }));
  if (label.format === "pdf" && !navigator.pdfViewerEnabled) return html`<p>This browser shows no PDF inside of a page. Open the label in a tab of its own.</p>`;
  return html`<div class="labels">
    ${documents.map(({ url, title }) => (label.format === "pdf" ? html`<iframe key=${url} src=${url} title=${title}></iframe>` : html`<${Picture} key=${`${url} ${label.expires_at}`} url=${url} title=${title} named=${several} />`))}
  </div>`;
}

function Picture({ url, title, named }) {
  const [lost, setLost] = useState(false);
  return html`<figure>
    ${lost ? html`<p role="alert">${title} cannot be loaded. Its link may have ended: renew it.</p>` : html`<img src=${url} alt=${title} onError=${() => setLost(true)} />`}
    ${named && html`<figcaption>${title}</figcaption>`}
  </figure>`;
}
