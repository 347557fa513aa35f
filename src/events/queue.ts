import type { EventSink } from "../engine/ports.ts";
import { toCloudEventJson } from "./cloud-event.ts";

/** The part of a queue's binding that a sink needs. */
interface EventQueue {
  send(body: unknown, options: { contentType: "json" }): Promise<unknown>;
}

export function isQueue(binding: unknown): binding is EventQueue {
  return typeof (binding as Partial<EventQueue> | undefined)?.send === "function";
}

/** Sends events to a queue of this account, each as one message: CloudEvents as JSON. */
export function createQueueSink(queue: EventQueue): EventSink["send"] {
  return async (event) => {
    await queue.send(toCloudEventJson(event), { contentType: "json" });
  };
}
