import { join } from "node:path";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), tailwindcss()],
  build: {
    outDir: join(import.meta.dirname, "dist"),
    emptyOutDir: true,
    // Only what lies under here is served without the worker: see [assets] in wrangler.toml.
    assetsDir: "dashboard/assets",
    // A policy without inline images and scripts has no place for either.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2023",
    // What several pages share comes in one piece: many small ones would compress badly.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "shared", minShareCount: 2 }] } } },
  },
});
