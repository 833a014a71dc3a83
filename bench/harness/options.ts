import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Fewer and shorter rounds, to see that all works: too rough to be kept. */
  readonly quick: boolean;
  /** Run only what has one of these texts in its name; all when empty. */
  readonly only: readonly string[];
  /** A folder with another checkout of this project, to compare with. */
  readonly before?: string | undefined;
}

/** Reads a bench's own arguments. */
export function benchOptions(): BenchOptions {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
      before: { type: "string" },
    },
  });
  return values;
}

/** Whether the options ask for what has this name. */
export function isWanted(name: string, { only }: BenchOptions): boolean {
  return only.length === 0 || only.some((text) => name.includes(text));
}

/** Whether the run measures all there is, so that its result may be kept. */
export function isComplete({ quick, only }: BenchOptions): boolean {
  return !quick && only.length === 0;
}
