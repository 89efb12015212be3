/** The data of the panels: one query a panel for all who look, not more often than every ten seconds. */
import type { PanelData, PanelDescription } from "../job/job-view.js";
import type { Panel } from "./monitored.js";

export const PANEL_AGE_MS = 10_000;

interface Kept {
  data: PanelData | undefined;
  askedAtMs: number;
  asking: Promise<PanelData> | undefined;
}

export class PanelCache {
  readonly #panels: ReadonlyMap<string, Panel>;
  readonly #kept = new Map<string, Kept>();

  constructor(panels: readonly Panel[]) {
    this.#panels = new Map(panels.map((panel) => [panel.description.name, panel]));
  }

  get descriptions(): PanelDescription[] {
    return [...this.#panels.values()].map(({ description }) => description);
  }

  has(name: string): boolean {
    return this.#panels.has(name);
  }

  /** What is there if it is young enough, else the answer of a new query; if that fails, what is there marked as stale. */
  get(name: string): Promise<PanelData> {
    const kept = this.#kept.get(name) ?? {
      data: undefined,
      askedAtMs: Number.NEGATIVE_INFINITY,
      asking: undefined,
    };
    this.#kept.set(name, kept);
    if (kept.asking !== undefined) return kept.asking;
    if (kept.data !== undefined && performance.now() - kept.askedAtMs < PANEL_AGE_MS) {
      return Promise.resolve(kept.data);
    }
    kept.askedAtMs = performance.now();
    kept.asking = this.#ask(name, kept).finally(() => {
      kept.asking = undefined;
    });
    return kept.asking;
  }

  async #ask(name: string, kept: Kept): Promise<PanelData> {
    const startMs = performance.now();
    try {
      const { columns, rows } = await this.#panels.get(name)!.read();
      const tookMs = Math.round(performance.now() - startMs);
      kept.data = { name, columns, rows, queriedAtMs: Date.now(), tookMs, staleReason: null };
    } catch (error) {
      const staleReason = error instanceof Error ? error.message : String(error);
      const nothing = { name, columns: [], rows: [], queriedAtMs: Date.now(), tookMs: 0 };
      kept.data = { ...(kept.data ?? nothing), staleReason };
    }
    return kept.data;
  }
}
