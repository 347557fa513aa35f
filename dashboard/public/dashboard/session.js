// @ts-check
/**
 * The admin token. It is kept in sessionStorage, so it ends with the tab and no other tab or origin sees it;
 * scripts of this page can read it, which the CSP keeps to our own files. The sign-in by HttpOnly cookie
 * comes with the dashboard proper and replaces this file.
 */
const KEY = "pawl.token";
const FRAGMENT = "#token=";

/** Null when nobody is signed in. */
export function token() {
  return sessionStorage.getItem(KEY);
}

/** @param {string} given */
export function signIn(given) {
  sessionStorage.setItem(KEY, given.trim());
}

export function signOut() {
  sessionStorage.removeItem(KEY);
}

/** Signs in with `#token=…`, which no server ever sees, and takes it out of the address and the history. */
export function signInFromAddress() {
  const { hash, pathname } = location;
  if (!hash.startsWith(FRAGMENT)) return;
  history.replaceState(null, "", `${pathname}#/runs`);
  signIn(decodeURIComponent(hash.slice(FRAGMENT.length)));
}
