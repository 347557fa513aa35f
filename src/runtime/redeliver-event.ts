import { EventNotDead, EventNotFound } from "../engine/refusals.ts";
import { askForDelivery } from "./deliver-events.ts";
import type { Runtime } from "./runtime.ts";

/** A person has a dead event sent again, with all its tries. Throws `EventNotFound`, `EventNotDead`. */
export async function redeliverEvent(runtime: Runtime, tenant: string, id: string): Promise<void> {
  const result = await runtime.store.redeliverEvent(tenant, id);
  if (result === "not_found") throw new EventNotFound(id);
  if (result === "not_dead") throw new EventNotDead(id);
  await askForDelivery(runtime);
}
