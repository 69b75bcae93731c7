// Receives Parcelgate's webhooks in Node.js: checks the signature. Needs nothing but Node.
// With `npm install standardwebhooks`, `new Webhook(secret).verify(body, headers)` does the same.
import { createHmac, timingSafeEqual } from "node:crypto";

const TOLERANCE = 300; // seconds that the sender's clock and this one may be apart

// `body` is the raw text or Buffer: JSON that was read and written again has another signature.
// The names of `headers` are in lower case, as Node gives them.
export function verify(secret, headers, body) {
  const sentAt = headers["webhook-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(sentAt)) <= TOLERANCE)) throw new Error("the webhook is too old");
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const expected = createHmac("sha256", key).update(`${headers["webhook-id"]}.${sentAt}.`).update(body).digest();
  // While a secret is being rotated there are two signatures: one that fits is enough.
  const fits = headers["webhook-signature"].split(" ").some((one) => {
    const [version, signature] = one.split(",");
    const given = Buffer.from(signature ?? "", "base64");
    return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!fits) throw new Error("the signature is wrong");
  return JSON.parse(body);
}
