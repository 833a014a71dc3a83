import type { Diagnosis } from "./finding.js";
import type { Subject } from "./subject.js";

/** One thing that the doctor looks at. */
export interface Check {
  /** The name of its findings; those of a check that has several begin with it and a dot. */
  readonly name: string;
  /** Whether it needs a server that answers. */
  readonly needsServer: boolean;
  /** @throws {Skip} where it can't be known */
  run(subject: Subject): Promise<readonly Diagnosis[]> | readonly Diagnosis[];
}
