// @ts-check
// npm run figures: the size of src/ in files, lines, functions and casts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root, script } from "./run.mjs";

const LISTED = 5;

/**
 * @typedef {object} Measured
 * @property {string} path under src/
 * @property {number} lines
 * @property {{ name: string, lines: number }[]} functions
 * @property {number} casts `as` and `<T>` other than `as const`, and `!` after a value
 */

/** @typedef {{ type: string, start: number, end: number, [property: string]: unknown }} Node */

/**
 * Measures one file.
 * @param {string} path
 * @param {string} text TypeScript
 * @param {(text: string, options: { lang: "ts" }) => unknown} parse rolldown's `parseAst`
 * @returns {Measured}
 */
export function measure(path, text, parse) {
  /** @type {Measured} */
  const measured = { path, lines: text.trimEnd().split("\n").length, functions: [], casts: 0 };
  /** @param {unknown} value @param {string} name */
  const walk = (value, name) => {
    if (typeof value !== "object" || value === null) return;
    if (isNode(value)) {
      if (isCast(value)) measured.casts += 1;
      if (isFunction(value)) {
        const lines = text.slice(value.start, value.end).split("\n").length;
        measured.functions.push({ name: nameOf(value.id) ?? name, lines });
      }
    }
    const inner = nameOf("key" in value ? value.key : "id" in value ? value.id : undefined) ?? name;
    for (const child of Object.values(value)) walk(child, inner);
  };
  walk(parse(text, { lang: "ts" }), "anonymous");
  return measured;
}

/** @param {object} value @returns {value is Node} */
function isNode(value) {
  return "type" in value && typeof value.type === "string";
}

/** @param {Node} node */
function isFunction({ type, body }) {
  return ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"].includes(type) && body !== null;
}

/** @param {Node} node */
function isCast({ type, typeAnnotation }) {
  if (type === "TSNonNullExpression" || type === "TSTypeAssertion") return true;
  return type === "TSAsExpression" && !isConst(typeAnnotation);
}

/** @param {unknown} annotation */
function isConst(annotation) {
  const { typeName } = /** @type {{ typeName?: unknown }} */ (annotation);
  return nameOf(typeName) === "const";
}

/** @param {unknown} identifier */
function nameOf(identifier) {
  if (typeof identifier !== "object" || identifier === null || !("name" in identifier)) return undefined;
  return typeof identifier.name === "string" ? identifier.name : undefined;
}

/**
 * The report, one figure a line.
 * @param {readonly Measured[]} files
 */
export function figures(files) {
  const sizes = files.map(({ lines }) => lines).sort((a, b) => a - b);
  const lines = sizes.reduce((sum, each) => sum + each, 0);
  const casts = files.reduce((sum, each) => sum + each.casts, 0);
  const functions = files.flatMap(({ path, functions: own }) => own.map((each) => ({ ...each, path })));
  const largest = [...files].sort((a, b) => b.lines - a.lines).slice(0, LISTED);
  const longest = functions.sort((a, b) => b.lines - a.lines).slice(0, LISTED);
  return [
    `files: ${files.length}`,
    `lines: ${lines}`,
    `median lines of a file: ${median(sizes)}`,
    `files under 40 lines: ${sizes.filter((size) => size < 40).length}`,
    `largest files: ${largest.map(({ path, lines: size }) => `${path} ${size}`).join(", ")}`,
    `longest functions: ${longest.map(({ path, name, lines: size }) => `${name} (${path}) ${size}`).join(", ")}`,
    `casts: ${casts}, ${((casts / lines) * 1000).toFixed(1)} per 1,000 lines`,
  ];
}

/** @param {readonly number[]} sorted */
function median(sorted) {
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

if (process.argv[1] === import.meta.filename) {
  await script(async () => {
    // Imported here because it may not be installed yet when this file is loaded.
    const { parseAst } = await import("rolldown/parseAst");
    const folder = join(root, "src");
    const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
    const files = paths.sort().map((path) => measure(path, readFileSync(join(folder, path), "utf8"), parseAst));
    for (const line of figures(files)) console.log(line);
    return 0;
  });
}
