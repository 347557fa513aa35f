/** Saves text as a file, from within the page. */
export function download(fileName: string, text: string, type = "text/plain"): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  // The browser has taken it by the time the next task begins.
  setTimeout(() => URL.revokeObjectURL(url));
}
