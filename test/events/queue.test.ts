import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";

/** Sends events as the worker does, and keeps what the queue hands over. */
const WORKER = `
  import { createSinks } from "./src/events/sinks.ts";
  const kept = [];
  export default {
    async fetch(request, env) {
      if (request.method === "GET") return Response.json(kept);
      const setting = JSON.stringify([{ name: "orders", type: "queue", binding: "EVENTS" }]);
      const [sink] = createSinks(setting, env, false);
      await sink.send(await request.json());
      return new Response("sent");
    },
    async queue(batch) {
      kept.push(...batch.messages.map(({ body }) => body));
    },
  };`;

let mf: Miniflare;

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: WORKER, resolveDir: process.cwd(), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
  });
  const options = {
    name: "events",
    modules: [{ type: "ESModule", path: "worker.mjs", contents: outputFiles[0]?.text ?? "" }],
    compatibilityDate: "2026-10-23",
    queueProducers: { EVENTS: "events" },
    queueConsumers: { events: { maxBatchSize: 10, maxBatchTimeout: 0 } },
  };
  mf = new Miniflare(convertV4MiniflareOptions(options as never));
  await mf.ready;
});
afterAll(() => mf?.dispose());

test("an event goes into the queue that the binding names, as a CloudEvent", async () => {
  const event = {
    tenant: "default",
    runId: "run",
    id: "run/tell",
    workflow: "ship",
    type: "order.shipped",
    subject: null,
    data: { order: 7 },
    emittedAt: Date.UTC(2026, 0, 31, 12),
  };
  await mf.dispatchFetch("http://events.test", { method: "POST", body: JSON.stringify(event) });
  const kept = await eventually("the queue hands it over", async () => {
    const all = (await (await mf.dispatchFetch("http://events.test")).json()) as unknown[];
    return all.length > 0 ? all : undefined;
  });
  expect(kept).toEqual([
    {
      specversion: "1.0",
      id: "run/tell",
      source: "/pawl/ship/run",
      type: "order.shipped",
      time: "2026-01-31T12:00:00.000Z",
      pawlrunid: "run",
      pawltenant: "default",
      datacontenttype: "application/json",
      data: { order: 7 },
    },
  ]);
});
