import type { ReactNode } from "react";

/** A panel that scrolls sideways where it is too wide, by keys too. For what has no links in it, which would do as well. */
export function Wide({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <section className="panel overflow-x-auto" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
