/** Light or dark: as the system has it, or as was chosen here. */
import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";
export type ThemeChoice = Theme | "system";

const key = "millrace-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export function themeChoice(): ThemeChoice {
  const stored = localStorage.getItem(key);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function chooseTheme(choice: ThemeChoice): void {
  if (choice === "system") localStorage.removeItem(key);
  else localStorage.setItem(key, choice);
  applyTheme();
}

/** Call once before the first drawing, it goes on following the system. */
export function startTheme(): void {
  system.addEventListener("change", applyTheme);
  applyTheme();
}

/** What is drawn now; canvases have to be drawn again when it changes. */
export function useTheme(): { readonly theme: Theme; readonly choice: ThemeChoice } {
  const [now, set] = useState(() => ({ theme: theme(), choice: themeChoice() }));
  useEffect(() => {
    const listener = () => set({ theme: theme(), choice: themeChoice() });
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return now;
}

function theme(): Theme {
  const choice = themeChoice();
  return choice === "system" ? (system.matches ? "dark" : "light") : choice;
}

function applyTheme(): void {
  document.documentElement.dataset["theme"] = theme();
  for (const listener of listeners) listener();
}
