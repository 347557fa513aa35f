/** After a deployment a page that is still open asks for files that are gone: it is loaded anew, once. */
const KEY = "pawl.reloaded";

export function reloadOnceForNewFiles(): void {
  addEventListener("vite:preloadError", () => {
    if (sessionStorage.getItem(KEY) === location.href) return;
    sessionStorage.setItem(KEY, location.href);
    location.reload();
  });
}
