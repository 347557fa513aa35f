/** What the platform performs in the place of a step's body, on behalf of a run. */
import { encode } from "../engine/codec.ts";
import type { Work } from "../engine/edge.ts";
import type { Platform } from "../engine/platform.ts";
import type { RunRef } from "../engine/run.ts";
import type { Perform } from "./perform-step.ts";
import { publishMessage } from "./publish-message.ts";
import type { Runtime } from "./runtime.ts";
import { sendSignals } from "./send-signals.ts";

/** Does the work of a step on behalf of a run. A transaction's is done elsewhere: it has a connection of its own. */
export function workOf(runtime: Runtime, ref: RunRef, work: Work): Perform {
  const platform = createPlatform(runtime, ref);
  return (context) => {
    if (work.by === "body") return work.body(context);
    return work.by === "platform" ? work.act(platform, context) : undefined;
  };
}

function createPlatform(runtime: Runtime, { tenant, runId }: RunRef): Platform {
  const ref = { tenant, runId };
  return {
    subscribe: (channel, mode) => runtime.store.subscribe(ref, channel, mode),
    unsubscribe: (channel) => runtime.store.unsubscribe(ref, channel),
    async publish(id, channel, payload, to) {
      await publishMessage(runtime, tenant, {
        id,
        channel,
        payload: encode(payload, `The message for channel "${channel}"`),
        to: to ?? null,
      });
    },
    async send(id, to, signal, payload) {
      await sendSignals(runtime, tenant, [
        { id, runId: to, name: signal, payload: encode(payload, `The payload of signal "${signal}"`) },
      ]);
    },
  };
}
