/**
 * Values in and out of the journal. A value that JSON can say is stored as it is (`meta` null); `Date`,
 * `Map`, `Set`, `BigInt`, `undefined`, `NaN`, bytes and the like go through superjson, which keeps a
 * readable `json` and a small `meta` that restores them. What would not come back as it was is refused,
 * naming the path and the remedy.
 *
 * Guards I6: keys are put into jsonb's own order (shorter first, then by bytes), so that a value looks the
 * same to the workflow in the turn that made it and in every replay.
 */
import SuperJSON from "superjson";
import { UnstorableValue } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A value as it is stored. */
export interface Encoded {
  readonly json: Json;
  readonly meta: Json;
}

/** The most bytes one value may take as JSON text. */
export const VALUE_LIMIT_BYTES = 1_000_000;

const DEPTH_LIMIT = 500;

const superjson = new SuperJSON();
superjson.registerCustom<Uint8Array, string>(
  {
    isApplicable: (value): value is Uint8Array => value instanceof Uint8Array,
    serialize: (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")),
    deserialize: (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)),
  },
  "bytes",
);

/** Throws `UnstorableValue`; `what` names the value in its sentence (`Step "charge card"'s output`). */
export function encode(value: unknown, what: string): Encoded {
  const walk = new Walk(what);
  const json = walk.copy(value, "", 0);
  const encoded = walk.plain ? { json, meta: null } : restorable(value, what);
  const size = JSON.stringify(encoded.json).length;
  if (size * 3 > VALUE_LIMIT_BYTES && utf8Length(encoded.json) > VALUE_LIMIT_BYTES) {
    throw new UnstorableValue(
      what,
      "",
      `is larger than ${VALUE_LIMIT_BYTES} bytes`,
      "Store it elsewhere (R2, a table of yours) and return a reference.",
    );
  }
  return encoded;
}

/** The way back. Every call gives a fresh copy, so nobody can change what somebody else is given. */
export function decode(encoded: Encoded): unknown {
  if (encoded.meta === null) return structuredClone(encoded.json);
  return superjson.deserialize(structuredClone(encoded) as Parameters<typeof superjson.deserialize>[0]);
}

function restorable(value: unknown, what: string): Encoded {
  try {
    const { json, meta } = superjson.serialize(value);
    const walk = new Walk(what);
    return { json: walk.copy(json, "", 0), meta: (meta ?? null) as Json };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new UnstorableValue(what, "", `could not be encoded (${problem})`, "Return plain data.");
  }
}

/** One pass over a value: refuses what cannot be stored, and copies what JSON can say as it is. */
class Walk {
  plain = true;
  private readonly above: object[] = [];
  private readonly what: string;
  constructor(what: string) {
    this.what = what;
  }

  copy(value: unknown, path: string, depth: number): Json {
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") return this.text(value, path);
    if (typeof value === "number") {
      if (!Number.isFinite(value) || Object.is(value, -0)) this.plain = false;
      return value;
    }
    if (value === undefined || typeof value === "bigint") return this.special();
    if (typeof value === "function") this.refuse(path, "is a function", "Return data only.");
    if (typeof value === "symbol") this.refuse(path, "is a symbol", "Return a string instead.");
    return this.object(value as object, path, depth);
  }

  private object(value: object, path: string, depth: number): Json {
    if (this.above.includes(value)) this.refuse(path, "refers back to itself", "Break the cycle.");
    if (depth > DEPTH_LIMIT) this.refuse(path, `is nested deeper than ${DEPTH_LIMIT} levels`, "Flatten it.");
    this.above.push(value);
    try {
      if (Array.isArray(value))
        return Array.from(value, (item, i) => this.copy(item, `${path}[${i}]`, depth + 1));
      if (value instanceof Map) return this.entries([...value].flat(), path, depth);
      if (value instanceof Set) return this.entries([...value], path, depth);
      if (value instanceof Date && Number.isNaN(value.getTime())) {
        this.refuse(path, "is an invalid date", "Check how it was parsed.");
      }
      if (isRestored(value)) return this.special();
      return this.record(value, path, depth);
    } finally {
      this.above.pop();
    }
  }

  private record(value: object, path: string, depth: number): Json {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && prototype !== Object.prototype) {
      const name = (value.constructor as { name?: string } | undefined)?.name || "a class";
      this.refuse(path, `is an instance of ${name}`, "Return a plain object with the fields you need.");
    }
    if (Object.getOwnPropertySymbols(value).length > 0) {
      this.refuse(path, "has a symbol as a key", "Use string keys.");
    }
    const copy: Record<string, Json> = {};
    for (const key of Object.keys(value).sort(byJsonbOrder)) {
      const inner = path === "" ? key : `${path}.${key}`;
      const item = this.copy(this.read(value, key, inner), inner, depth + 1);
      // Assigning to "__proto__" would set the prototype instead of a key.
      if (key === "__proto__")
        Object.defineProperty(copy, key, {
          value: item,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      else copy[this.text(key, inner)] = item;
    }
    return copy;
  }

  private read(value: object, key: string, path: string): unknown {
    try {
      return (value as Record<string, unknown>)[key];
    } catch {
      return this.refuse(path, "is a getter that throws", "Return plain data.");
    }
  }

  private entries(items: readonly unknown[], path: string, depth: number): Json {
    items.forEach((item, i) => {
      this.copy(item, `${path}(${i})`, depth + 1);
    });
    return this.special();
  }

  private text(text: string, path: string): string {
    if (text.includes("\u0000"))
      this.refuse(path, "holds the character U+0000", "Remove it; Postgres cannot store it.");
    if (!text.isWellFormed()) this.refuse(path, "holds half of a surrogate pair", "Use toWellFormed().");
    return text;
  }

  private special(): null {
    this.plain = false;
    return null;
  }

  private refuse(path: string, problem: string, remedy: string): never {
    throw new UnstorableValue(this.what, path, problem, remedy);
  }
}

function isRestored(value: object): boolean {
  return (
    value instanceof Date ||
    value instanceof RegExp ||
    value instanceof URL ||
    value instanceof Error ||
    (ArrayBuffer.isView(value) && !(value instanceof DataView))
  );
}

const utf8 = new TextEncoder();

function utf8Length(json: Json): number {
  return utf8.encode(JSON.stringify(json)).length;
}

/** Postgres orders the keys of a jsonb object by their length in bytes, then byte by byte. */
function byJsonbOrder(a: string, b: string): number {
  const ascii = /^[\x20-\x7e]*$/;
  if (ascii.test(a) && ascii.test(b)) return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
  const [x, y] = [utf8.encode(a), utf8.encode(b)];
  if (x.length !== y.length) return x.length - y.length;
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return (x[i] ?? 0) - (y[i] ?? 0);
  return 0;
}
