// Checks ed25519 signatures with Node's own crypto and the raw public key, as the specification says: reads a
// list of { key, body, headers } as JSON, writes true or false for each, as JSON.
const { createPublicKey, verify } = require("node:crypto");
const { readFileSync } = require("node:fs");

const SPKI = Buffer.from("302a300506032b6570032100", "hex"); // RFC 8410: what goes before the 32 bytes

function good({ key, body, headers }) {
  const raw = Buffer.from(key.replace("whpk_", ""), "base64");
  const known = createPublicKey({ key: Buffer.concat([SPKI, raw]), format: "der", type: "spki" });
  const signed = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  const given = headers["webhook-signature"].split(" ").filter((each) => each.startsWith("v1a,"));
  return given.some((each) => verify(null, signed, known, Buffer.from(each.slice(4), "base64")));
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0)).map(good)));
