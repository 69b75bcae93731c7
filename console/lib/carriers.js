// Choosing a carrier, one of its accounts and one of its services, from what the API offers.

import { html } from "./preact.js";
import { session } from "./api.js";
import { useGet } from "./hooks.js";
import { Field, ProblemBox } from "./ui.js";

/**
 * Three fields. `value` is `{carrier, account, service}`, `change` takes the fields that are new, and `errors`
 * has the words for each. `any`: what an empty choice of a carrier or service is called.
 */
export function CarrierFields({ value, change, errors = {}, any = "Choose" }) {
  const { carrier = "", account = "", service = "" } = value;
  const carriers = useGet("v1/carriers");
  const accounts = useGet(session.may("operator") ? "v1/carrier-accounts" : null);
  const services = useGet(carrier ? `v1/carriers/${encodeURIComponent(carrier)}/services` : null, { account });
  // An aggregator only follows parcels.
  const sellers = (carriers.data?.data ?? []).filter((each) => each.max_parcels > 0);
  const own = (accounts.data?.data ?? []).filter((each) => each.carrier === carrier).map((each) => each.account);
  const offered = services.data?.data ?? [];
  const withOwn = (values, given) => (given && !values.some(([code]) => code === given) ? [...values, [given, given]] : values);
  const carrierChoices = withOwn(sellers.map((each) => [each.code, each.name]), carrier);
  const serviceChoices = withOwn(offered.map((each) => [each.code, each.name === each.code ? each.code : `${each.name} (${each.code})`]), service);
  return html`
    <${Field} label="Carrier" name="carrier" options=${[["", any], ...carrierChoices]} value=${carrier} error=${errors.carrier}
      onChange=${(event) => change({ carrier: event.target.value, account: "", service: "" })} />
    ${own.length
      ? html`<${Field} label="Account" name="account" options=${withOwn([["", "default"], ...own.filter((name) => name !== "default").map((name) => [name, name])], account)}
          value=${account} error=${errors.account} onChange=${(event) => change({ account: event.target.value, service: "" })} />`
      : html`<${Field} key=${carrier} label="Account" name="account" defaultValue=${account} placeholder="default" error=${errors.account}
          onChange=${(event) => change({ account: event.target.value.trim(), service: "" })} />`}
    <${Field} label="Service" name="service" options=${[["", carrier ? any : "Choose a carrier first"], ...serviceChoices]} value=${service} error=${errors.service}
      disabled=${!carrier} onChange=${(event) => change({ service: event.target.value })} />
    <${ProblemBox} problem=${carriers.problem} retry=${carriers.reload} />
    <${ProblemBox} problem=${services.problem} retry=${services.reload} />
  `;
}
