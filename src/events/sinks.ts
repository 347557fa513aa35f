/** Where events go: what `PAWL_EVENT_SINKS` says, checked as a whole before the deployment serves anything. */
import type { EventSink } from "../engine/ports.ts";
import { createQueueSink, isQueue } from "./queue.ts";
import { checkUrl } from "./url.ts";
import { createWebhook, readSecret } from "./webhook.ts";

/** From the first try to the twelfth it takes some two and a half hours. */
const ATTEMPTS = 12;
const MOST_ATTEMPTS = 100;
const MOST_SINKS = 20;

const NAME = /^[a-z0-9][a-z0-9_-]{0,49}$/;
const TYPE = /^[\x21-\x29\x2b-\x7e]{0,199}\*?$/;

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  queue: ["name", "type", "types", "attempts", "binding"],
  webhook: ["name", "type", "types", "attempts", "url", "secrets"],
};

type Fields = Readonly<Record<string, unknown>>;

/** `bindings` holds the queues; `local` allows plain HTTP to this very machine. Throws a `TypeError` that says what is wrong. */
export function createSinks(setting: string | undefined, bindings: object, local: boolean): EventSink[] {
  if (setting === undefined || setting.trim() === "") return [];
  const given = parse(setting);
  if (!Array.isArray(given)) throw wrong("must be a JSON array of sinks");
  if (given.length > MOST_SINKS) throw wrong(`has more than ${MOST_SINKS} sinks`);
  const sinks = given.map((fields: unknown, i) => createSink(fields, i, bindings, local));
  const names = sinks.map(({ sink }) => sink);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw wrong(`names the sink "${twice}" twice`);
  return sinks;
}

function parse(setting: string): unknown {
  try {
    return JSON.parse(setting);
  } catch {
    // The parser's own message would quote the setting, and with it its secrets.
    throw wrong("is not JSON");
  }
}

function createSink(given: unknown, i: number, bindings: object, local: boolean): EventSink {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrong(`must hold objects; number ${i + 1} is none`);
  }
  const fields = given as Fields;
  const { name, type, types = ["*"], attempts = ATTEMPTS } = fields;
  if (typeof name !== "string" || !NAME.test(name)) {
    throw wrong(`gives sink number ${i + 1} no name of lower-case letters, digits, "-" and "_", at most 50`);
  }
  const problem = (what: string) => wrong(`is wrong about sink "${name}": ${what}`);
  const known = typeof type === "string" && Object.hasOwn(FIELDS, type) ? FIELDS[type] : undefined;
  if (known === undefined) throw problem('its type must be "queue" or "webhook"');
  const unknown = Object.keys(fields).find((field) => !known.includes(field));
  if (unknown !== undefined) throw problem(`a ${type} has no "${unknown}"`);
  if (!isListOf(types, (each) => each !== "" && TYPE.test(each)) || types.length === 0) {
    throw problem('its types must be a list such as ["order.shipped", "invoice.*"]');
  }
  if (!Number.isInteger(attempts) || Number(attempts) < 1 || Number(attempts) > MOST_ATTEMPTS) {
    throw problem(`its attempts must be a whole number from 1 to ${MOST_ATTEMPTS}`);
  }
  const send = type === "queue" ? queueOf(fields, bindings, problem) : webhookOf(fields, local, problem);
  return { sink: name, types, attempts: Number(attempts), send };
}

function queueOf(
  { binding }: Fields,
  bindings: object,
  problem: (what: string) => TypeError,
): EventSink["send"] {
  const queue = typeof binding === "string" ? (bindings as Fields)[binding] : undefined;
  if (!isQueue(queue)) {
    throw problem(
      `wrangler.toml binds no queue as ${JSON.stringify(binding ?? "")}, which its binding must name`,
    );
  }
  return createQueueSink(queue);
}

function webhookOf(
  { url, secrets }: Fields,
  local: boolean,
  problem: (what: string) => TypeError,
): EventSink["send"] {
  const refused = checkUrl(url, local);
  if (refused !== null) throw problem(`its url ${refused}`);
  if (!isListOf(secrets, (each) => readSecret(each) !== null) || secrets.length === 0) {
    throw problem('its secrets must be a list of "whsec_" and 24 to 64 bytes in base64, the newest first');
  }
  return createWebhook(
    String(url),
    secrets.flatMap((secret) => readSecret(secret) ?? []),
  );
}

function isListOf(value: unknown, test: (each: string) => boolean): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string" && test(each));
}

function wrong(what: string): TypeError {
  return new TypeError(`The setting PAWL_EVENT_SINKS ${what}.`);
}
