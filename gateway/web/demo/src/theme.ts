// Light or dark: as the system has it, until somebody says otherwise here.
import { byId, remembered } from "./dom.ts";

export function setUpTheme(): void {
  const kept = remembered("localStorage", "peal.theme");
  const root = document.documentElement;
  const chosen = kept.get();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  byId("theme").addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    kept.set(next);
  });
}
