import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { manifest, output, root, runtime } from "./support/project.js";

interface Step {
  uses?: string;
  run?: string;
  env?: Record<string, string>;
}

interface Job {
  "runs-on"?: string;
  "timeout-minutes"?: number;
  permissions?: Record<string, string>;
  uses?: string;
  needs?: string | string[];
  steps?: Step[];
}

interface Workflow {
  on: Record<string, unknown>;
  permissions?: Record<string, string>;
  concurrency?: unknown;
  jobs: Record<string, Job>;
}

interface Field {
  type: string;
  id?: string;
  attributes: { label?: string; value?: string };
}

const paths = globSync([".github/**/*.yml"], { cwd: root }).map((path) => path.replaceAll("\\", "/"));
const files = new Map<string, unknown>();

/** Bun parses YAML, and is among the tools of the tests. */
const PARSE = `const texts = await Bun.stdin.json();
const parsed = {};
for (const [path, text] of Object.entries(texts)) {
  try {
    parsed[path] = { value: Bun.YAML.parse(text) };
  } catch (error) {
    parsed[path] = { error: String(error) };
  }
}
console.log(JSON.stringify(parsed));`;

async function parseAll(texts: Readonly<Record<string, string>>) {
  const bun = await runtime("bun");
  if (bun === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "yaml-"));
  const program = join(folder, "parse.mjs");
  writeFileSync(program, PARSE.replace("await Bun.stdin.json()", JSON.stringify(texts)));
  return JSON.parse(await output(bun, [program], folder)) as Record<string, { value?: unknown; error?: string }>;
}

const bun = await runtime("bun");

describe.skipIf(bun === undefined)(".github", () => {
  beforeAll(async () => {
    const parsed = await parseAll(
      Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), "utf8")])),
    );
    for (const [path, { value, error }] of Object.entries(parsed ?? {})) {
      expect(error, path).toBeUndefined();
      files.set(path, value);
    }
  });

  const workflows = () =>
    [...files].flatMap(([path, value]) =>
      path.startsWith(".github/workflows/") ? [[path, value as Workflow] as const] : [],
    );
  const jobs = () =>
    workflows().flatMap(([path, { jobs }]) =>
      Object.entries(jobs).map(([name, job]) => [`${path}: ${name}`, job] as const),
    );
  const steps = () => jobs().flatMap(([name, { steps = [] }]) => steps.map((step) => [name, step] as const));

  it("has files that are YAML, and the test sees one that is not", async () => {
    expect([...files.keys()].sort()).toEqual([...paths].sort());
    expect(workflows().map(([path]) => path)).toContain(".github/workflows/ci.yml");
    const wrong = await parseAll({ wrong: "a: [1" });
    expect(wrong?.wrong?.error).toBeDefined();
  });

  it("runs only commands of this project, of npm, of GitHub and of the shell", () => {
    const lines = steps().flatMap(([name, { run = "" }]) =>
      run.split("\n").map((line) => [name, line.trim()] as const),
    );
    for (const [name, line] of lines) expect(unknown(line), `${name}: ${line}`).toBeUndefined();
    expect(lines.map(([, line]) => line)).toEqual(expect.arrayContaining([".ci/run", "npm run docs"]));
  });

  it("would find a command that does not exist", () => {
    expect(unknown("npm run no-such-script")).toContain("no-such-script");
    expect(unknown("node scripts/absent.mjs check")).toContain("absent.mjs");
    expect(unknown(".ci/absent")).toContain(".ci/absent");
    expect(unknown("curl example.org")).toContain("curl");
  });

  it("gives each job a time limit, and no permission that it does not name", () => {
    for (const [path, { permissions, concurrency }] of workflows()) {
      expect(permissions, path).toEqual({ contents: "read" });
      expect(concurrency, path).toBeDefined();
    }
    for (const [name, { uses, ...job }] of jobs()) {
      if (uses === undefined) expect(job["timeout-minutes"], name).toBeGreaterThan(0);
      else expect(existsSync(join(root, uses)), `${name}: ${uses}`).toBe(true);
    }
    const writing = jobs().flatMap(([name, { permissions = {} }]) =>
      Object.entries(permissions).flatMap(([scope, level]) => (level === "write" ? [`${name} ${scope}`] : [])),
    );
    expect(writing.sort()).toEqual([
      ".github/workflows/docs.yml: publish id-token",
      ".github/workflows/docs.yml: publish pages",
      ".github/workflows/release.yml: notes contents",
      ".github/workflows/release.yml: npm id-token",
    ]);
  });

  it("uses only actions of GitHub itself, by their major version", () => {
    const used = steps().flatMap(([, { uses }]) => uses ?? []);
    expect(used.filter((name) => !/^actions\/[\w-]+@v\d+$/.test(name))).toEqual([]);
    expect(new Set(used.map((name) => name.split("@")[0])).size).toBe(new Set(used).size);
  });

  it("keeps texts of pull requests and of tags out of shell commands, where they would be run", () => {
    for (const [name, { run = "" }] of steps()) expect(run, name).not.toContain("${{");
  });

  it("publishes only after the checks, by a tag that names the version, and with provenance", () => {
    const { on, jobs } = files.get(".github/workflows/release.yml") as Workflow;
    expect(on).toEqual({ push: { tags: ["v*"] } });
    expect(jobs.checks).toMatchObject({ uses: "./.github/workflows/ci.yml", needs: "version" });
    expect(jobs.npm).toMatchObject({ needs: ["version", "checks"] });
    expect(jobs.npm?.steps?.at(-1)?.run).toMatch(/^npm publish --provenance --access public --tag /);
    expect(manifest.publishConfig).toEqual({ access: "public", provenance: true });
  });

  it("builds the site for the path below which GitHub serves it", () => {
    const { jobs } = files.get(".github/workflows/docs.yml") as Workflow;
    const build = jobs.build?.steps?.find(({ run }) => run === "npm run docs");
    expect(build?.env?.SITE_BASE).toMatch(/^\/\$\{\{ github\.event\.repository\.name \}\}\/$/);
    expect(readFileSync(join(root, "docs/.vitepress/config.ts"), "utf8")).toContain("process.env.SITE_BASE");
  });

  it("checks with the oldest Node that package.json allows", () => {
    const { jobs } = files.get(".github/workflows/ci.yml") as {
      jobs: { checks: { strategy: { matrix: { node: string[] } } } };
    };
    expect(`>=${jobs.checks.strategy.matrix.node[0]}`).toBe(manifest.engines.node);
  });

  it("has updates for each folder with packages of its own", () => {
    const { updates } = files.get(".github/dependabot.yml") as {
      updates: { "package-ecosystem": string; directories?: string[] }[];
    };
    const ofNpm = updates.find((update) => update["package-ecosystem"] === "npm");
    const locks = globSync("**/package-lock.json", {
      cwd: root,
      exclude: (name) => /^(node_modules|\.|dist)/.test(name),
    });
    const folders = locks.map((path) => `/${dirname(path).replaceAll("\\", "/")}`.replace(/^\/\.$/, "/"));
    expect([...(ofNpm?.directories ?? [])].sort()).toEqual(folders.sort());
    expect(updates.map((update) => update["package-ecosystem"])).toContain("github-actions");
  });

  it("has forms whose fields have a type, a label and an id of their own", () => {
    for (const form of ["bug", "feature"]) {
      const { name, description, body } = files.get(`.github/ISSUE_TEMPLATE/${form}.yml`) as {
        name: string;
        description: string;
        body: Field[];
      };
      expect([name, description]).not.toContain("");
      const fields = body.filter(({ type }) => type !== "markdown");
      expect(fields.length).toBeGreaterThan(0);
      for (const { type, id, attributes } of fields) {
        expect(["input", "textarea", "dropdown", "checkboxes"], id).toContain(type);
        expect(attributes.label, id).toMatch(/\S/);
      }
      expect(new Set(fields.map(({ id }) => id)).size).toBe(fields.length);
    }
  });

  it("links only to files of this repository", () => {
    const own = manifest.repository.url.replace(/^git\+|\.git$/g, "");
    for (const path of paths) {
      const text = readFileSync(join(root, path), "utf8");
      for (const [link] of text.matchAll(/https?:\/\/[^\s)"`]+/g)) {
        expect(link.startsWith(`${own}/`), `${path}: ${link}`).toBe(true);
        const file = /\/blob\/main\/(.+)$/.exec(link)?.[1];
        if (file !== undefined) expect(existsSync(join(root, file)), `${path}: ${file}`).toBe(true);
      }
    }
  });
});

/** Why a line of a workflow can't be run; `undefined` where it can. */
function unknown(line: string): string | undefined {
  const inner = /\$\((?<command>[^)]+)\)/.exec(line)?.groups?.command;
  if (inner !== undefined) return unknown(inner);
  const [program = "", ...args] = line.split(/\s+/);
  if (program === "") return undefined;
  if (program.startsWith(".") || program.startsWith("/")) {
    const isProgram = existsSync(join(root, program)) && (statSync(join(root, program)).mode & 0o111) !== 0;
    return isProgram ? undefined : `${program} is no program of this repository`;
  }
  if (program === "node") return existsSync(join(root, args[0] ?? "")) ? undefined : `${args[0]} does not exist`;
  if (program === "npm" && args[0] === "run") {
    return (args[1] ?? "") in manifest.scripts ? undefined : `package.json has no script ${args[1]}`;
  }
  if (program === "npm")
    return ["ci", "publish", "test"].includes(args[0] ?? "") ? undefined : `npm ${args[0]} is not expected`;
  return ["gh", "echo"].includes(program) ? undefined : `${program} is not expected`;
}
