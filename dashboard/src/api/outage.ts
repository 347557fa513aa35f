/** Whether Pawl answers: told by whatever is asked. */
import { useSyncExternalStore } from "react";
import { queryClient } from "./queries.ts";
import { ApiError } from "./request.ts";

/** What the question that is being asked in vain was told; null while all is well. */
export function useOutage(): string | null {
  return useSyncExternalStore(
    (listener) => queryClient.getQueryCache().subscribe(listener),
    () => outage(),
  );
}

function outage(): string | null {
  for (const query of queryClient.getQueryCache().getAll()) {
    const { fetchFailureReason: reason, fetchStatus } = query.state;
    if (query.isActive() && fetchStatus !== "idle" && reason instanceof ApiError && reason.passing)
      return reason.message;
  }
  return null;
}
