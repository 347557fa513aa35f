import { type ReactNode, useEffect } from "react";
import { ApiError } from "../api/request.ts";

interface Props {
  readonly title: string;
  /** In the tab of the browser, where it says more. */
  readonly tabTitle?: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

export function Page({ title, tabTitle = title, actions, children }: Props) {
  useEffect(() => {
    document.title = `${tabTitle} · Pawl`;
  }, [tabTitle]);
  return (
    <div className="mx-auto grid max-w-[1400px] gap-4 px-4 py-5 sm:px-6">
      <header className="flex flex-wrap items-center justify-between gap-3">
        <h1 className="text-xl font-semibold">{title}</h1>
        {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function Loading() {
  return (
    <p role="status" className="px-1 py-8 text-muted">
      Loading…
    </p>
  );
}

/** What stands in the place of an answer: that there is no such thing, or that something broke. */
export function Broken({ error, missing }: { readonly error: Error; readonly missing: string }) {
  if (error instanceof ApiError && error.status === 404) return <p className="panel px-5 py-8">{missing}</p>;
  return (
    <section role="alert" className="notice tone-bad">
      <h2 className="font-semibold">This could not be shown</h2>
      <p className="mt-1 break-words">{error.message}</p>
      {error instanceof ApiError && error.requestId !== null && (
        <p className="mt-1 text-sm text-muted">Request {error.requestId}</p>
      )}
    </section>
  );
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <div className="panel grid justify-items-center gap-2 px-6 py-12 text-center">
      <p className="text-base font-medium">{title}</p>
      {children}
    </div>
  );
}
