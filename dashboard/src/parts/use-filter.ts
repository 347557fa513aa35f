import { useLocation, useSearchParams } from "wouter";
import { type RunFilter, readFilter, writeFilter } from "../models/filters.ts";

/** The filter in the URL, and a way to put another there. A narrower list begins at its first page. */
export function useFilter(): [RunFilter, (filter: RunFilter) => void] {
  const [path, navigate] = useLocation();
  const [search] = useSearchParams();
  const set = (filter: RunFilter) => {
    const next = writeFilter(filter);
    navigate(next.size === 0 ? path : `${path}?${next}`);
  };
  return [readFilter(search), set];
}
