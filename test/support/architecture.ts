import type { Source } from "./sources.js";

/** A file imports only from rows above its own and from its own folder. The row `.` is the top of `src/`. */
export const LAYERS: readonly (readonly string[])[] = [
  ["core"],
  ["codec", "serializers", "compressors"],
  ["connection", "lease"],
  ["tags"],
  ["near"],
  ["client"],
  ["cache"],
  ["http", "observability", "definitions"],
  ["hosts", "otel", "inspect"],
  ["hono", "fetch", "node", "adapters", "next", "inspector"],
  ["fastify"],
  ["api"],
  ["."],
  ["cli"],
];

/** Packages that any file may import. */
const GENERAL: ReadonlySet<string> = new Set(["lru-cache"]);
/** Packages that all files of some folders may import. Every other package is imported in one file only. */
const ADAPTERS: Readonly<Record<string, readonly string[]>> = {
  fastify: ["fastify"],
  hono: ["hono", "inspector"],
  "@opentelemetry/api": ["otel"],
  // The package itself: its exports decide which entry point that is, and bundles don't carry it twice.
  "valkey-edge-cache": ["hosts", "cli"],
};

/** Files whose framework takes a default export only. */
const DEFAULT_EXPORTS: ReadonlySet<string> = new Set([
  "adapters/unstorage.ts",
  "next/incremental.ts",
  "next/use-cache.ts",
]);

const LONGEST_FILE = 350;

/** One sentence for each violation of a rule. */
export function violations(sources: readonly Source[], layers: typeof LAYERS = LAYERS): string[] {
  return [...layering(sources, layers), ...cycles(sources), ...vendors(sources), ...shapes(sources)];
}

function layering(sources: readonly Source[], layers: typeof LAYERS): string[] {
  const rowOf = (path: string) => layers.findIndex((row) => row.includes(folderOf(path)));
  return sources.flatMap(({ path, files }) => {
    if (rowOf(path) === -1) return [`${path}: its folder is in no layer`];
    return files
      .filter((file) => folderOf(file) !== folderOf(path) && !(rowOf(file) !== -1 && rowOf(file) < rowOf(path)))
      .map((file) => `${path} imports ${file}, which is not in a layer above its own`);
  });
}

/** One sentence for each import cycle, along a shortest path. */
function cycles(sources: readonly Source[]): string[] {
  const imports = new Map(sources.map(({ path, files }) => [path, files]));
  return sources.flatMap(({ path }) => {
    const way = shortestPath(imports, path);
    // Each cycle is reported once, at its first file.
    return way?.every((file) => file >= path) ? [`a cycle: ${[path, ...way].join(" → ")}`] : [];
  });
}

function shortestPath(imports: ReadonlyMap<string, readonly string[]>, start: string): string[] | undefined {
  const ways: string[][] = [[]];
  const visited = new Set<string>();
  for (const way of ways) {
    for (const next of imports.get(way.at(-1) ?? start) ?? []) {
      if (next === start) return [...way, next];
      if (visited.has(next)) continue;
      visited.add(next);
      ways.push([...way, next]);
    }
  }
  return undefined;
}

function vendors(sources: readonly Source[]): string[] {
  const names = [...new Set(sources.flatMap(({ packages }) => packages))].filter((name) => !GENERAL.has(name)).sort();
  return names.flatMap((name) => {
    const importers = sources.filter(({ packages }) => packages.includes(name)).map(({ path }) => path);
    const outside = importers.filter((path) => ADAPTERS[name]?.includes(folderOf(path)) !== true);
    return outside.length > 1 ? [`${name} is imported in more than one file: ${outside.join(", ")}`] : [];
  });
}

function shapes(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, lines, hasDefaultExport }) => [
    ...(lines > LONGEST_FILE ? [`${path} has ${lines} lines, more than ${LONGEST_FILE}`] : []),
    ...(hasDefaultExport && !DEFAULT_EXPORTS.has(path) ? [`${path} has a default export`] : []),
  ]);
}

/** The first folder under `src/`, or `.` for files at the top. */
function folderOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.indexOf("/")) : ".";
}
