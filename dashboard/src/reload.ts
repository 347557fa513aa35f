/**
 * After a deployment a page that is still open asks for files that are gone: it is loaded anew, once in each version of these
 * files. One that is still gone then is no matter of a deployment.
 */
const KEY = "pawl.reloaded";

/** This very file, whose name is another one in another version. */
const VERSION = import.meta.url;

export function reloadOnceForNewFiles(): void {
  addEventListener("vite:preloadError", () => {
    if (sessionStorage.getItem(KEY) === VERSION) return;
    sessionStorage.setItem(KEY, VERSION);
    location.reload();
  });
}
