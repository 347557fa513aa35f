// The few words of HTTP that the shop speaks over node:http.
import type { IncomingMessage, ServerResponse } from "node:http";

const BODY_LIMIT_BYTES = 100_000;

/** A string body goes out as CSV, everything else as JSON. */
export type Answer = Readonly<{ status: number; body: unknown; headers?: Record<string, string> }>;

/** Thrown while a request is read; carries the answer to send instead. */
export class BadRequest extends Error {
  readonly answer: Answer;
  constructor(status: number, message: string) {
    super(message);
    this.answer = refusal(status, message);
  }
}

export function refusal(status: number, message: string): Answer {
  return { status, body: { error: message } };
}

export async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) throw new BadRequest(413, "The body is too large.");
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new BadRequest(400, "The body is not JSON.");
  }
}

export function send(response: ServerResponse, answer: Answer): void {
  const isCsv = typeof answer.body === "string";
  response.writeHead(answer.status, {
    "Content-Type": isCsv ? "text/csv; charset=utf-8" : "application/json",
    ...answer.headers,
  });
  response.end(isCsv ? answer.body : JSON.stringify(answer.body));
}
