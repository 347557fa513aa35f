/** Pages of what is not a list of runs. */
import type { MiddlewareHandler } from "hono";
import * as z from "zod";
import type { HttpEnv } from "./context.ts";
import { runCursor } from "./cursor.ts";
import { problemsOf } from "./fields.ts";
import { InvalidCursor, InvalidRequest } from "./refusals.ts";

const PAGE_DEFAULT = 25;
const PAGE_LIMIT = 100;

interface Page {
  readonly limit: number;
  /** What the last page ended with; empty for the first. */
  readonly after: string;
}

type PageQuery = MiddlewareHandler<
  HttpEnv,
  string,
  { in: { query: { limit?: string; cursor?: string } }; out: { query: Page } }
>;

/** A cursor is ASCII, a name need not be. */
export function nameCursorOf({ name }: { readonly name: string }): string {
  return encodeURIComponent(name);
}

/** Pages by name. */
export const namesQuery = pageQuery(toName);

/** Pages by the id of a run. */
export const membersQuery = pageQuery(runCursor);

function pageQuery(afterOf: (cursor: string) => string): PageQuery {
  const schema = z.strictObject({
    limit: z
      .string()
      .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${PAGE_LIMIT}`)
      .transform(Number)
      .pipe(z.int().min(1).max(PAGE_LIMIT))
      .default(PAGE_DEFAULT),
    cursor: z.string().transform(afterOf).default(""),
  });
  return async (c, next) => {
    const given = [...new URL(c.req.raw.url).searchParams];
    const query = Object.fromEntries(given);
    if (Object.keys(query).length < given.length) {
      throw new InvalidRequest("query", ["a parameter is given twice"]);
    }
    const parsed = schema.safeParse(query);
    if (!parsed.success) throw new InvalidRequest("query", problemsOf(parsed.error));
    c.req.addValidatedData("query", { limit: parsed.data.limit, after: parsed.data.cursor });
    await next();
  };
}

function toName(cursor: string): string {
  try {
    const name = decodeURIComponent(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")));
    if (name !== "" && !name.includes("\u0000")) return name;
  } catch {
    // It is not one of ours: refused below.
  }
  throw new InvalidCursor();
}
