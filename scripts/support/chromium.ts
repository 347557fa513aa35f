import { existsSync } from "node:fs";

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

/** The path of an installed Chromium; that in the variable CHROMIUM before all others. */
export function findChromium(): string | undefined {
  return process.env.CHROMIUM ?? KNOWN_PLACES.find(existsSync);
}
