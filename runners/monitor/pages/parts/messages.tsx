/** Short messages about what was asked for: read out, shown for some seconds. */
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api.js";
import type { Level } from "./panel.js";

interface Message {
  readonly id: number;
  readonly level: Level;
  readonly text: string;
}

const shownMs = 8_000;
const shownMax = 4;
let messages: readonly Message[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

export function say(level: Level, text: string): void {
  const id = ++lastId;
  show([...messages, { id, level, text }].slice(-shownMax));
  setTimeout(() => show(messages.filter((message) => message.id !== id)), shownMs);
}

/** Does what was asked for and says how it went. */
export async function perform(what: string, work: () => Promise<string>): Promise<void> {
  try {
    say("ok", await work());
  } catch (error) {
    const needsToken = error instanceof ApiError && error.needsToken;
    const reason = error instanceof Error ? error.message : String(error);
    say(
      "error",
      needsToken
        ? `${what} needs the token: open the link that the run printed.`
        : `${what} failed: ${reason}`,
    );
  }
}

export function Messages() {
  const [shown, set] = useState(messages);
  useEffect(() => {
    const listener = () => set(messages);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return (
    <div class="messages" role="status" aria-live="polite">
      {shown.map(({ id, level, text }) => (
        <p key={id} class={`message level-${level}`}>
          {text}
        </p>
      ))}
    </div>
  );
}

function show(next: readonly Message[]): void {
  messages = next;
  for (const listener of listeners) listener();
}
