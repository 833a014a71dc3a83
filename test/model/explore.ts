import { type InvariantName, Invariants, Violation } from "./invariants.js";
import type { Protocol } from "./protocol.js";
import { Server } from "./server.js";
import { Steps } from "./steps.js";
import { encode, type World } from "./world.js";

export interface Exploration {
  readonly states: number;
  /** The number of steps of the longest of the shortest ways to each state. */
  readonly depth: number;
  /** The first violation in breadth-first order, with the steps that lead to it. */
  readonly violation: { readonly invariant: InvariantName; readonly steps: readonly string[] } | undefined;
}

interface Visit {
  readonly name: string;
  readonly from: Visit | undefined;
}

/** Explores every state that can be reached, breadth first, until an invariant is violated. @param only the one invariant to check */
export function explore(protocol: Protocol, starts: readonly World[], only?: InvariantName): Exploration {
  const invariants = new Invariants(only);
  const steps = new Steps(protocol, new Server(protocol), invariants);
  const known = new Set<string>();
  let level: { world: World; visit: Visit | undefined }[] = [];
  let next: typeof level = [];
  const add = (world: World, visit: Visit | undefined): void => {
    const id = encode(world);
    if (known.has(id)) return;
    known.add(id);
    next.push({ world, visit });
  };
  for (const world of starts) add(world, undefined);
  let depth = -1;
  while (next.length > 0) {
    level = next;
    next = [];
    depth++;
    for (const { world, visit } of level) {
      try {
        invariants.ofState(world);
        let count = 0;
        steps.from(world, (name, after) => {
          count++;
          add(after, { name, from: visit });
        });
        invariants.ofSteps(count);
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        return { states: known.size, depth, violation: { invariant: error.invariant, steps: path(visit) } };
      }
    }
  }
  return { states: known.size, depth, violation: undefined };
}

function path(visit: Visit | undefined): string[] {
  const names: string[] = [];
  for (let at = visit; at; at = at.from) names.unshift(at.name);
  return names;
}
