import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "rolldown/parseAst";
const root = fileURLToPath(new URL("../../src", import.meta.url));
export function readSources() {
    const paths = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
    return paths.sort().map((path) => readSource(path, readFileSync(join(root, path), "utf8")));
}
export function readSource(path, text) {
    const nodes = [...walk(parseAst(text, { lang: "ts" }))];
    const names = [...new Set(nodes.flatMap(importedBy))];
    const isFile = (name) => name.startsWith(".");
    return {
        path,
        lines: text.trimEnd().split("\n").length,
        files: names.filter(isFile).map((name) => toPath(path, name)),
        packages: names.filter((name) => !isFile(name) && !name.startsWith("node:")).map(packageOf),
        hasDefaultExport: nodes.some(isDefaultExport),
    };
}
function* walk(value) {
    if (typeof value !== "object" || value === null)
        return;
    if (isNode(value))
        yield value;
    for (const child of Object.values(value))
        yield* walk(child);
}
function isNode(value) {
    return "type" in value && typeof value.type === "string";
}
const IMPORTING = new Set([
    "ImportDeclaration",
    "ExportNamedDeclaration",
    "ExportAllDeclaration",
    "ImportExpression",
    "TSImportType",
]);
function importedBy(node) {
    const source = IMPORTING.has(node.type) ? node.source : isRequire(node) ? firstOf(node.arguments) : undefined;
    return isText(source) ? [source.value] : [];
}
function isRequire({ type, callee }) {
    return (type === "CallExpression" &&
        typeof callee === "object" &&
        callee !== null &&
        "name" in callee &&
        callee.name === "require");
}
function isDefaultExport({ type, exported }) {
    if (type === "ExportDefaultDeclaration")
        return true;
    return (type === "ExportSpecifier" &&
        typeof exported === "object" &&
        exported !== null &&
        "name" in exported &&
        exported.name === "default");
}
function firstOf(list) {
    return Array.isArray(list) ? list[0] : undefined;
}
function isText(value) {
    return typeof value === "object" && value !== null && "value" in value && typeof value.value === "string";
}
/** Files are named in imports as they are named once compiled. */
function toPath(importer, name) {
    return posix.join(posix.dirname(importer), name).replace(/\.js$/, ".ts");
}
function packageOf(name) {
    return name
        .split("/")
        .slice(0, name.startsWith("@") ? 2 : 1)
        .join("/");
}
