/** The token of the link that a run prints: moved from the address to this tab's session, where no history keeps it. */
import { useEffect, useState } from "preact/hooks";

const key = "millrace-token";
const listeners = new Set<() => void>();

/** Takes `#token=…` out of the address. */
export function takeTokenFromAddress(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null || token === "") return;
  sessionStorage.setItem(key, token);
  history.replaceState(null, "", location.pathname + location.search);
}

export function currentToken(): string | null {
  return sessionStorage.getItem(key);
}

export function setToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(key);
  else sessionStorage.setItem(key, token);
  for (const listener of listeners) listener();
}

/** The token, and again whenever it changes. */
export function useToken(): string | null {
  const [token, set] = useState(currentToken);
  useEffect(() => {
    const listener = () => set(currentToken());
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return token;
}
