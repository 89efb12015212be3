/** JSON that a part of the page shows: loaded when it appears, again when its query changes or its time is up. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { ApiError, getJson, type Query } from "./api.js";
import { canAsk, type LiveState, useLive } from "./live/live.js";
import { useToken } from "./token.js";

export interface Resource<Body> {
  /** What was read last, kept while newer is read and when that fails. */
  readonly data: Body | null;
  readonly error: ApiError | null;
  readonly readAtMs: number | null;
  readonly reload: () => void;
}

/** After a failure that may pass. */
const retryMs = 3_000;
const returnsOf = (live: LiveState) => live.returns;

/** Read again whenever the server is back; with `everyMs` also so often, as `useEvery` has it. */
export function useResource<Body>(path: string | null, query: Query = {}, everyMs?: number): Resource<Body> {
  const token = useToken();
  const [state, setState] = useState<Omit<Resource<Body>, "reload">>({
    data: null,
    error: null,
    readAtMs: null,
  });
  const [round, setRound] = useState(0);
  const returns = useLive(returnsOf);
  const key = JSON.stringify([path, query, token]);
  // the key stands for path, query and token
  useEffect(() => {
    if (path === null) return;
    const controller = new AbortController();
    getJson<Body>(path, query, controller.signal).then(
      (data) => setState({ data, error: null, readAtMs: Date.now() }),
      (error: unknown) => {
        if (controller.signal.aborted) return;
        const shown = error instanceof ApiError ? error : new ApiError(0, "unreadable", String(error));
        setState((before) => ({ ...before, data: shown.needsToken ? null : before.data, error: shown }));
      },
    );
    return () => controller.abort();
  }, [key, round, returns]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  const { error } = state;
  // what the server could not do now, it may do soon: its database was away, for example
  const isPassing = error !== null && (error.status === 0 || error.status >= 500);
  useEvery(isPassing ? retryMs : everyMs, reload);
  return { ...state, reload };
}

/** Does it again and again while the tab is seen and the server answers; the frame says when it does not. */
export function useEvery(ms: number | undefined, action: () => void): void {
  useEffect(() => {
    if (ms === undefined) return;
    const timer = setInterval(() => {
      if (!document.hidden && canAsk()) action();
    }, ms);
    return () => clearInterval(timer);
  }, [ms, action]);
}
