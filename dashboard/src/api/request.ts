/** One request to the API of the very worker that served this page. The session's cookie goes along by itself. */

const PATIENCE_MS = 20_000;

/** An answer that is not a success, or none at all: then `status` is 0. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;

  constructor(status: number, code: string, message: string, requestId: string | null = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }

  /** True for what may be gone at the next try. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** An answer as it was sent, for payloads whose numbers JavaScript would round. */
export interface Answer<T> {
  readonly body: T;
  readonly text: string;
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return (await getText<T>(path, query, signal)).body;
}

export function getText<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer<T>> {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  return send(path + searchOf(query), { signal: signal ? AbortSignal.any([signal, patience]) : patience });
}

export async function post<T>(
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<T> {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  return postText(path, json.body, headers);
}

/** The body as JSON text, so that what a person wrote is sent as it was written. */
export async function postText<T>(
  path: string,
  json: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Promise<T> {
  const type = json === undefined ? {} : { "content-type": "application/json" };
  const body = json === undefined ? {} : { body: json };
  const init = { method: "POST", headers: { ...type, ...headers }, ...body };
  return (await send<T>(path, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) })).body;
}

export async function remove<T>(path: string): Promise<T> {
  return (await send<T>(path, { method: "DELETE", signal: AbortSignal.timeout(PATIENCE_MS) })).body;
}

/** `?a=1&b=2`, or nothing. */
export function searchOf(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of typeof value === "string" ? [value] : (value ?? [])) search.append(name, each);
  }
  return search.size === 0 ? "" : `?${search}`;
}

async function send<T>(path: string, init: RequestInit): Promise<Answer<T>> {
  const response = await fetch(path, { cache: "no-store", redirect: "error", ...init }).catch(() => null);
  if (response === null) throw new ApiError(0, "no_answer", "Pawl does not answer.");
  const text = await response.text().catch(() => null);
  const body = parse(text);
  if (response.ok && text !== null && body !== undefined) return { body: body as T, text };
  throw errorOf(response.status, body);
}

function parse(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorOf(status: number, body: unknown): ApiError {
  const error = (body as { error?: { code?: string; message?: string; requestId?: string } } | undefined)
    ?.error;
  const message = error?.message ?? `Pawl answered ${status}.`;
  // A success whose body is cut off is no answer.
  return new ApiError(status < 400 ? 0 : status, error?.code ?? "error", message, error?.requestId ?? null);
}
