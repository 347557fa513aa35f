/** Reads JSON bodies. Whatever a caller sends, memory stays bounded and the answer is a 4xx (I9). */
import type { MiddlewareHandler } from "hono";
import * as z from "zod";
import type { HttpEnv } from "./context.ts";
import { problemsOf } from "./fields.ts";
import { checkShape } from "./json-text.ts";
import { BodyTooLarge, InvalidJson, InvalidRequest, UnsupportedMediaType } from "./refusals.ts";

export const BODY_LIMIT_BYTES = 1_000_000;

const JSON_TYPE = /^application\/json[ \t]*(;[ \t]*charset=("utf-8"|utf-8)[ \t]*)?$/i;

type BodyOf<Schema extends z.ZodType> = { in: { json: z.input<Schema> }; out: { json: z.output<Schema> } };

/** The outermost object of a body is the route's own, unless all of the body is one value. */
const [OWN_OBJECT, ALL_VALUE] = [1, 0];

/** At the root: what is only read takes no body, and one that came with it would be ignored. */
export const bodiless: MiddlewareHandler<HttpEnv> = async (c, next) => {
  const { method, body, headers } = c.req.raw;
  const given = body !== null && headers.get("content-length") !== "0";
  if (given && (method === "GET" || method === "HEAD")) {
    throw new InvalidRequest("body", [`a ${method} takes none`]);
  }
  await next();
};

/** Gives the route `c.req.valid("json")`, or throws one of the refusals that speak of bodies. */
export function jsonBody<Schema extends z.ZodType>(
  schema: Schema,
  own = OWN_OBJECT,
): MiddlewareHandler<HttpEnv, string, BodyOf<Schema>> {
  return async (c, next) => {
    requireJson(c.req.raw.headers);
    c.req.addValidatedData("json", checkBody(schema, parseJson(await readBytes(c.req.raw), own)) as object);
    await next();
  };
}

/** For routes that take any JSON as one value. */
export const anyJson = jsonBody(z.unknown(), ALL_VALUE);

/** For routes that take nothing: no body, or `{}`. */
export const noBody: MiddlewareHandler<HttpEnv> = async (c, next) => {
  const bytes = await readBytes(c.req.raw);
  if (bytes.length > 0) {
    requireJson(c.req.raw.headers);
    checkBody(z.strictObject({}), parseJson(bytes));
  }
  await next();
};

/** For routes whose body may be left out: then it counts as `{}`. */
export function optionalBody<Schema extends z.ZodType>(
  schema: Schema,
): MiddlewareHandler<HttpEnv, string, { in: { json?: z.input<Schema> }; out: { json: z.output<Schema> } }> {
  return async (c, next) => {
    const bytes = await readBytes(c.req.raw);
    if (bytes.length > 0) requireJson(c.req.raw.headers);
    const given = bytes.length === 0 ? {} : parseJson(bytes);
    c.req.addValidatedData("json", checkBody(schema, given) as object);
    await next();
  };
}

function checkBody<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new InvalidRequest("body", problemsOf(parsed.error));
  return parsed.data;
}

function requireJson(headers: Headers): void {
  const plain = (headers.get("content-encoding") ?? "identity").toLowerCase() === "identity";
  if (!plain || !JSON_TYPE.test(headers.get("content-type") ?? "")) throw new UnsupportedMediaType();
}

/** Counts while reading: a body that lies about its length, or names none, is cut off at the limit. */
async function readBytes(request: Request): Promise<Uint8Array> {
  if (Number(request.headers.get("content-length")) > BODY_LIMIT_BYTES)
    throw new BodyTooLarge(BODY_LIMIT_BYTES);
  if (request.body === null) return new Uint8Array();
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new InvalidJson("The body ended before it was complete.");
    });
    if (done) return join(chunks, size);
    size += value.length;
    if (size > BODY_LIMIT_BYTES) {
      await reader.cancel().catch(() => undefined);
      throw new BodyTooLarge(BODY_LIMIT_BYTES);
    }
    chunks.push(value);
  }
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function parseJson(bytes: Uint8Array, own = OWN_OBJECT): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new InvalidJson("The body is not valid UTF-8.");
  }
  if (text.trim() === "") throw new InvalidJson("The body is empty.");
  checkShape(text, own);
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message would quote the body, and with it what may be a secret.
    throw new InvalidJson("The body is not JSON.");
  }
}
