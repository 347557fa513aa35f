import type { Context } from "hono";
import { InvalidRequest } from "./refusals.ts";

const LABEL_LIMIT = 100;

/** The name of a channel, a group or a signal as it stands in the path: what a workflow may call one. Throws `InvalidRequest`. */
export function labelOf(c: Context, parameter: string): string {
  const label = c.req.param(parameter) ?? "";
  if (
    label.length > LABEL_LIMIT ||
    label.includes("#") ||
    label.includes("\u0000") ||
    !label.isWellFormed()
  ) {
    throw new InvalidRequest("path", [
      `${parameter}: must be 1 to ${LABEL_LIMIT} characters without "#", U+0000 or half a surrogate pair`,
    ]);
  }
  return label;
}
