/**
 * One valid request for each route, as full as it can be: what is tested of every route starts from these. A new route
 * needs a line here, and is then covered.
 */
import type { createApp } from "../../src/http/app.ts";
import { RUN_ID, TOKEN } from "./support.ts";

export interface Sample {
  readonly path: string;
  /** What is posted: every field that the route knows, or `{}` where it takes nothing. */
  readonly body?: unknown;
  /** Headers of the route's own. */
  readonly given?: Readonly<Record<string, string>>;
}

const VALUE = { note: "text", list: [1, "two", null] };

export const SAMPLES: Readonly<Record<string, Sample>> = {
  "GET /healthz": { path: "/healthz" },
  "POST /api/session": { path: "/api/session", body: { token: TOKEN } },
  "GET /api/session": { path: "/api/session" },
  "DELETE /api/session": { path: "/api/session", body: {} },
  "GET /api/workflows": { path: "/api/workflows" },
  "GET /api/workflows/stats": { path: "/api/workflows/stats" },
  "GET /api/waits": { path: "/api/waits" },
  "GET /api/waits/names": { path: "/api/waits/names" },
  "GET /api/system": { path: "/api/system" },
  "GET /api/metrics": { path: "/api/metrics" },
  "GET /metrics": { path: "/metrics" },
  "POST /api/workflows/:name/runs": {
    path: "/api/workflows/echo/runs",
    body: {
      input: VALUE,
      tags: ["vip"],
      delay: "1 hour",
      deadline: { hours: 2 },
      version: 1,
      signal: { name: "paid", payload: VALUE, id: "s-1" },
    },
    given: { "idempotency-key": "k-1" },
  },
  "POST /api/workflows/:name/:verb{runs:batch}": {
    path: "/api/workflows/echo/runs:batch",
    body: {
      runs: [
        {
          input: VALUE,
          tags: ["vip"],
          startAt: "2030-01-01T00:00:00Z",
          deadline: "2030-01-02T00:00:00Z",
          version: 1,
          idempotencyKey: "k-2",
        },
      ],
    },
  },
  "GET /api/runs": { path: "/api/runs" },
  "GET /api/runs/counts": { path: "/api/runs/counts" },
  "GET /api/runs/export": { path: "/api/runs/export?format=json" },
  "GET /api/runs/:id": { path: `/api/runs/${RUN_ID}` },
  "GET /api/runs/:id/journal": { path: `/api/runs/${RUN_ID}/journal` },
  "GET /api/runs/:id/journal/:seq": { path: `/api/runs/${RUN_ID}/journal/1` },
  "GET /api/runs/:id/timeline": { path: `/api/runs/${RUN_ID}/timeline` },
  "GET /api/runs/:id/result": { path: `/api/runs/${RUN_ID}/result` },
  "POST /api/runs/:id/cancel": { path: `/api/runs/${RUN_ID}/cancel`, body: { compensate: true } },
  "GET /api/runs/:id/children": { path: `/api/runs/${RUN_ID}/children` },
  "GET /api/runs/:id/state": { path: `/api/runs/${RUN_ID}/state` },
  "GET /api/runs/:id/state/:key": { path: `/api/runs/${RUN_ID}/state/phase` },
  "POST /api/runs/:id/pause": { path: `/api/runs/${RUN_ID}/pause`, body: {} },
  "POST /api/runs/:id/resume": { path: `/api/runs/${RUN_ID}/resume`, body: {} },
  "POST /api/runs/:id/signals/:name": {
    path: `/api/runs/${RUN_ID}/signals/paid`,
    body: { payload: VALUE, id: "s-2" },
  },
  "POST /api/runs/:id/steps/:key/resolve": {
    path: `/api/runs/${RUN_ID}/steps/charge/resolve`,
    body: { outcome: "done", output: VALUE },
  },
  "POST /api/runs/:id/steps": {
    path: `/api/runs/${RUN_ID}/steps`,
    body: {
      gate: "gate",
      steps: [
        {
          name: "a",
          handler: "work",
          payload: VALUE,
          after: ["first", { step: "second", release: "onSuccess" }],
          priority: 1,
          maxAttempts: 2,
          timeout: "1 minute",
          stage: "extra",
          tenant: "default",
        },
      ],
    },
    given: { "mutation-key": "m-1" },
  },
  "POST /api/runs/:id/rerun": {
    path: `/api/runs/${RUN_ID}/rerun`,
    body: { input: VALUE, from: "charge" },
    given: { "idempotency-key": "k-3" },
  },
  "POST /api/runs/:id/fork": {
    path: `/api/runs/${RUN_ID}/fork`,
    body: { from: "charge", version: 1 },
    given: { "idempotency-key": "k-4" },
  },
  "GET /api/runs/:id/history": { path: `/api/runs/${RUN_ID}/history` },
  "POST /api/runs/:id/notes": { path: `/api/runs/${RUN_ID}/notes`, body: { note: "looked at it" } },
  "GET /api/history": { path: "/api/history" },
  "GET /api/bulk": { path: "/api/bulk" },
  "POST /api/bulk": {
    path: "/api/bulk",
    body: {
      verb: "cancel",
      runs: { workflow: "echo", status: "ready,running", tag: ["vip"], "input.a": "1" },
      compensate: true,
      rate: 5,
      note: "wrong prices",
      dryRun: false,
    },
    given: { "idempotency-key": "k-5" },
  },
  "GET /api/bulk/:id": { path: `/api/bulk/${RUN_ID}` },
  "POST /api/bulk/:id/abort": { path: `/api/bulk/${RUN_ID}/abort`, body: {} },
  "POST /hooks/:token": { path: `/hooks/${"A".repeat(43)}`, body: VALUE },
  "GET /api/channels": { path: "/api/channels" },
  "POST /api/channels/:name/messages": {
    path: "/api/channels/news/messages",
    body: { payload: VALUE, id: "m-2", to: RUN_ID },
  },
  "GET /api/groups/:name": { path: "/api/groups/crew" },
  "POST /api/groups/:name/signals/:signal": {
    path: "/api/groups/crew/signals/go",
    body: { payload: VALUE, id: "s-3" },
  },
  "GET /api/events": { path: "/api/events" },
  "POST /api/events/:id/redeliver": { path: `/api/events/${RUN_ID}%2Ftell/redeliver`, body: {} },
  "GET /api/dead-letters": { path: "/api/dead-letters" },
  "GET /api/dead-letters/export": { path: "/api/dead-letters/export?format=csv" },
  "GET /api/dead-letters/groups": { path: "/api/dead-letters/groups" },
  "POST /api/dead-letters/:id/revive": { path: `/api/dead-letters/${RUN_ID}/revive`, body: {} },
  "POST /api/dead-letters/:id/discard": { path: `/api/dead-letters/${RUN_ID}/discard`, body: {} },
};

/** `SAMPLES` as requests without a token. */
export const REQUESTS = Object.entries(SAMPLES).map(([route, { path, body, given }]) => {
  const method = route.split(" ")[0] ?? "";
  const headers: Record<string, string> = {
    ...given,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  return {
    route,
    path,
    init: { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) },
  };
});

/** The routes that anybody may call. */
export const PUBLIC_ROUTES: ReadonlySet<string> = new Set([
  "GET /healthz",
  "POST /hooks/:token",
  "POST /api/session",
]);

/** The routes that are answered without the database. */
export const WITHOUT_DATABASE: ReadonlySet<string> = new Set([
  "GET /api/workflows",
  "POST /api/session",
  "GET /api/session",
  "DELETE /api/session",
]);

/** What a token that may only read is refused: everything that changes something, but for signing out. */
export function isChanging(route: string): boolean {
  return !route.startsWith("GET ") && route !== "DELETE /api/session" && !PUBLIC_ROUTES.has(route);
}

/** Every route of the app, as the samples name them. */
export function routesOf({ routes }: ReturnType<typeof createApp>): string[] {
  const named = routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path}`);
  return [...new Set(named)];
}

/** A path in every odd way of writing it that has opened some server's door. The first is the path itself. */
export function spellingsOf(path: string): string[] {
  const middle = path.indexOf("/", 1) > 0 ? path.indexOf("/", 1) : 1;
  const [head, rest] = [path.slice(0, middle), path.slice(middle)];
  const appended = [
    "/",
    "//",
    ";",
    ";/healthz",
    "%00",
    "%2f",
    "%20",
    "%3f",
    "%23",
    "%2e",
    ".json",
    "/.",
  ].concat(
    ["/configs", "/healthz", "/%2e", "/..", "/%2e%2e", "/..;/", "%2f..%2f..%2fhealthz", "/../healthz"],
    [
      "%",
      "%zz",
      "%ff",
      "%c0%ae",
      "%ed%a0%80",
      "%0d%0aX-Injected:%201",
      "?/healthz",
      "?x=/healthz",
      "#/healthz",
    ],
  );
  const prefixed = [
    "/",
    "//",
    "/.",
    "/x/..",
    "/healthz/..",
    "/healthz%2f..",
    "/%2e%2e",
    "/healthz;",
    "/hooks",
  ];
  return [
    path,
    ...appended.map((odd) => path + odd),
    ...prefixed.map((odd) => odd + path),
    ...["//", "/./", "/%2e/", "\\", ";a=b/", "%2f"].map((slash) => head + rest.replace("/", slash)),
    path.toUpperCase(),
    path.replace(/[a-z]/, (letter) => letter.toUpperCase()),
    path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
    path.replace(/[a-z]/, (letter) => `%25${letter.charCodeAt(0).toString(16)}`),
    path.replace("s", "\u017f"),
  ];
}
