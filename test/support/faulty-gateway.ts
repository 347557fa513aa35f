/**
 * Stands between the worker and the Neon gateway. It knows each statement of Pawl's by its text, counts them,
 * and injects what a test asks for: before Postgres has seen it, or after Postgres answered and before the
 * worker is told.
 */
import { Agent, createServer, type IncomingMessage, request as post, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";

export type Verb =
  | "start"
  | "claim"
  | "claim suspect"
  | "commit"
  | "read back"
  | "renew"
  | "cancel"
  | "revive"
  | "discard"
  | "reclaim"
  | "collect"
  | "tick"
  | "timings"
  | "idle"
  | "next due"
  | "claim branches"
  | "commit branches"
  | "renew branch"
  | "start branch"
  | "reclaim branches"
  | "collect branches"
  | "match"
  | "publish"
  | "subscribe"
  | "signal"
  | "word"
  | "pause"
  | "resume"
  | "fork"
  | "events"
  | "hook"
  | "clean up"
  | "mutation"
  | "bulk"
  | "history"
  | "read journal"
  | "read delivery"
  | "read";

/** One request of the worker's. */
export interface Exchange {
  readonly verb: Verb;
  readonly queries: readonly { readonly query: string; readonly params: readonly unknown[] }[];
  /** How many rows each statement gave, once Postgres has answered. */
  rows: readonly number[];
  /** What the answer takes, in bytes. */
  bytes: number;
}

/** `cut` breaks the connection, `hang` never answers; nothing lets it pass. */
export type Fate = "cut" | "hang" | undefined;

export interface Fault {
  /** `any`: of all but the times that an isolate has measured, which it writes when it likes. */
  readonly on: "any" | Verb | readonly Verb[];
  /** `before`: Postgres never sees it. `after`: it is durable, and the worker is not told yet. */
  readonly when: "before" | "after";
  /** How often; once by default. */
  readonly times?: number;
  /** What happens then; it goes on when this resolves. */
  readonly act: (exchange: Exchange) => Fate | Promise<Fate>;
}

export interface Injection {
  readonly count: number;
  /** Resolves at the first time, before `act` is called. */
  readonly injected: Promise<Exchange>;
}

export interface FaultyGateway {
  readonly host: string;
  /** All requests that Postgres answered, in the order of the answers. */
  readonly answered: readonly Exchange[];
  count(verb: Verb): number;
  inject(fault: Fault): Injection;
  /** Forgets faults and counts, once what is under way has been answered. What hangs is cut. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** A statement is told by words that no other has. */
const MARKS: readonly (readonly [Verb, RegExp])[] = [
  ["next due", /as due_in_ms/],
  ["commit", /\bcommitted as \( update pawl\.runs/],
  ["fork", /forked_from, deployment, steps_done, journal_bytes\)/],
  ["start", /insert into pawl\.runs/],
  ["revive", /'revival', 'revived'/],
  ["cancel", /set status = 'cancelled'|'\{"status": "cancelled"/],
  ["claim branches", /update pawl\.branches b set turn = b\.turn \+ 1/],
  ["commit branches", /\btaken as \( delete from pawl\.branches|jsonb_build_object\('attempt'/],
  ["renew branch", /update pawl\.branches set lease_expires_at/],
  ["start branch", /update pawl\.branches set started/],
  ["reclaim branches", /lost_turns = b\.lost_turns \+ 1/],
  ["collect branches", /update pawl\.branches b set wake_up_sent_at = at\.now/],
  ["mutation", /insert into pawl\.mutations/],
  ["match", /'message'/],
  ["publish", /insert into pawl\.messages/],
  ["subscribe", /insert into pawl\.subscriptions|delete from pawl\.subscriptions where/],
  ["hook", /update pawl\.hooks/],
  ["clean up", /delete from pawl\.messages m using old/],
  ["signal", /, 'signal', /],
  ["word", /, 'person', /],
  ["pause", /set paused_at = pawl\.clock\(\)/],
  ["resume", /set paused_at = null, status/],
  ["claim", /r\.lost_turns = 0 order by/],
  ["claim suspect", /r\.lost_turns > 0 order by/],
  ["renew", /update pawl\.runs set lease_expires_at/],
  ["discard", /update pawl\.runs set discarded_at/],
  ["reclaim", /lost_turns = r\.lost_turns \+ 1/],
  ["collect", /set wake_up_sent_at = at\.now/],
  ["tick", /insert into pawl\.ticks/],
  ["timings", /insert into pawl\.(timings|sweeps)/],
  ["idle", /update pawl\.ticks/],
  ["events", /\bpawl\.outbox/],
  [
    "bulk",
    /(insert into|update) pawl\.bulk_actions|from pawl\.bulk_actions b where b\.tenant = \$1 and (b\.id|\(\$2)/,
  ],
  ["history", /insert into pawl\.actions/],
  ["read journal", /with recursive page/],
  ["read delivery", /as delivery from pawl\.deliveries/],
  ["read back", /^select .*"turn" int\) join pawl\.runs/],
];

function verbOf(queries: Exchange["queries"]): Verb {
  const text = queries.map(({ query }) => query.replace(/\s+/g, " ").trim()).join(";");
  const verb = MARKS.find(([, mark]) => mark.test(text))?.[0] ?? "read";
  // A new statement of Pawl's must get a mark, or no test can aim at it. A workflow's own statements need none.
  if (verb === "read" && /\b(insert into|update|delete from) pawl\./i.test(text))
    throw new Error(`unknown statement: ${text}`);
  return verb;
}

function isAimedAt({ on }: Fault, verb: Verb): boolean {
  return (on === "any" && verb !== "timings") || [on].flat().includes(verb);
}

/**
 * `remembers`: what it keeps of what was answered: all, all but the times that isolates have measured, or nothing, as a run
 * of many minutes must.
 */
export async function startFaultyGateway(
  upstream: string,
  { remembers = "all but timings" }: { readonly remembers?: "all" | "all but timings" | "nothing" } = {},
): Promise<FaultyGateway> {
  const answered: Exchange[] = [];
  let faults: (Fault & { left: number; strike: (exchange: Exchange) => void })[] = [];
  const hanging = new Set<ServerResponse>();
  const agent = new Agent({ keepAlive: true });

  const meet = async (when: Fault["when"], exchange: Exchange): Promise<Fate> => {
    const fault = faults.find((f) => f.when === when && f.left > 0 && isAimedAt(f, exchange.verb));
    if (fault === undefined) return undefined;
    fault.left -= 1;
    fault.strike(exchange);
    return fault.act(exchange);
  };

  const suffer = (fate: Fate, response: ServerResponse): boolean => {
    if (fate === "cut") response.destroy();
    if (fate === "hang") hanging.add(response);
    return fate !== undefined;
  };

  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    try {
      const body = await read(request);
      const payload = JSON.parse(body.toString());
      const queries: Exchange["queries"] = payload.queries ?? [payload];
      const exchange: Exchange = { verb: verbOf(queries), queries, rows: [], bytes: 0 };
      if (suffer(await meet("before", exchange), response)) return;
      const answer = await forward(upstream, agent, request, body);
      if (answer.status === 200) {
        const { results, ...only } = JSON.parse(answer.body.toString());
        exchange.bytes = answer.body.length;
        exchange.rows = (results ?? [only]).map((result: { rows: unknown[] }) => result.rows.length);
        if (remembers === "all" || (remembers === "all but timings" && exchange.verb !== "timings"))
          answered.push(exchange);
        if (suffer(await meet("after", exchange), response)) return;
      }
      response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
    } catch (error) {
      response.destroy(error as Error);
    }
  };

  const underWay = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const passing = pass(request, response).finally(() => underWay.delete(passing));
    underWay.add(passing);
  });
  // Transactions of workflows go through unread.
  server.on("upgrade", (request, socket, head) => {
    const [host, port] = upstream.split(":");
    const onward = connect(Number(port), host);
    onward.write(`GET ${request.url} HTTP/1.1\r\n`);
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      onward.write(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}\r\n`);
    onward.write("\r\n");
    onward.write(head);
    onward.pipe(socket).pipe(onward);
    for (const end of [onward, socket]) {
      end.on("error", () => {});
      end.on("close", () => [onward, socket].map((each) => each.destroy()));
    }
  });
  // A kept connection that closes while the worker sends on it would look like a fault nobody injected.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const reset = async () => {
    faults = [];
    for (const response of hanging) response.destroy();
    hanging.clear();
    await Promise.all(underWay);
    answered.length = 0;
  };
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    answered,
    count: (verb) => answered.filter((exchange) => exchange.verb === verb).length,
    inject(fault) {
      const first = Promise.withResolvers<Exchange>();
      let count = 0;
      const strike = (exchange: Exchange) => {
        count += 1;
        first.resolve(exchange);
      };
      faults.push({ ...fault, left: fault.times ?? 1, strike });
      return {
        get count() {
          return count;
        },
        injected: first.promise,
      };
    },
    reset,
    async stop() {
      await reset();
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function forward(
  upstream: string,
  agent: Agent,
  { headers }: IncomingMessage,
  body: Buffer,
): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const { "transfer-encoding": _, connection: __, host: ___, ...rest } = headers;
    const outgoing = post(`http://${upstream}/sql`, {
      method: "POST",
      agent,
      headers: { ...rest, "content-length": body.length },
    });
    outgoing.once("response", (incoming) =>
      read(incoming).then((bytes) => resolve({ status: incoming.statusCode ?? 500, body: bytes }), reject),
    );
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}
