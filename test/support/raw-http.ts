/** HTTP by hand: requests that `fetch` would tidy up or refuse to send, and clients that hang up. */
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  /** Of each answer that came, interim ones too. */
  readonly statuses: readonly number[];
  readonly text: string;
}

/** A request's text. Lines of headers stand as they are given. */
export function requestText(line: string, headers: readonly string[] = [], body = ""): string {
  return [`${line} HTTP/1.1`, "Host: pawl.test", "Connection: close", ...headers, "", body].join("\r\n");
}

/** Headers and JSON of a POST, for `requestText`. */
export function posting(json: string, headers: readonly string[] = []): [string[], string] {
  const length = `Content-Length: ${Buffer.byteLength(json)}`;
  return [["Content-Type: application/json", length, ...headers], json];
}

/** Sends this and gives all that comes until the server closes the connection. */
export async function exchange(url: URL, text: string | Buffer): Promise<RawAnswer> {
  const client = await dial(url);
  client.write(text);
  return client.answer;
}

export interface Client {
  write(text: string | Buffer): void;
  /** What has come so far. */
  readonly received: string;
  /** What came until either side closed the connection. */
  readonly answer: Promise<RawAnswer>;
  /** Says that nothing more follows, and still listens. */
  finish(): void;
  hangUp(): void;
}

export async function dial({ hostname, port }: URL): Promise<Client> {
  const socket: Socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const chunks: Buffer[] = [];
  const text = () => Buffer.concat(chunks).toString("latin1");
  const answer = new Promise<RawAnswer>((resolve) => {
    const over = () => {
      const statuses = [...text().matchAll(/^HTTP\/1\.\d (\d{3})/gm)].map(([, status]) => Number(status));
      socket.destroy();
      resolve({ statuses, text: text() });
    };
    socket.on("end", over);
    socket.on("close", over);
  });
  socket.on("data", (chunk) => chunks.push(chunk));
  // A server that has said all it will may close while more is being sent.
  socket.on("error", () => {});
  return {
    write: (bytes) => void socket.write(bytes),
    get received() {
      return text();
    },
    answer,
    finish: () => void socket.end(),
    hangUp: () => void socket.destroy(),
  };
}
