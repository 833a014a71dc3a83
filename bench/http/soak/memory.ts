/** Memory of a process after garbage collections, in MiB. */
export interface Memory {
  readonly heapMiB: number;
  /** Of buffers, outside the heap. */
  readonly externalMiB: number;
  /** Resident memory. */
  readonly rssMiB: number;
}

const MIB = 1_024 * 1_024;

/** Collects all garbage, with what it was the last to hold, and measures what is left. Needs `--expose-gc`. */
export async function measureMemory(): Promise<Memory> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await new Promise(setImmediate);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapMiB: heapUsed / MIB, externalMiB: external / MIB, rssMiB: rss / MIB };
}
