import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Writes measurements for `npm run faults`; does nothing in other runs. */
export async function keepFigures(name: string, figures: object): Promise<void> {
  const folder = process.env.FAULT_FIGURES;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  const order = performance.timeOrigin + performance.now();
  await writeFile(join(folder, `${name.replaceAll(/\W+/g, "-")}.json`), JSON.stringify({ order, ...figures }));
}
