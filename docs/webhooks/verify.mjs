// Verifies Waybill's webhooks (Standard Webhooks 1.0.0). Node's own modules only.
import { createHmac, timingSafeEqual } from "node:crypto";
import { fileURLToPath } from "node:url";

/**
 * Returns the webhook's id, or throws an Error.
 *
 * @param {string} secret  "whsec_…"
 * @param {Record<string, string>} headers  names in lower case
 * @param {Buffer} body  the bytes exactly as they came; with Express: express.raw({ type: "*\/*" })
 */
export function verify(secret, headers, body, now = Date.now() / 1000, tolerance = 300) {
  if (!secret.startsWith("whsec_")) throw new Error("a secret begins with whsec_");
  // The key is what the base64 stands for, not the text.
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => {
    if (headers[name] === undefined) throw new Error(`the header ${name} is missing`);
    return headers[name];
  });
  if (!/^[0-9]{1,15}$/.test(timestamp)) throw new Error("webhook-timestamp is not a number");
  const expected = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
  // One token per key that is valid; each is compared in constant time.
  let good = false;
  for (const token of signatures.split(" ")) {
    if (!token.startsWith("v1,")) continue;
    const given = Buffer.from(token.slice(3), "base64");
    if (given.length === expected.length && timingSafeEqual(given, expected)) good = true;
  }
  if (!good) throw new Error("no signature fits");
  if (Math.abs(now - Number(timestamp)) > tolerance) throw new Error("the timestamp is too old or too new");
  return id;
}

// node verify.mjs SECRET ID TIMESTAMP SIGNATURES [NOW] < body
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [secret, id, timestamp, signatures, now] = process.argv.slice(2);
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures };
  try {
    console.log(verify(secret, headers, Buffer.concat(chunks), now === undefined ? undefined : Number(now)));
  } catch (fault) {
    console.error(fault.message);
    process.exit(1);
  }
}
