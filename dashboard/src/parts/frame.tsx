import { type ReactNode, useState } from "react";
import { Link, useLocation } from "wouter";
import { signOut } from "../api/actions.ts";
import { setLive, useLive } from "../api/live.ts";
import { useCounts } from "../api/queries.ts";
import { useMayWrite } from "../api/session.tsx";
import icon from "../icon.svg";
import { Banners } from "./banners.tsx";
import { zoneSetting } from "./clock.ts";
import { formatCount } from "./count.ts";
import { KeySheet } from "./key-sheet.tsx";
import { Notices } from "./notices.tsx";
import { SearchBox } from "./search-box.tsx";
import { nextTheme, themeSetting } from "./theme.ts";
import { useKeys } from "./use-keys.ts";

const PAGES = [
  ["/runs", "Runs"],
  ["/dead-letters", "Dead letters"],
  ["/workflows", "Workflows"],
  ["/waits", "Channels and signals"],
  ["/metrics", "Metrics"],
  ["/system", "System"],
] as const;

export function Frame({ children }: { readonly children: ReactNode }) {
  const [, navigate] = useLocation();
  const [sheet, setSheet] = useState(false);
  const live = useLive();
  useKeys({
    "g r": () => navigate("/runs"),
    "g d": () => navigate("/dead-letters"),
    "g w": () => navigate("/workflows"),
    "g s": () => navigate("/waits"),
    "g m": () => navigate("/metrics"),
    "g y": () => navigate("/system"),
    p: () => setLive(!live),
    t: nextTheme,
    "?": () => setSheet(true),
    "/": () => document.getElementById("search")?.focus(),
  });
  return (
    <>
      <a href="#main" className="visually-hidden focus:absolute focus:z-30 focus:bg-surface focus:p-3">
        Skip to content
      </a>
      <header className="border-b border-line bg-surface">
        <div className="mx-auto flex max-w-[1400px] flex-wrap items-center gap-x-5 gap-y-1 px-4 py-2 sm:px-6">
          <Link href="/runs" className="flex items-center gap-2 text-base font-semibold">
            <img src={icon} alt="" width="20" height="20" />
            Pawl
          </Link>
          <Navigation />
          <div className="ml-auto flex flex-wrap items-center gap-1">
            <SearchBox />
            <Settings onKeys={() => setSheet(true)} />
          </div>
        </div>
      </header>
      <Banners />
      <main id="main" tabIndex={-1} className="outline-none">
        {children}
      </main>
      <Notices />
      {sheet && <KeySheet onClose={() => setSheet(false)} />}
    </>
  );
}

function Navigation() {
  const [path] = useLocation();
  return (
    <nav aria-label="Main" className="flex flex-wrap gap-x-1">
      {PAGES.map(([href, name]) => {
        const here = path === href || path.startsWith(`${href}/`);
        return (
          <Link
            key={href}
            href={href}
            aria-current={here ? "page" : undefined}
            className={`inline-flex min-h-8 items-center gap-1.5 rounded-md px-2.5 hover:bg-hover ${here ? "bg-hover font-medium" : "text-muted"}`}
          >
            {name}
            {href === "/dead-letters" && <DeadLetterBadge />}
          </Link>
        );
      })}
    </nav>
  );
}

function DeadLetterBadge() {
  const { data } = useCounts({});
  const count = data?.counts.deadLetters;
  if (count === undefined || count.count === 0) return null;
  return (
    <span className="rounded-full bg-bad-soft px-1.5 text-xs font-semibold text-bad">
      {formatCount(count)}
      <span className="visually-hidden"> open</span>
    </span>
  );
}

function Settings({ onKeys }: { readonly onKeys: () => void }) {
  const live = useLive();
  const zone = zoneSetting.use();
  const theme = themeSetting.use();
  const mayWrite = useMayWrite();
  return (
    <>
      {!mayWrite && <span className="badge tone-hold">Read only</span>}
      <button
        type="button"
        className="button button-quiet"
        aria-pressed={live}
        title="Refresh by itself (p)"
        onClick={() => setLive(!live)}
      >
        <span aria-hidden="true" className={`size-2 rounded-full ${live ? "bg-ok" : "border border-edge"}`} />
        Live
      </button>
      <button
        type="button"
        className="button button-quiet"
        title="The zone of all times"
        onClick={() => zoneSetting.set(zone === "utc" ? "local" : "utc")}
      >
        {zone === "utc" ? "UTC" : "Local"}
        <span className="visually-hidden"> time</span>
      </button>
      <button
        type="button"
        className="button button-quiet capitalize"
        title="Light, dark, or as the system (t)"
        onClick={nextTheme}
      >
        {theme}
        <span className="visually-hidden"> theme</span>
      </button>
      <button type="button" className="button button-quiet" title="Keys" onClick={onKeys}>
        <span aria-hidden="true">?</span>
        <span className="visually-hidden">Keys</span>
      </button>
      <button type="button" className="button button-quiet" onClick={() => void signOut()}>
        Sign out
      </button>
    </>
  );
}
