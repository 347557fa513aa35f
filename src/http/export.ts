/** All runs that a filter fits as one file, read page by page while it is sent: memory stays that of a page. */
import type { Context } from "hono";
import * as z from "zod";
import type { Reads, RunFilter } from "../engine/reads.ts";
import type { Run } from "../engine/run.ts";
import type { HttpEnv } from "./context.ts";
import { toCsvLine } from "./csv.ts";
import { checkQuery, type DeadLetterParameters, parametersOf, toFilter } from "./filter-query.ts";
import { isoOrNull, presentRun } from "./present.ts";
import type { Query } from "./query.ts";

/** A request may ask the database only so often. */
const PAGE = 1_000;
const EXPORT_LIMIT = 100_000;

const FORMATS = ["csv", "json"] as const;
type Format = (typeof FORMATS)[number];

const ExportQuery = z.strictObject({ format: z.enum(FORMATS) });

type ExportParameters = DeadLetterParameters & { format: Format };

export function exportQuery(
  of: "runs" | "deadLetters",
): Query<ExportParameters, { filter: RunFilter; format: Format }> {
  return async (c, next) => {
    const parameters = parametersOf(c.req.raw);
    const { format } = checkQuery(ExportQuery, { format: parameters.get("format") });
    parameters.delete("format");
    c.req.addValidatedData("query", { filter: toFilter(parameters, of), format });
    await next();
  };
}

/** The first page is read before the answer begins, so that what goes wrong there is answered as everywhere. */
export async function exportRuns(
  c: Context<HttpEnv>,
  list: Reads["runs"],
  filter: RunFilter,
  format: Format,
): Promise<Response> {
  const pages = readPages(c, list, filter);
  const first = await pages.next();
  const { type, write } = WRITERS[format];
  return new Response(toStream(write(allPages(first, pages))), {
    headers: { "Content-Type": type, "Content-Disposition": `attachment; filename="runs.${format}"` },
  });
}

type Pages = AsyncGenerator<readonly Run[], void>;

async function* readPages(c: Context<HttpEnv>, list: Reads["runs"], filter: RunFilter): Pages {
  const { tenant } = c.var.principal;
  let before: string | null = null;
  for (let left = EXPORT_LIMIT; left > 0; left -= PAGE) {
    const page: readonly Run[] = await list(tenant, filter, PAGE, before);
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    before = last.runId;
  }
}

async function* allPages(first: IteratorResult<readonly Run[], void>, pages: Pages): Pages {
  if (first.done === true) return;
  yield first.value;
  yield* pages;
}

const COLUMNS = [
  ...["id", "workflow", "version", "status", "created_at", "started_at", "finished_at", "duration_ms"],
  ...[
    "steps_done",
    "current_step",
    "failure_step",
    "failure_name",
    "failure_message",
    "tags",
    "idempotency_key",
  ],
];

async function* toCsv(pages: Pages): AsyncGenerator<string> {
  yield toCsvLine(COLUMNS);
  for await (const page of pages) yield page.map((run) => toCsvLine(cellsOf(run))).join("");
}

function cellsOf(run: Run): (string | number | null)[] {
  const { startedAt, finishedAt, failure } = run;
  const durationMs = startedAt === null || finishedAt === null ? null : finishedAt - startedAt;
  return [
    ...[run.runId, run.workflow, run.version, run.status],
    ...[isoOrNull(run.createdAt), isoOrNull(startedAt), isoOrNull(finishedAt), durationMs],
    ...[
      run.stepsDone,
      run.currentStep,
      failure?.step ?? null,
      failure?.name ?? null,
      failure?.message ?? null,
    ],
    ...[run.tags.join(" "), run.idempotencyKey],
  ];
}

async function* toJson(pages: Pages): AsyncGenerator<string> {
  let separator = "[\n";
  for await (const page of pages) {
    if (page.length === 0) continue;
    yield separator + page.map((run) => JSON.stringify(presentRun(run))).join(",\n");
    separator = ",\n";
  }
  yield separator === "[\n" ? "[]\n" : "\n]\n";
}

const WRITERS = {
  csv: { type: "text/csv; charset=utf-8", write: toCsv },
  json: { type: "application/json", write: toJson },
} as const;

/** An error on the way breaks the file off, which the client sees: it must not look whole. */
function toStream(parts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const utf8 = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await parts.next();
      if (done === true) controller.close();
      else controller.enqueue(utf8.encode(value));
    },
    cancel: async () => void (await parts.return(undefined)),
  });
}
