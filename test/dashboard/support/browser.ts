/** A headless Chromium of this machine. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const KNOWN_PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:/Program Files/Google/Chrome/Application/chrome.exe",
];

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    // Its sandbox does not work for root, nor its shared memory in small containers.
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

function findChromium(): string {
  const { CHROMIUM } = process.env;
  const found = CHROMIUM ?? KNOWN_PLACES.find(existsSync);
  if (found !== undefined) return found;
  throw new Error(
    "The tests of the dashboard need a Chromium: `apt-get install chromium`, or set CHROMIUM to the path of yours.",
  );
}
