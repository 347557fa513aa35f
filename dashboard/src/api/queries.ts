/** What the pages ask, by name. Each question keeps its last answer, and is asked again as `models/polling.ts` and `live.ts` say. */
import { keepPreviousData, QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { BADGE_MS, bulkInterval, listInterval, runInterval, SLOW_MS } from "../models/polling.ts";
import { ApiError, get, getText, type Query } from "./request.ts";
import type {
  ActionPage,
  Bulk,
  BulkPage,
  ChannelPage,
  Counts,
  Groups,
  Health,
  JournalPage,
  Line,
  Metrics,
  RunDetail,
  RunPage,
  RunState,
  Session,
  System,
  WaitNames,
  WaitPage,
  WholeLine,
  WorkflowStats,
  Workflows,
} from "./types.ts";

const LONGEST_PAUSE_MS = 15_000;
const JOURNAL_PAGE = "1000";

/** What may pass is tried until it has; anything else is shown at once. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: "always",
      retry: (_count, error) => error instanceof ApiError && error.passing,
      retryDelay: (count) => Math.min(1_000 * 2 ** count, LONGEST_PAUSE_MS),
    },
    mutations: { networkMode: "always" },
  },
});

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }) => {
    try {
      return await get<Session>("/api/session", {}, signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: Number.POSITIVE_INFINITY,
});

/** Nobody is signed in any more: what was shown is forgotten. */
export function endSession(): void {
  queryClient.setQueryData(sessionQuery.queryKey, null);
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" });
}

/** A page of runs or of dead letters. */
export function useRunPage(path: "/api/runs" | "/api/dead-letters", query: Query) {
  return useQuery({
    queryKey: [path, query],
    queryFn: ({ signal }) => get<RunPage>(path, query, signal),
    refetchInterval: ({ state }) => listInterval(state.data?.runs.map(({ status }) => status) ?? []),
    placeholderData: keepPreviousData,
  });
}

export function useCounts(query: Query) {
  return useQuery({
    queryKey: ["/api/runs", "counts", query],
    queryFn: ({ signal }) => get<Counts>("/api/runs/counts", query, signal),
    refetchInterval: SLOW_MS,
    placeholderData: keepPreviousData,
  });
}

export function useRun(id: string) {
  return useQuery({
    queryKey: ["run", id],
    queryFn: ({ signal }) => getText<RunDetail>(`/api/runs/${encodeURIComponent(id)}`, {}, signal),
    refetchInterval: ({ state }) => runInterval(state.data?.body.status),
  });
}

/** A journal without its payloads, asked for what is new when the run has another `version`. */
export function useJournal(id: string, version: string | undefined) {
  return useQuery({
    queryKey: [...journalKey(id), version],
    queryFn: ({ signal }) => readOn(id, knownJournal(id), signal),
    enabled: version !== undefined,
    // Until the new one is there the old one stays, but never that of another run.
    placeholderData: (previous, query) => (query?.queryKey[1] === id ? previous : undefined),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 10_000,
  });
}

/** Of journals longer than this the page shows the beginning. */
const JOURNAL_LIMIT = 5_000;

interface Journal {
  readonly lines: readonly Line[];
  readonly whole: boolean;
}

const NOTHING_KNOWN: Journal = { lines: [], whole: false };

const journalKey = (id: string) => ["run", id, "journal"] as const;

/** The longest of those that were read: lines are never changed, and none comes in between. */
function knownJournal(id: string): Journal {
  return queryClient
    .getQueriesData<Journal>({ queryKey: journalKey(id) })
    .reduce((most, [, each]) => (each && each.lines.length > most.lines.length ? each : most), NOTHING_KNOWN);
}

async function readOn(id: string, known: Journal, signal: AbortSignal): Promise<Journal> {
  if (known.lines.length >= JOURNAL_LIMIT && !known.whole) return known;
  const lines = [...known.lines];
  let whole: boolean;
  do {
    const query = { limit: JOURNAL_PAGE, after: String(lines.at(-1)?.seq ?? 0) };
    const page = await get<JournalPage>(`/api/runs/${encodeURIComponent(id)}/timeline`, query, signal);
    lines.push(...page.entries);
    whole = page.nextCursor === null;
  } while (!whole && lines.length < JOURNAL_LIMIT);
  return { lines, whole };
}

/** One line with its payload. */
export function useLine(id: string, seq: number | null) {
  return useQuery({
    queryKey: ["run", id, "line", seq],
    queryFn: ({ signal }) =>
      getText<WholeLine>(`/api/runs/${encodeURIComponent(id)}/journal/${seq}`, {}, signal),
    enabled: seq !== null,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function useRunState(id: string, live: boolean) {
  return useQuery({
    queryKey: ["run", id, "state"],
    queryFn: ({ signal }) => getText<RunState>(`/api/runs/${encodeURIComponent(id)}/state`, {}, signal),
    refetchInterval: live ? SLOW_MS : false,
  });
}

export function useChildren(id: string, cursor: string | undefined) {
  return useQuery({
    queryKey: ["run", id, "children", cursor],
    queryFn: ({ signal }) => get<RunPage>(`/api/runs/${encodeURIComponent(id)}/children`, { cursor }, signal),
    placeholderData: keepPreviousData,
  });
}

/** What people did, to one run or to all. */
export function useHistory(id: string | null, cursor?: string) {
  const path = id === null ? "/api/history" : `/api/runs/${encodeURIComponent(id)}/history`;
  return useQuery({
    queryKey: id === null ? ["history", cursor] : ["run", id, "history", cursor],
    queryFn: ({ signal }) => get<ActionPage>(path, { cursor }, signal),
    placeholderData: keepPreviousData,
  });
}

export function useWorkflows() {
  return useQuery({
    queryKey: ["workflows"],
    queryFn: ({ signal }) => get<Workflows>("/api/workflows", {}, signal),
    staleTime: SLOW_MS,
  });
}

export function useWorkflowStats(range: string) {
  return useQuery({
    queryKey: ["workflows", "stats", range],
    queryFn: ({ signal }) => get<WorkflowStats>("/api/workflows/stats", { range }, signal),
    refetchInterval: BADGE_MS,
    placeholderData: keepPreviousData,
  });
}

export function useGroups(query: Query) {
  return useQuery({
    queryKey: ["/api/dead-letters", "groups", query],
    queryFn: ({ signal }) => get<Groups>("/api/dead-letters/groups", query, signal),
    refetchInterval: SLOW_MS,
    placeholderData: keepPreviousData,
  });
}

export function useBulk(id: string) {
  return useQuery({
    queryKey: ["bulk", id],
    queryFn: ({ signal }) => get<Bulk>(`/api/bulk/${encodeURIComponent(id)}`, {}, signal),
    refetchInterval: ({ state }) => bulkInterval(state.data?.status),
  });
}

export function useBulks(cursor: string | undefined) {
  return useQuery({
    queryKey: ["bulk", "list", cursor],
    queryFn: ({ signal }) => get<BulkPage>("/api/bulk", { cursor }, signal),
    refetchInterval: SLOW_MS,
    placeholderData: keepPreviousData,
  });
}

export function useWaitNames() {
  return useQuery({
    queryKey: ["waits", "names"],
    queryFn: ({ signal }) => get<WaitNames>("/api/waits/names", {}, signal),
    refetchInterval: SLOW_MS,
  });
}

export function useWaits(query: Query) {
  return useQuery({
    queryKey: ["waits", query],
    queryFn: ({ signal }) => get<WaitPage>("/api/waits", query, signal),
    placeholderData: keepPreviousData,
    refetchInterval: SLOW_MS,
  });
}

export function useChannels(cursor: string | undefined) {
  return useQuery({
    queryKey: ["channels", cursor],
    queryFn: ({ signal }) => get<ChannelPage>("/api/channels", { cursor }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: SLOW_MS,
  });
}

export function useSystem() {
  return useQuery({
    queryKey: ["system"],
    queryFn: ({ signal }) => get<System>("/api/system", {}, signal),
    refetchInterval: SLOW_MS,
  });
}

export function useMetrics(query: Query) {
  return useQuery({
    queryKey: ["metrics", query],
    queryFn: ({ signal }) => get<Metrics>("/api/metrics", query, signal),
    refetchInterval: BADGE_MS,
    placeholderData: keepPreviousData,
  });
}

/** Public; says when the cron last ticked. */
export function useHealth() {
  return useQuery({
    queryKey: ["health"],
    queryFn: ({ signal }) => get<Health>("/healthz", {}, signal),
    refetchInterval: BADGE_MS,
  });
}
