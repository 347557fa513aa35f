/** What `PAWL_EVENT_SINKS` may say, and what is said of what it must not. */
import { describe, expect, test } from "vitest";
import { whatIsMissing } from "../../src/env.ts";
import { createSinks } from "../../src/events/sinks.ts";

const SECRET = `whsec_${Buffer.from("x".repeat(32)).toString("base64")}`;
const EVENTS = { send: async () => {} };

const webhook = (fields: object = {}) => ({
  name: "billing",
  type: "webhook",
  url: "https://billing.example.com/events?from=pawl",
  secrets: [SECRET],
  ...fields,
});
const queue = (fields: object = {}) => ({ name: "orders", type: "queue", binding: "EVENTS", ...fields });
const create = (setting: unknown, local = false) => createSinks(JSON.stringify(setting), { EVENTS }, local);

test("without the setting there are no sinks", () => {
  expect(createSinks(undefined, {}, false)).toEqual([]);
  expect(createSinks(" ", {}, false)).toEqual([]);
});

test("a sink gets every type and twelve tries unless it says otherwise", () => {
  const sinks = create([webhook(), queue({ types: ["order.*", "invoice.paid"], attempts: 3 })]);
  expect(sinks).toMatchObject([
    { sink: "billing", types: ["*"], attempts: 12 },
    { sink: "orders", types: ["order.*", "invoice.paid"], attempts: 3 },
  ]);
});

describe("a setting that is wrong is refused by name, with all that the deployment serves", () => {
  test.each<[unknown, RegExp]>([
    [{}, /must be a JSON array/],
    [["a"], /must hold objects; number 1 is none/],
    [[{ type: "queue" }], /gives sink number 1 no name/],
    [[queue({ name: "Orders" })], /gives sink number 1 no name of lower-case letters/],
    [[queue(), queue()], /names the sink "orders" twice/],
    [[queue({ type: "topic" })], /"orders": its type must be "queue" or "webhook"/],
    [[queue({ type: "constructor" })], /its type must be/],
    [[queue({ url: "https://example.com" })], /a queue has no "url"/],
    [[webhook({ secret: SECRET })], /a webhook has no "secret"/],
    [[queue({ types: [] })], /its types must be a list/],
    [[queue({ types: "order.*" })], /its types must be a list/],
    [[queue({ types: ["*.paid"] })], /its types must be a list/],
    [[queue({ types: [""] })], /its types must be a list/],
    [[queue({ attempts: 0 })], /its attempts must be a whole number from 1 to 100/],
    [[queue({ attempts: 1.5 })], /its attempts/],
    [[queue({ binding: "NOTHING" })], /binds no queue as "NOTHING"/],
    [[queue({ binding: undefined })], /binds no queue as ""/],
    [[webhook({ secrets: [] })], /its secrets must be a list/],
    [[webhook({ secrets: undefined })], /its secrets must be a list/],
    [[webhook({ secrets: ["hunter2"] })], /its secrets must be a list/],
    [[webhook({ secrets: [`whsec_${btoa("short")}`] })], /its secrets must be a list/],
    [[webhook({ secrets: ["whsec_not base64!"] })], /its secrets must be a list/],
    [[webhook({ url: undefined })], /its url is not a URL/],
    [Array.from({ length: 21 }, (_, i) => queue({ name: `sink-${i}` })), /has more than 20 sinks/],
  ])("%j", (setting, sentence) => {
    expect(() => create(setting)).toThrow(sentence);
    expect(() => create(setting)).toThrow(/^The setting PAWL_EVENT_SINKS .*\.$/);
  });

  test("and the sentence quotes no secret, also when the setting is not JSON", () => {
    const settings = [
      `[{"name":"a","secrets":["${SECRET}"]`,
      JSON.stringify([webhook({ url: "http://a.com" })]),
    ];
    for (const setting of settings) {
      const sentence = whatIsMissing({
        WAKE_UPS: { sendBatch: async () => {} } as never,
        DATABASE_URL: "postgres://user:password@host/database",
        PAWL_ADMIN_TOKEN: "0123456789abcdef",
        PAWL_EVENT_SINKS: setting,
      });
      expect(sentence).toMatch(/^The setting PAWL_EVENT_SINKS /);
      expect(sentence).not.toContain("eHh4");
    }
  });
});

describe("a webhook's address", () => {
  test.each([
    "https://example.com",
    "https://hooks.example.com:8443/a/b?c=d",
    "https://EXAMPLE.com/",
    "https://xn--bcher-kva.example/",
    "https://bücher.example/",
    "https://127.0.0.1.example.com/",
    "https://localhost.example.com/",
  ])("%s is a public name", (url) => {
    expect(() => create([webhook({ url })])).not.toThrow();
  });

  test.each([
    "http://example.com",
    "ftp://example.com",
    "javascript:alert(1)",
    "data:text/plain,hello",
    "//example.com",
    "example.com",
    "https://",
    "https://127.0.0.1",
    "https://127.1",
    "https://127.0.0.1.",
    "https://2130706433",
    "https://0x7f000001",
    "https://0x7f.1",
    "https://0177.0.0.1",
    "https://017700000001",
    "https://10.0.0.1",
    "https://172.16.0.1",
    "https://192.168.1.1",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1",
    "https://8.8.8.8",
    "https://255.255.255.255",
    "https://0.0.0.0",
    "https://0",
    "https://①②⑦.⓪.⓪.①",
    "https://127。0。0。1",
    "https://[::1]",
    "https://[::ffff:7f00:1]",
    "https://[::ffff:127.0.0.1]",
    "https://[fe80::1]",
    "https://[fd00::1]",
    "https://[2606:4700::1111]",
    "https://localhost",
    "https://LOCALHOST",
    "https://localhost.",
    "https://app.localhost",
    "https://intranet",
    "https://db",
    "https://printer.local",
    "https://metadata.google.internal",
    "https://router.home.arpa",
    "https://nas.lan",
    "https://example.com.",
    "https://user@example.com",
    "https://user:password@example.com",
    "https://example.com@127.0.0.1",
    "https://127.0.0.1#@example.com",
    "https://127.0.0.1\\@example.com",
    "https://example.1",
    "https://-.com",
    "https://a_b.com",
    "http://127.0.0.1:8080",
    "http://localhost:8080",
  ])("%s is refused", (url) => {
    expect(() => create([webhook({ url })])).toThrow(/"billing": its url /);
  });

  test("may be this very machine in development, and nothing else that is not public", () => {
    for (const url of ["http://127.0.0.1:8080/hook", "http://localhost:8080"])
      expect(() => create([webhook({ url })], true)).not.toThrow();
    for (const url of ["https://127.0.0.1", "http://127.0.0.2", "http://10.0.0.1", "http://example.com"])
      expect(() => create([webhook({ url })], true)).toThrow(/its url/);
  });
});
