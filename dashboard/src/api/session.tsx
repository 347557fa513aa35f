/** Who is signed in. The cookie that says so is for the server only; the page knows no more than what it may do. */
import { useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect } from "react";
import { signIn } from "./actions.ts";
import { endSession, queryClient, sessionQuery } from "./queries.ts";
import { ApiError } from "./request.ts";
import type { Session } from "./types.ts";

const FRAGMENT = "#token=";

const SessionContext = createContext<Session | null>(null);

/** Trades `#token=…`, which no server ever sees, for the cookie, and takes it out of the address and the history. */
export async function signInFromAddress(): Promise<void> {
  const { hash, pathname, search } = location;
  if (!hash.startsWith(FRAGMENT)) return;
  history.replaceState(null, "", pathname + search);
  await signIn(decodeURIComponent(hash.slice(FRAGMENT.length))).catch(() => {});
}

interface Props {
  /** What is shown to nobody in particular. */
  readonly signedOut: ReactNode;
  readonly children: ReactNode;
}

export function SessionGate({ signedOut, children }: Props) {
  const { data: session, isPending } = useQuery(sessionQuery);
  useEffect(endWithRefusals, []);
  if (isPending) return null;
  if (session === null || session === undefined) return signedOut;
  return <SessionContext value={session}>{children}</SessionContext>;
}

/** A cookie runs out: the first answer that says so ends the session here too, and the address stays. */
function endWithRefusals(): () => void {
  return queryClient.getQueryCache().subscribe(({ query }) => {
    const { error } = query.state;
    if (error instanceof ApiError && error.status === 401 && isSignedIn()) endSession();
  });
}

function isSignedIn(): boolean {
  return (queryClient.getQueryData(sessionQuery.queryKey) ?? null) !== null;
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("This is shown to those who have signed in only.");
  return session;
}

/** False for a token that may only read. */
export function useMayWrite(): boolean {
  return useSession().role === "admin";
}
