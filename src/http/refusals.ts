/** What HTTP refuses before any use case is asked. `errors.ts` gives each its status. */
import { PawlError } from "../engine/errors.ts";

const MESSAGE_LIMIT = 1_000;

/** A request that goes no further. */
export abstract class Refusal extends PawlError {
  override readonly retryable: boolean = false;
  /** Headers that the answer must carry. */
  readonly headers: Readonly<Record<string, string>> = {};
}

/** No token and no session, more than one, or not the right one: they are not told apart. */
export class Unauthorized extends Refusal {
  readonly code = "unauthorized";
  override readonly headers = { "WWW-Authenticate": "Bearer" };
  constructor() {
    super('This needs the header "Authorization: Bearer <token>" with a valid token.');
  }
}

/** The token, or the session that came of it, is good for reading only. */
export class ReadOnly extends Refusal {
  readonly code = "read_only";
  constructor() {
    super("This token may only read. Use the admin token to change something.");
  }
}

/** Too many wrong tokens came from that address. */
export class TooManySignIns extends Refusal {
  readonly code = "too_many_sign_ins";
  override readonly headers: Readonly<Record<string, string>>;
  constructor(waitMs: number) {
    const seconds = Math.ceil(waitMs / 1_000);
    super(`Too many wrong tokens. Try again in ${seconds} s.`);
    this.headers = { "Retry-After": String(seconds) };
  }
}

/** A browser sent the session's cookie along with what a page of another origin asked for. */
export class CrossOrigin extends Refusal {
  readonly code = "cross_origin";
  constructor() {
    super("A session is good for requests from this deployment's own pages only.");
  }
}

/** Something that this deployment needs is missing, so it serves nothing. */
export class NotConfigured extends Refusal {
  readonly code = "not_configured";
}

/** No route has that path. */
export class RouteNotFound extends Refusal {
  readonly code = "not_found";
  constructor() {
    super("There is nothing at this path.");
  }
}

/** The path exists, for other methods. */
export class MethodNotAllowed extends Refusal {
  readonly code = "method_not_allowed";
  override readonly headers: Readonly<Record<string, string>>;
  constructor(method: string, allowed: readonly string[]) {
    super(`This path does not answer ${method}: only ${allowed.join(", ")}.`);
    this.headers = { Allow: allowed.join(", ") };
  }
}

/** The body is not JSON text. */
export class InvalidJson extends Refusal {
  readonly code = "invalid_json";
}

/** The body is something else than plain JSON. */
export class UnsupportedMediaType extends Refusal {
  readonly code = "unsupported_media_type";
  constructor() {
    super('The body must be UTF-8 JSON, uncompressed, with the header "Content-Type: application/json".');
  }
}

/** The body is larger than a body may be. */
export class BodyTooLarge extends Refusal {
  readonly code = "body_too_large";
  constructor(limit: number) {
    super(`The body is larger than ${limit} bytes. Store large data elsewhere and pass a reference.`);
  }
}

/** Objects and lists are nested deeper than they may be. */
export class TooDeep extends Refusal {
  readonly code = "too_deep";
  constructor(limit: number) {
    super(`The body is nested deeper than ${limit} levels. Flatten it.`);
  }
}

/** The body's objects have more keys than they may have. */
export class TooManyKeys extends Refusal {
  readonly code = "too_many_keys";
  constructor(limit: number) {
    super(`The body has more than ${limit} keys. Use lists, or send it in parts.`);
  }
}

/** Fields, parameters or headers that are unknown, missing or of the wrong kind. */
export class InvalidRequest extends Refusal {
  readonly code = "invalid_request";
  constructor(where: "body" | "query" | "header" | "path", problems: readonly string[]) {
    const list = problems.join("; ");
    super(`Invalid ${where}: ${list.length > MESSAGE_LIMIT ? `${list.slice(0, MESSAGE_LIMIT)}…` : list}.`);
  }
}

/** A cursor that no page of this list gave. */
export class InvalidCursor extends Refusal {
  readonly code = "invalid_cursor";
  constructor() {
    super("The cursor is not one that this list gave. Leave it out to start from the first page.");
  }
}
