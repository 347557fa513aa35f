/** What a person can do. Each brings everything that it may have changed up to date. */
import { useMutation } from "@tanstack/react-query";
import { endSession, queryClient, sessionQuery } from "./queries.ts";
import { ApiError, post, postText, remove } from "./request.ts";
import type { Action, Bulk, BulkTarget, BulkVerb, Count, Run, RunDetail, Session } from "./types.ts";

const run = (id: string) => `/api/runs/${encodeURIComponent(id)}`;

export async function signIn(token: string): Promise<void> {
  queryClient.setQueryData(sessionQuery.queryKey, await post<Session>("/api/session", { token }));
}

export async function signOut(): Promise<void> {
  await remove("/api/session");
  endSession();
}

export const cancelRun = (id: string, compensate: boolean) =>
  post<RunDetail>(`${run(id)}/cancel`, { compensate });
export const pauseRun = (id: string) => post<RunDetail>(`${run(id)}/pause`);
export const resumeRun = (id: string) => post<RunDetail>(`${run(id)}/resume`);
export const reviveRun = (id: string) =>
  post<RunDetail>(`/api/dead-letters/${encodeURIComponent(id)}/revive`);
export const discardRun = (id: string) =>
  post<RunDetail>(`/api/dead-letters/${encodeURIComponent(id)}/discard`);
export const addNote = (id: string, note: string) => post<Action>(`${run(id)}/notes`, { note });
export const abortBulk = (id: string) => post<Bulk>(`/api/bulk/${encodeURIComponent(id)}/abort`);

/** The same `once` is the same signal, also when its answer was lost and it is sent again. */
export function sendSignal(id: string, name: string, payload: string, once: string): Promise<unknown> {
  const json = `{"id":${JSON.stringify(once)}${payload.trim() === "" ? "" : `,"payload":${payload}`}}`;
  return postText(`${run(id)}/signals/${encodeURIComponent(name)}`, json);
}

export function resolveStep(id: string, key: string, output: string | null): Promise<unknown> {
  const done = output?.trim() === "" ? '{"outcome":"done"}' : `{"outcome":"done","output":${output}}`;
  return postText(
    `${run(id)}/steps/${encodeURIComponent(key)}/resolve`,
    output === null ? '{"outcome":"again"}' : done,
  );
}

export interface Rerun {
  /** JSON text in place of the run's input. */
  readonly input?: string;
  readonly from?: string;
  /** Of the workflow; given, it is a fork. */
  readonly version?: number;
}

export function rerunRun(id: string, { input, from, version }: Rerun, once: string): Promise<Run> {
  const headers = { "idempotency-key": once };
  if (version !== undefined) return post(`${run(id)}/fork`, { from, version }, headers);
  const members = [
    input === undefined ? [] : [`"input":${input}`],
    from === undefined ? [] : [`"from":${JSON.stringify(from)}`],
  ];
  return postText(`${run(id)}/rerun`, `{${members.flat().join(",")}}`, headers);
}

export interface Start {
  readonly workflow: string;
  readonly version: number;
  readonly input: string;
  readonly tags: readonly string[];
}

export function startRun({ workflow, version, input, tags }: Start, once: string): Promise<Run> {
  const rest = JSON.stringify({ version, tags }).slice(1);
  return postText(`/api/workflows/${encodeURIComponent(workflow)}/runs`, `{"input":${input},${rest}`, {
    "idempotency-key": once,
  });
}

export interface NewBulk extends BulkTarget {
  readonly verb: BulkVerb;
  readonly compensate?: boolean;
  readonly rate?: number;
  readonly note?: string;
}

export const startBulk = (bulk: NewBulk, once: string) =>
  post<Bulk>("/api/bulk", bulk, { "idempotency-key": once });

export interface DryRun {
  readonly matching: Count;
  readonly sampleIds: readonly string[];
}

export const tryBulk = (bulk: NewBulk) => post<DryRun>("/api/bulk", { ...bulk, dryRun: true });

/** Does something, then asks anew for all that is shown. */
export function useAction<T, In = void>(act: (input: In) => Promise<T>, done?: (result: T) => void) {
  return useMutation({
    mutationFn: act,
    ...(done && { onSuccess: done }),
    onError: (error) => {
      if (error instanceof ApiError && error.status === 401) endSession();
    },
    onSettled: () =>
      queryClient.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" }),
  });
}
