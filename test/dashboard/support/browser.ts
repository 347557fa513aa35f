import { type Browser, chromium } from "playwright-core";
import { findChromium } from "../../../scripts/support/chromium.ts";

/** A headless Chromium of this machine. */
export function openBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("There is no Chromium here: npm run chromium");
  // Its sandbox does not work for root, nor its shared memory in small containers.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}
