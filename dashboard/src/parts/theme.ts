/** Light, dark, or as the system has it. */
import { stored } from "./stored.ts";

export const themeSetting = stored("pawl.theme", ["auto", "light", "dark"]);

type Theme = ReturnType<typeof themeSetting.get>;

const NEXT: Readonly<Record<Theme, Theme>> = { auto: "light", light: "dark", dark: "auto" };

export function applyTheme(): void {
  const theme = themeSetting.get();
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event("pawl:theme"));
}

export function nextTheme(): void {
  themeSetting.set(NEXT[themeSetting.get()]);
  applyTheme();
}
