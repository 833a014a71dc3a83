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
import { CONCEPTS, subpathPages } from "./reference/contents.mjs";
import { indexPage, PROSE, polished, withAnchors } from "./reference/markdown.mjs";
import { root, Stop, script } from "./run.mjs";

/** Not of TypeDoc, so that a type-check needs no packages of docs/. @typedef {any} TypeDoc */

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
  const project = await withReadableText(require("typescript"), () => app.convert());
  if (project) app.validate(project);
  if (!project || messages.length > 0)
    throw new Stop(["reference: TypeDoc refuses doc comments in src/.", ...messages].join("\n"));
  rmSync(target, { recursive: true, force: true });
  await app.generateOutputs(project);
  if (messages.length > 0) throw new Stop(["reference: TypeDoc can't write the pages.", ...messages].join("\n"));
  const texts = new Map(
    [...CONCEPTS, ...pages].map(({ name, about }) => {
      const file = `${name}.md`;
      return [file, polished(readFileSync(join(target, file), "utf8"), about)];
    }),
  );
  for (const [file, text] of withAnchors(texts)) writeFileSync(join(target, file), text);
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
  groupOrder: [
    "Functions",
    "Classes",
    "Interfaces",
    "Type Aliases",
    "Variables",
    "Constructors",
    "Properties",
    "Accessors",
    "Methods",
    "References",
  ],
  useCodeBlocks: true,
  useCustomAnchors: true,
  expandObjects: true,
  useHTMLEncodedBrackets: true,
  expandParameters: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  typeAliasPropertiesFormat: "table",
  typeDeclarationFormat: "table",
  indexFormat: "table",
  tableColumnSettings: {
    hideDefaults: true,
    hideModifiers: true,
    hideInherited: true,
    hideOverrides: true,
    hideSources: true,
  },
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
      throw new Stop(
        `reference: ${child.name} has no page; name ${file} in CONCEPTS of scripts/reference/contents.mjs`,
      );
    main.removeChild(child);
    child.parent = modules[at];
    modules[at].addChild(child);
  }
}

/**
 * Leaves out the methods that interfaces inherit, and all that classes do, as they link what they extend. Options list what they
 * inherit.
 * @param {TypeDoc} project
 * @param {TypeDoc} typedoc
 */
function withoutInherited(project, { ReflectionKind }) {
  for (const { kind, children = [] } of project.getReflectionsByKind(ReflectionKind.ClassOrInterface)) {
    for (const child of [...children]) {
      const isInherited = child.inheritedFrom ?? child.signatures?.[0]?.inheritedFrom;
      if (isInherited && (kind === ReflectionKind.Class || child.kind === ReflectionKind.Method)) {
        project.removeReflection(child);
      }
    }
  }
}

/**
 * The compiler reads some text as TypeDoc shows it best: that leaves out the type in `@throws {Type} when …`, takes words after
 * `@default` for code, and leaves out the dots of a rest that has a name in a tuple.
 * @param {TypeDoc} typescript
 * @param {() => Promise<TypeDoc>} work
 */
async function withReadableText({ sys }, work) {
  const { readFile } = sys;
  sys.readFile = (/** @type {string} */ path, /** @type {string} */ encoding) =>
    readFile
      .call(sys, path, encoding)
      ?.replaceAll(/@throws (?:\{(\w+)\}|(TypeError)\b)/g, "@throws `$1$2`")
      .replaceAll(/(?<=\[\w+: \w+, \.\.\.)\w+: (?=\w+\[\]\];)/g, "")
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

// npm run reference
if (process.argv[1] === import.meta.filename) {
  await script(async () => {
    await ensureDocs();
    await reference(undefined, { log: console.log });
    return 0;
  });
}
