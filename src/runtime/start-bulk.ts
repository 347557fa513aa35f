import { type Bulk, type BulkSource, type BulkVerb, STATUSES_OF } from "../engine/bulk.ts";
import type { Matching } from "../engine/overview.ts";
import { BulkNotFound, BulkOver } from "../engine/refusals.ts";
import type { Runtime } from "./runtime.ts";

export interface BulkRequest {
  readonly verb: BulkVerb;
  readonly source: BulkSource;
  readonly asked: Readonly<Record<string, unknown>> | null;
  readonly compensate: boolean;
  readonly rate: number;
  readonly note: string | null;
  readonly by: string;
  readonly idempotencyKey: string | null;
}

/** How many runs it would take in, and some of them. Nothing is done. */
export async function previewBulk(
  runtime: Runtime,
  tenant: string,
  { verb, source }: Pick<BulkRequest, "verb" | "source">,
): Promise<Matching> {
  const narrowed = narrow(verb, source);
  if (narrowed.kind === "ids") {
    return { matching: { count: narrowed.ids.length, exact: true }, sampleIds: narrowed.ids.slice(0, 10) };
  }
  return runtime.overview.matching(tenant, narrowed.kind, narrowed.filter);
}

/** Notes a bulk action; the sweeps take it from there, the first at once. */
export async function startBulk(
  runtime: Runtime,
  tenant: string,
  request: BulkRequest,
): Promise<{ readonly bulk: Bulk; readonly created: boolean }> {
  const source = narrow(request.verb, request.source);
  const { matching } = await previewBulk(runtime, tenant, request);
  const started = await runtime.bulks.start(tenant, { ...request, source, matching, id: runtime.newRunId() });
  await runtime.wakeUps
    .sweepAgain("bulk")
    .catch((error: unknown) => runtime.report("asking for the first share of a bulk action", error));
  return started;
}

/** Aborting what is aborted is fine. Throws `BulkNotFound`, `BulkOver`. */
export async function abortBulk(runtime: Runtime, tenant: string, id: string): Promise<Bulk> {
  const bulk = await runtime.bulks.abort(tenant, id);
  if (bulk === null) throw new BulkNotFound(id);
  if (bulk.status !== "aborted") throw new BulkOver(id);
  return bulk;
}

/** Only the runs that the verb does something to: what is counted beforehand is then what will be moved. */
function narrow(verb: BulkVerb, source: BulkSource): BulkSource {
  const allowed = STATUSES_OF[verb];
  if (source.kind === "ids") return { kind: "ids", ids: [...new Set(source.ids)] };
  const asked = source.filter.statuses;
  if (allowed === undefined) return source;
  const statuses = asked === undefined ? allowed : asked.filter((status) => allowed.includes(status));
  return { ...source, filter: { ...source.filter, statuses } };
}
