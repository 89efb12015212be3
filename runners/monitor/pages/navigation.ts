/** Moves between pages without loading one: links are real links, the address is the state. */
import { useEffect, useState } from "preact/hooks";
import { parseRoute, type Route } from "./route.js";

const listeners = new Set<() => void>();

export function go(path: string, { replace = false } = {}): void {
  if (path === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  if (!replace) scrollTo(0, 0);
  for (const listener of listeners) listener();
}

/** Plain clicks on links of the pages; all others are the browser's. Call once. */
export function followLinks(): void {
  addEventListener("popstate", () => {
    for (const listener of listeners) listener();
  });
  document.addEventListener("click", (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (link === null || link.origin !== location.origin || link.hasAttribute("download")) return;
    if (link.hash !== "" || parseRoute(link.pathname) === null) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

/** The page that the address asks for; null where there is none. */
export function useRoute(): Route | null {
  const [route, set] = useState(() => parseRoute(location.pathname));
  useEffect(() => {
    const listener = () => set(parseRoute(location.pathname));
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return route;
}
