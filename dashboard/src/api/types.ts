/** What the API answers, told by the API's own types. Instants are ISO 8601 strings in UTC. */
import type { hc, InferResponseType } from "hono/client";
import type { Failure } from "../../../src/engine/failure.ts";
import type { Api } from "../../../src/http/app.ts";

type Routes = ReturnType<typeof hc<Api>>;
type Rest = Routes["api"];
type RunRoutes = Rest["runs"][":id"];
/** What a GET of this route answers when all is well. */
type Got<Route extends { $get: unknown }> = InferResponseType<Route["$get"], 200>;

export type Health = Got<Routes["healthz"]>;
export type Session = Got<Rest["session"]>;

/** The types of answers end where a type contains itself, as a failure does its cause. */
type WithFailure<T> = Omit<T, "failure"> & { readonly failure: Failure | null };

export type { Failure };

/** A run in a list: with the last thing that happened in it, and what it waits for. */
export type RunRow = WithFailure<Got<Rest["runs"]>["runs"][number]>;
export type RunPage = Omit<Got<Rest["runs"]>, "runs"> & { readonly runs: readonly RunRow[] };
export type RunDetail = WithFailure<Got<RunRoutes>>;
export type Run = WithFailure<InferResponseType<RunRoutes["rerun"]["$post"], 201>>;

export type JournalPage = Got<RunRoutes["timeline"]>;
/** One line of a journal, without its payload. */
export type Line = JournalPage["entries"][number];
export type Outcome = Line["outcome"];
/** The same with everything. */
export type WholeLine = WithFailure<Got<RunRoutes["journal"][":seq"]>>;
export type RunState = Got<RunRoutes["state"]>;

export type Counts = Got<Rest["runs"]["counts"]>;
export type CounterName = keyof Counts["counts"];
/** Counting stops at 10,000: then it is not exact. */
export type Count = Counts["counts"][CounterName];

export type Workflows = Got<Rest["workflows"]>;
export type Workflow = Workflows["workflows"][number];
export type WorkflowStats = Got<Rest["workflows"]["stats"]>;

export type Groups = Got<Rest["dead-letters"]["groups"]>;
export type Group = Groups["groups"][number];

export type ActionPage = Got<Rest["history"]>;
export type Action = ActionPage["actions"][number];

export type FilterQuery = Readonly<Record<string, string | readonly string[]>>;
type AnyBulk = Got<Rest["bulk"]>["bulks"][number];
export type Bulk = Omit<AnyBulk, "filter"> & { readonly filter: FilterQuery | null };
export type BulkPage = Omit<Got<Rest["bulk"]>, "bulks"> & { readonly bulks: readonly Bulk[] };
export type BulkVerb = Bulk["verb"];

/** What a bulk action is about: exactly one of them. */
export interface BulkTarget {
  readonly ids?: readonly string[];
  readonly runs?: FilterQuery;
  readonly deadLetters?: FilterQuery;
}

export type WaitNames = Got<Rest["waits"]["names"]>;
export type WaitPage = Got<Rest["waits"]>;
export type ChannelPage = Got<Rest["channels"]>;
export type System = Got<Rest["system"]>;

type AnyMetrics = Got<Rest["metrics"]>;
/** The instant gets lost where the API fills in buckets in which nothing happened. */
type Bucket<T> = T & { readonly at: string };
export type Metrics = Omit<AnyMetrics, "buckets" | "latency"> & {
  readonly buckets: readonly Bucket<AnyMetrics["buckets"][number]>[];
  readonly latency: readonly Bucket<AnyMetrics["latency"][number]>[];
};
