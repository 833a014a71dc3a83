import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take long, mostly as they wait for timers, servers and other processes. */
const SLOW =
  /\/test\/(?:faults|staleness|promises|workerd|acl)\/|\/(?:processes|page|memory|credentials|lost-locks|express-recipes|failovers|listening|read-from|copies|package|keyv-faults|worker)\.test/;

/**
 * Spreads the slow files over the others, so that there is always work for every core, and short files come last: the run
 * ends when all its workers do.
 */
export class SlowFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isShared = ({ project }: TestSpecification) => !project.config.isolate && project.name !== "workerd";
    // Files that share a process have to follow one another.
    const shared = sorted.filter(isShared);
    const alone = sorted.filter((file) => !isShared(file));
    const slow = alone.filter(({ moduleId }) => SLOW.test(moduleId));
    const others = alone.filter(({ moduleId }) => !SLOW.test(moduleId));
    const between = Math.max(1, Math.floor(others.length / (slow.length + 1)));
    const mixed = slow.flatMap((file, i) => [file, ...others.slice(i * between, (i + 1) * between)]);
    return [...mixed, ...others.slice(slow.length * between), ...shared];
  }
}
