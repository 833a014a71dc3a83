import { builtinModules } from "node:module";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { manifest, root } from "./project.js";

/** The most that a Worker with `createCache` and `herd()` may have. */
export const MAX_CORE_BYTES = 61_000;

/** The names that a Worker imports, by the package's subpath: `{ ".": ["createCache"] }`. */
export type Imports = Readonly<Record<string, readonly string[]>>;

/**
 * Bytes of a Worker that uses these exports of dist/, minified and compressed by gzip.
 * Optional peers such as hono are not counted. The settings are those of wrangler's own bundler.
 */
export async function bundleSize(imports: Imports): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: workerOf(imports), resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    mainFields: ["browser", "module", "main"],
    // The TypeScript settings map the package's name to its sources; dist/ is what users bundle.
    tsconfigRaw: {},
    external: Object.keys(manifest.peerDependencies),
    // Node's own modules are part of workerd.
    plugins: [
      {
        name: "node-modules",
        setup: ({ onResolve }) => onResolve({ filter: NODE_MODULES }, () => ({ external: true })),
      },
    ],
  });
  return outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
}

const NODE_MODULES = new RegExp(`^(node|cloudflare):|^(${builtinModules.join("|")})$`);

function workerOf(imports: Imports): string {
  const entries = Object.entries(imports).flatMap(([path, names]) => names.map((name) => ({ path, name })));
  const lines = entries.map(
    ({ path, name }, index) => `import { ${name} as used${index} } from "${manifest.name}${path.slice(1)}";`,
  );
  return `${lines.join("\n")}\nexport default [${entries.map((_, index) => `used${index}`)}];\n`;
}
