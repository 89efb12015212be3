/** What the source of a directory does with a file whose turn it is. */
import type { VisitOutcome } from "./file-visitor.js";
import type { SourceFile } from "./source-file.js";

/** A bundle as the source fills it. */
export interface SourceTarget {
  /** Whether it has enough. */
  readonly isFull: boolean;
}

/** Looks into a file and makes of its next bytes what the bundle wants. */
export interface Visitor<Target extends SourceTarget> {
  /** @throws Node's error when the file cannot be read. */
  visit(file: SourceFile, target: Target): Promise<VisitOutcome>;
  close(): void;
}
