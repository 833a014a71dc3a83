// @ts-check

/**
 * Writes docs/reference/, the pages of every public export, from the doc comments in `src/`.
 *
 *     npm run reference
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { quoted } from "./options.mjs";
import { ensureDocs } from "./packages.mjs";
import { root, Stop, script } from "./run.mjs";

/**
 * A page of the reference. Pages of the main entry point say whose exports they have, by files and folders of `src/`.
 * @typedef {{ name: string, title: string, about: string, sources?: readonly string[] }} Page
 */

/** The main entry point has too many exports for one page. @type {readonly Page[]} */
export const CONCEPTS = [
  {
    name: "cache",
    title: "Caches",
    about: "`createCache()`, `createCaches()`, and every method of a cache, of its sets, hashes and locks.",
    sources: [
      "index.ts",
      "cache/cache.ts",
      "cache/caches.ts",
      "cache/sets.ts",
      "cache/hashes.ts",
      "cache/health.ts",
      "cache/many-entries.ts",
      "client/lock.ts",
    ],
  },
  {
    name: "options",
    title: "Options",
    about: "Options of caches and of their methods, with units and defaults.",
    sources: [
      "cache/options.ts",
      "cache/method-options.ts",
      "connection/options.ts",
      "core/time.ts",
      "connection/address-map.ts",
    ],
  },
  {
    name: "connections",
    title: "Connections",
    about:
      "`glide()`, `glideCluster()`, `iovalkey()`, `sentinel()`, `memory()`, `elasticacheIam()`, and the port of a transport.",
    sources: ["connection/", "api/memory.ts", "core/connection.ts", "core/location.ts", "core/async.ts"],
  },
  {
    name: "clients",
    title: "Loads and clients",
    about: "`herd()` and `defaultClient()`: who loads a missing entry, what else waits, and the port of a client.",
    sources: ["client/"],
  },
  {
    name: "near-cache",
    title: "Near cache",
    about: "`nearCache()`, its options, and the ports behind it.",
    sources: ["near/", "core/near.ts", "tags/entry-tags.ts"],
  },
  {
    name: "definitions",
    title: "Definitions",
    about: "`define()` and `wrap()`: functions whose results are cached, with schemas.",
    sources: ["definitions/"],
  },
  {
    name: "values",
    title: "Values and keys",
    about: "`json()`, `identity()`, the ports of serializers, compressors and codecs, and functions of keys.",
    sources: [
      "serializers/",
      "compressors/",
      "codec/",
      "core/value-format.ts",
      "cache/value-codec.ts",
      "core/key.ts",
      "core/glob.ts",
    ],
  },
  {
    name: "errors",
    title: "Error classes",
    about: "The classes of errors that calls throw.",
    sources: ["core/errors.ts"],
  },
  {
    name: "events",
    title: "Events and statistics",
    about: "Events of a cache, `statistics()` and `mergeStatistics()`.",
    sources: ["core/events.ts", "core/event-types.ts", "observability/"],
  },
];

/** What each subpath is for. Those of one file share a page. @type {Readonly<Record<string, string>>} */
export const SUBPATHS = {
  "./http": "The HTTP cache behind every framework, for adapters of your own.",
  "./hosts": "Handlers for Workers, Lambda, Vercel and other serverless hosts.",
  "./hono": "`httpCache()` and `valkeyCache()`, middleware for Hono.",
  "./fastify": "`httpCacheFastify`, a plugin for Fastify.",
  "./node": "`httpCacheNode()`, middleware for Express, Connect and `node:http`.",
  "./fetch": "`cachedHandler()` for web handlers, and `cachedFetch()` for outgoing calls.",
  "./next": "Handlers of Next's caches, with options.",
  "./next/use-cache": 'A handler for `"use cache"` that is configured by the environment.',
  "./next/incremental":
    "A handler for pages, fetched responses and images of Next that is configured by the environment.",
  "./unstorage": "A driver for unstorage, Nitro and Nuxt.",
  "./keyv": "A store for Keyv, cache-manager and NestJS.",
  "./rest": "The transport over `fetch`, for hosts without TCP.",
  "./otel": "Metrics and spans of OpenTelemetry.",
  "./inspector": "The inspector: a page with the entries, counters and tools of a cache.",
  "./msgpack": "The serializer `msgpack()`.",
  "./structured-clone": "The serializer `structuredClone()`.",
  "./zlib": "The compressors `zlib()`, `gzip()` and `deflate()`.",
  "./gzip": "The same exports as `./zlib`.",
  "./deflate": "The same exports as `./zlib`.",
  "./brotli": "The compressor `brotli()`.",
  "./zstd": "The compressor `zstd()`.",
  "./lz4": "The compressor `lz4()`.",
  "./lzma": "The compressor `lzma()`.",
  "./bz2": "The compressor `bz2()`.",
};

/** Pages that are written by hand, and belong to a reference. */
const OTHERS = [
  ["options.md", "All options", "every option in tables, by function and method"],
  ["errors.md", "Errors", "every error with its cause, its remedy and a message as it is printed"],
  ["observability.md", "Events and metrics", "every event, counter, metric and span"],
  ["cli.md", "Command line", "every command and its options"],
  ["stored-bytes.md", "Stored bytes", "keys and values as the server has them, byte by byte"],
];

/** Not of TypeDoc, so that a type-check needs no packages of docs/. @typedef {any} TypeDoc */

/**
 * The subpaths of the package, with the file in `src/` that each one exports; the main one first.
 * @returns {{ subpath: string, source: string }[]}
 */
export function subpaths() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(exports)
    .filter(([, target]) => typeof target === "object")
    .map(([subpath, { types }]) => ({ subpath, source: types.replace(/^\.\/dist\/(.*)\.d\.ts$/, "$1.ts") }));
}

/** Pages of subpaths, with the files that they export. */
function subpathPages() {
  const { name: packageName } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const order = Object.keys(SUBPATHS);
  const own = subpaths().filter(({ subpath }) => subpath !== ".");
  const absent = own.filter(({ subpath }) => !order.includes(subpath)).map(({ subpath }) => subpath);
  if (absent.length > 0)
    throw new Stop(`reference: ${absent.join(", ")}: add a sentence to SUBPATHS in scripts/reference.mjs`);
  own.sort((a, b) => order.indexOf(a.subpath) - order.indexOf(b.subpath));
  return [...Map.groupBy(own, ({ source }) => source)].map(([source, of]) => {
    const paths = of.map(({ subpath }) => subpath);
    return {
      source,
      subpaths: paths,
      name: (paths[0] ?? "").slice(2).replaceAll("/", "-"),
      title: paths.map((path) => `${packageName}${path.slice(1)}`).join(", "),
    };
  });
}

/**
 * Writes the pages. What TypeDoc warns of is an error: exports without a doc comment, links that lead nowhere.
 * @param {string} [target] a folder whose contents are replaced
 * @param {{ log?: (line: string) => void }} [options]
 */
export async function reference(target = join(root, "docs", "reference"), { log = () => {} } = {}) {
  const require = createRequire(join(root, "docs", "package.json"));
  /** @type {TypeDoc} */
  const typedoc = await import(pathToFileURL(require.resolve("typedoc")).href);
  const pages = subpathPages();
  /** @type {TypeDoc} */
  const app = await typedoc.Application.bootstrapWithPlugins({
    ...OPTIONS,
    tsconfig: join(root, "docs", "tsconfig.reference.json"),
    entryPoints: ["index.ts", ...pages.map(({ source }) => source)].map((source) => join(root, "src", source)),
    outputs: [{ name: "markdown", path: target }],
    plugin: [require.resolve("typedoc-plugin-markdown")],
    pageTitleTemplates: { module: (/** @type {{ name: string }} */ { name }) => titles.get(name) ?? name },
  });
  const titles = new Map([...CONCEPTS, ...pages].map(({ name, title }) => [name, title]));
  /** @type {string[]} */
  const messages = [];
  app.logger = new (class extends typedoc.Logger {
    /** @param {string} message @param {number} level */
    log(message, level) {
      if (level >= typedoc.LogLevel.Warn) messages.push(message);
    }
  })();
  app.converter.on(typedoc.Converter.EVENT_RESOLVE_BEGIN, (/** @type {TypeDoc} */ { project }) => {
    arrange(project, pages, typedoc);
    // Before comments of what is extended take the place of absent ones.
    messages.push(...undocumented(project));
  });
  // After members are known as inherited, and before they are grouped.
  app.converter.on(typedoc.Converter.EVENT_RESOLVE_END, (/** @type {TypeDoc} */ { project }) =>
    withoutInherited(project, typedoc),
  );
  const project = await withReadableTags(require("typescript"), () => app.convert());
  if (project) app.validate(project);
  if (!project || messages.length > 0)
    throw new Stop(["reference: TypeDoc refuses doc comments in src/.", ...messages].join("\n"));
  rmSync(target, { recursive: true, force: true });
  await app.generateOutputs(project);
  if (messages.length > 0) throw new Stop(["reference: TypeDoc can't write the pages.", ...messages].join("\n"));
  for (const { name } of [...CONCEPTS, ...pages]) {
    const file = join(target, `${name}.md`);
    writeFileSync(file, polished(readFileSync(file, "utf8")));
  }
  writeFileSync(join(target, "index.md"), indexPage(pages));
  log(`Wrote the reference to ${relative(root, target)}.`);
}

const OPTIONS = {
  readme: "none",
  name: "Reference",
  excludeInternal: true,
  excludePrivate: true,
  excludeProtected: true,
  excludeExternals: true,
  disableSources: true,
  disableGit: true,
  skipErrorChecking: true,
  sort: ["source-order"],
  validation: { notExported: false, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: false },
  logLevel: "Warn",
  entryFileName: "index.md",
  outputFileStrategy: "modules",
  hidePageHeader: true,
  hideBreadcrumbs: true,
  hideGroupHeadings: true,
  groupOrder: ["Functions", "Classes", "Interfaces", "Type Aliases", "Variables", "References"],
  useCodeBlocks: true,
  expandObjects: true,
  useCustomAnchors: true,
  useHTMLEncodedBrackets: true,
  expandParameters: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  typeAliasPropertiesFormat: "table",
  typeDeclarationFormat: "table",
  indexFormat: "table",
  tableColumnSettings: { hideModifiers: true, hideInherited: true, hideOverrides: true, hideSources: true },
};

/**
 * Makes the pages of the main entry point of its exports, and names the others.
 * @param {TypeDoc} project
 * @param {readonly { source: string, name: string }[]} pages
 * @param {TypeDoc} typedoc
 */
function arrange(project, pages, typedoc) {
  const [main, ...others] = project.children;
  for (const [index, module] of others.entries()) module.name = pages[index]?.name;
  const [first, ...rest] = CONCEPTS;
  // The first page is the module itself: a module can't be removed without its exports.
  main.name = first?.name;
  const added = rest.map(({ name }) => {
    const module = new typedoc.DeclarationReflection(name, typedoc.ReflectionKind.Module, project);
    project.registerReflection(module);
    project.addChild(module);
    return module;
  });
  const modules = [main, ...added];
  for (const child of [...main.children]) {
    const file = relative(join(root, "src"), project.getSymbolIdFromReflection(child).fileName);
    const at = CONCEPTS.findIndex(({ sources = [] }) =>
      sources.some((source) => (source.endsWith("/") ? file.startsWith(source) : file === source)),
    );
    if (at < 0)
      throw new Stop(`reference: ${child.name} has no page; name ${file} in CONCEPTS of scripts/reference.mjs`);
    main.removeChild(child);
    child.parent = modules[at];
    modules[at].addChild(child);
  }
}

/**
 * Leaves out what classes inherit, as their pages link what they extend. Options list what they inherit.
 * @param {TypeDoc} project
 * @param {TypeDoc} typedoc
 */
function withoutInherited(project, { ReflectionKind }) {
  for (const { children = [] } of project.getReflectionsByKind(ReflectionKind.Class)) {
    for (const child of [...children]) {
      if (child.inheritedFrom ?? child.signatures?.[0]?.inheritedFrom) project.removeReflection(child);
    }
  }
}

/** Stands before a default in words, which TypeDoc would show as code. */
const PROSE = "`(words)`";

/**
 * The compiler reads some tags as TypeDoc shows them best: it leaves out the type in `@throws {Type} when …`, and takes words
 * after `@default` for code.
 * @param {TypeDoc} typescript
 * @param {() => Promise<TypeDoc>} work
 */
async function withReadableTags({ sys }, work) {
  const { readFile } = sys;
  sys.readFile = (/** @type {string} */ path, /** @type {string} */ encoding) =>
    readFile
      .call(sys, path, encoding)
      ?.replaceAll(/@throws \{(\w+)\}/g, "@throws `$1`")
      .replaceAll(/@default (.+?)(?=\s*(?:\*\/|\n))/g, (/** @type {string} */ _all, /** @type {string} */ value) => {
        const text = quoted(value);
        return `@default ${text.includes("`") ? text : `${PROSE} ${text}`}`;
      });
  try {
    return await work();
  } finally {
    sys.readFile = readFile;
  }
}

/**
 * A page as it is easier to read: errors lead to the page that explains them, what another page has is one list, and it is not
 * said of each member where else it is declared.
 * @param {string} page
 */
function polished(page) {
  const reexport = /^## .* \{#.*\}\n\n(?:Re-exports|Renames and re-exports) (\[.*\]\(.*\))\n(?:\n\*\*\*\n\n)?/gm;
  const elsewhere = [...page.matchAll(reexport)].map(([, link]) => `- ${link}\n`);
  const own = page
    .replaceAll(reexport, "")
    .replaceAll(/^#+ (?:Implementation of|Overrides|Inherited from)\n\n.+\n\n?/gm, "")
    .replaceAll(/^(#+ Throws\n\n)`(\w+Error)`/gm, (_all, heading, name) =>
      name === "TypeError" ? `${heading}\`TypeError\`` : `${heading}[\`${name}\`](../errors.md#${name.toLowerCase()})`,
    )
    .replaceAll(`${PROSE} `, "")
    // VitePress gives a title an id by its words, which an export may have.
    .replace(/^# .*$/m, (title) => `${title} {#page}`)
    .replace(/\n(?:\n|\*\*\*\n)*$/, "\n");
  return elsewhere.length === 0 ? own : `${own}\n## Also exported here\n\n${elsewhere.join("")}`;
}

/**
 * Every export and every option has a comment. TypeDoc's own check can't tell them from members that need none, such as those
 * that mirror a framework's.
 * @param {TypeDoc} project
 * @returns {string[]}
 */
function undocumented(project) {
  /** @type {TypeDoc[]} */
  const exported = project.children.flatMap((/** @type {TypeDoc} */ { children = [] }) => children);
  const options = exported
    .filter(({ name }) => name.endsWith("Options"))
    .flatMap(({ children, type }) => children ?? type?.declaration?.children ?? []);
  /** @type {(reflection: TypeDoc) => boolean} */
  const isDocumented = (reflection) =>
    // References are documented where they lead.
    reflection.isReference() || reflection.hasComment() || (reflection.signatures ?? []).some(isDocumented);
  return [...exported, ...options]
    .filter((reflection) => !isDocumented(reflection))
    .map((reflection) => `${reflection.getFullName()} has no doc comment; write one`);
}

/** @param {readonly { name: string, title: string, subpaths: readonly string[] }[]} pages */
function indexPage(pages) {
  const concepts = CONCEPTS.map(({ name, title, about }) => `| [${title}](${name}.md) | ${about} |`);
  const paths = pages.flatMap(({ name, subpaths }) =>
    subpaths.map((subpath) => `| [\`${subpath}\`](${name}.md) | ${SUBPATHS[subpath]} |`),
  );
  return `${INTRODUCTION}
## The main entry point

\`import { … } from "valkey-edge-cache"\`

| page | |
|---|---|
${concepts.join("\n")}

## Subpaths

\`import { … } from "valkey-edge-cache/hono"\`, and so on.

| subpath | |
|---|---|
${paths.join("\n")}
`;
}

const INTRODUCTION = `# Reference

Every export of the package, made from the doc comments in its source. Durations are in seconds, or strings such as \`"5m"\`.

| page | |
|---|---|
${OTHERS.map(([file, title, about]) => `| [${title}](../${file}) | ${about} |`).join("\n")}
`;

// npm run reference
if (process.argv[1] === import.meta.filename) {
  await script(async () => {
    await ensureDocs();
    await reference(undefined, { log: console.log });
    return 0;
  });
}
