import type { Agenda, Clock, Idle } from "../engine/ports.ts";

/** Two keys, so that a mark and what the cron says can never overwrite each other. */
const MARK = "mark";
const IDLE = "idle";
/** A namespace that does not answer must hold up no request. */
const PATIENCE_MS = 2_000;

/**
 * The agenda in Workers KV, as `[[kv_namespaces]]` binds it. A read may be a minute old, or more; a key takes one write a second,
 * and refuses those beyond with an error.
 */
export function createAgenda(kv: KVNamespace, clock: Clock): Agenda {
  return {
    async read() {
      const found = await within(clock, kv.get<unknown>([MARK, IDLE], "json"));
      const mark = found.get(MARK);
      const idle = found.get(IDLE);
      return { mark: typeof mark === "string" ? mark : null, idle: isIdle(idle) ? idle : null };
    },
    mark: (mark) => within(clock, kv.put(MARK, JSON.stringify(mark))),
    idle: (idle) => within(clock, kv.put(IDLE, JSON.stringify(idle))),
  };
}

/** What a person or another version has put there is no reason to be idle. */
function isIdle(value: unknown): value is Idle {
  if (typeof value !== "object" || value === null) return false;
  const { mark, from, until } = value as Record<string, unknown>;
  return typeof mark === "string" && typeof from === "number" && typeof until === "number";
}

async function within<T>(clock: Clock, work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = clock.sleep(PATIENCE_MS, over.signal).then(() => {
    throw new Error(`The agenda has not answered for ${PATIENCE_MS} ms.`);
  });
  late.catch(() => {});
  return Promise.race([work, late]).finally(() => over.abort());
}
