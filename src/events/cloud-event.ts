import type { OutgoingEvent } from "../engine/event.ts";

/** Every sink sends the same JSON for an event, however often: CloudEvents 1.0, structured mode. */
export function toCloudEventJson(event: OutgoingEvent) {
  const { id, tenant, runId, workflow, type, subject, data, emittedAt } = event;
  return {
    specversion: "1.0",
    id,
    source: `/pawl/${workflow}/${runId}`,
    type,
    ...(subject === null ? {} : { subject }),
    time: new Date(emittedAt).toISOString(),
    // Extension attributes: CloudEvents knows lower-case letters and digits only.
    pawlrunid: runId,
    pawltenant: tenant,
    ...(data === undefined ? {} : { datacontenttype: "application/json", data }),
  };
}
