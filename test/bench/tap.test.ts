import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startTap } from "../../bench/measure/tap.ts";
import { eventually } from "../support/waiting.ts";

interface Answerer {
  readonly address: string;
  heard(): string;
}

/** A server that answers whatever ends with a question mark. */
async function startAnswerer(): Promise<Answerer> {
  let heard = "";
  const server = createServer((socket) => {
    socket.on("data", (bytes) => {
      heard += bytes;
      if (heard.endsWith("?")) socket.write("answer");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, heard: () => heard };
}

async function connectTo(address: string): Promise<Socket> {
  const [host = "", port] = address.split(":");
  const client = connect({ host, port: Number(port) });
  onTestFinished(() => void client.destroy());
  await once(client, "connect");
  return client;
}

async function ask(client: Socket): Promise<void> {
  const answer = once(client, "data");
  client.write("?");
  await answer;
}

test("every question that waits for its answer is a round trip, over all connections", async () => {
  const tap = await startTap((await startAnswerer()).address);
  const [one, other] = [await connectTo(tap.address), await connectTo(tap.address)];
  for (let i = 0; i < 3; i++) await ask(one);
  await ask(other);
  expect(tap.roundTrips()).toBe(4);
  await tap.stop();
});

test("what is sent before an answer comes is one round trip", async () => {
  const answerer = await startAnswerer();
  const tap = await startTap(answerer.address);
  const client = await connectTo(tap.address);
  for (const said of ["a", "ab"]) {
    client.write(said.slice(-1));
    await eventually(`"${said}" is heard`, () => answerer.heard() === said);
  }
  await ask(client);
  expect(tap.roundTrips()).toBe(1);
  await tap.stop();
});
