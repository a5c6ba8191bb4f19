// Holds deliveries against the published package `standardwebhooks` for JavaScript: reads a list of
// { secret, raw, body, headers } as JSON, writes what came of each, the event or the reason, as JSON.
const { readFileSync } = require("node:fs");
const { Webhook } = require("standardwebhooks");

function judged({ secret, raw, body, headers }) {
  try {
    return new Webhook(secret, raw ? { format: "raw" } : undefined).verify(body, headers);
  } catch (reason) {
    return reason.message;
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0)).map(judged)));
