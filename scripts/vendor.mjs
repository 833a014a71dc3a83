// @ts-check
// iovalkey as one ES module, on every host: bundlers can't put a CommonJS package that requires node:net into an ES module.
// Parts that this library doesn't use are left out, as a Worker's bundle would carry them: clusters, sentinels, scan streams,
// pipelines, subscriptions, methods for commands and scripts, and the debug log. Small helpers have shorter forms. NOTICE.md beside the
// result has the licences of the packages in it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire, isBuiltin } from "node:module";
import { join } from "node:path";

/** Replacements of modules of iovalkey and of packages that it uses. */
const STAND_INS = {
  "iovalkey/built/connectors/StandaloneConnector.js": `const Connector = require("./AbstractConnector.js").default;
    exports.default = class extends Connector {
      constructor(options) {
        super(options.disconnectTimeout);
        this.options = options;
      }
      async connect() {
        this.connecting = true;
        await undefined;
        if (!this.connecting) throw new Error("Connection is closed.");
        const { path, host, port, family, tls } = this.options;
        const target = path ? { path } : { host, port, family };
        this.stream = tls ? require("tls").connect({ ...target, ...tls }) : require("net").createConnection(target);
        this.stream.once("error", (error) => {
          this.firstError = error;
        });
        return this.stream;
      }
    };`,
  // Replies stay bytes.
  "iovalkey/built/utils/index.js": `exports.CONNECTION_CLOSED_ERROR_MSG = "Connection is closed.";
    exports.Debug = () => Object.assign(() => {}, { enabled: false });
    exports.noop = () => {};`,
  "iovalkey/built/utils/lodash.js": `exports.noop = () => {};
    exports.isArguments = () => false;
    exports.defaults = (target, ...sources) => {
      for (const source of sources) for (const name in source) if (target[name] === undefined) target[name] = source[name];
      return target;
    };`,
  // No subscriptions, and no monitor.
  "iovalkey/built/DataHandler.js": `const Parser = require("redis-parser");
    exports.default = class {
      constructor(redis) {
        const { stream } = redis;
        const fail = (error) => redis.recoverFromFatalError(error, error, { offlineQueue: false });
        const answer = (how, reply) => {
          const item = redis.commandQueue.shift();
          if (item) item.command[how](reply);
          else fail(new Error("a reply without a command"));
        };
        const parser = new Parser({
          returnBuffers: true,
          returnReply: (reply) => answer("resolve", reply),
          returnError: (error) => answer("reject", error),
          returnFatalError: fail,
        });
        stream.prependListener("data", (data) => parser.execute(data));
        stream.resume();
      }
    };`,
  // A connection that is lost is not opened again, and a login or a database are selected by commands.
  "iovalkey/built/redis/event_handler.js": `const DataHandler = require("../DataHandler").default;
    exports.connectHandler = (redis) => () => {
      redis.setStatus("connect");
      redis.resetCommandQueue();
      redis.setStatus("ready");
      new DataHandler(redis);
    };
    exports.closeHandler = (redis) => () => {
      redis.setStatus("close");
      redis.manuallyClosing = false;
      redis.setStatus("end");
      redis.flushQueue(new Error("Connection is closed."));
    };
    exports.errorHandler = (redis) => (error) => redis.silentEmit("error", error);`,
  // A queue of two stacks. Arrays take microseconds for each shift() once they hold tens of thousands of items.
  denque: `module.exports = class {
    in = [];
    out = [];
    get length() { return this.in.length + this.out.length; }
    push(item) { this.in.push(item); }
    shift() {
      if (!this.out.length) [this.in, this.out] = [this.out, this.in.reverse()];
      return this.out.pop();
    }
    peekAt(index) { return this.out.at(-1 - index) ?? this.in[index - this.out.length]; }
  };`,
  "redis-errors": `class RedisError extends Error { get name() { return this.constructor.name; } }
    class ParserError extends RedisError {}
    class ReplyError extends RedisError {}
    class AbortError extends RedisError {}
    class InterruptError extends AbortError {}
    module.exports = { RedisError, ParserError, ReplyError, AbortError, InterruptError };`,
  // Every other option is given, or off when it is missing.
  "iovalkey/built/redis/RedisOptions.js":
    'exports.DEFAULT_REDIS_OPTIONS = { port: 6379, host: "localhost", db: 0, keepAlive: 0, noDelay: true, keyPrefix: "" };',
  "standard-as-callback": `exports.default = (promise, callback) => {
    if (callback) promise.then((value) => callback(null, value), callback);
    return promise;
  };`,
};

/** What of a class is used: the methods that are called, and what replaces code for other uses. */
const USED = [
  {
    file: /iovalkey\/built\/Redis\.js$/,
    // The others send commands, subscribe, monitor and scan.
    methods:
      "constructor connect disconnect silentEmit recoverFromFatalError resetCommandQueue resetOfflineQueue setStatus flushQueue",
    replaced: {
      // The class below the client sends commands, which are written to the stream here, and queued for their replies.
      "class Redis extends Commander_1.default": "class Redis extends events_1.EventEmitter",
      "events_1.EventEmitter.call(this);": "",
      "(0, applyMixin_1.default)(Redis, events_1.EventEmitter);": "",
      "(0, transaction_1.addTransactionSupport)(Redis.prototype);": "",
      "Redis.Cluster = cluster_1.default;": "",
      "Redis.Command = Command_1.default;": "",
      'require("./connectors")': '{ StandaloneConnector: require("./connectors/StandaloneConnector").default }',
      'const commands_1 = require("@iovalkey/commands");': "",
      'const cluster_1 = require("./cluster");': "",
      'const Command_1 = require("./Command");': "",
      'const SentinelConnector_1 = require("./connectors/SentinelConnector");': "",
      'const ScanStream_1 = require("./ScanStream");': "",
      'const transaction_1 = require("./transaction");': "",
      'const applyMixin_1 = require("./utils/applyMixin");': "",
      'const Commander_1 = require("./utils/Commander");': "",
      'const event_handler_1 = require("./redis/event_handler");': "",
      "(0, event_handler_1.validateFamilyFallbackOptions)(this);": "",
      "(0, event_handler_1.updateTriedFamilies)(this, this.options.family);": "",
      "this._autoPipelines = new Map();": "",
      "this._runningAutoPipelines = new Set();": "",
      "if (options.noDelay)": "if (true)",
      'if (typeof options.keepAlive === "number")': "if (true)",
      "this.options.sentinels": "false",
      "this.options.scripts": "false",
      "this.options.lazyConnect": "true",
      '"sentinels" in options': "false",
      "debug.enabled": "false",
    },
  },
  {
    file: /redis-parser\/lib\/parser\.js$/,
    methods: "constructor reset execute",
    replaced: {
      "!options)": "false)",
      "typeof options.returnError !== 'function' || typeof options.returnReply !== 'function'": "false",
      "this.setReturnBuffers(!!options.returnBuffers)": "",
      "this.setStringNumbers(!!options.stringNumbers)": "",
      "parser.optionReturnBuffers === true": "true",
      "this.optionReturnBuffers": "true",
      "parser.optionStringNumbers === true": "false",
      "require('string_decoder').StringDecoder": "undefined",
      "new StringDecoder()": "undefined",
    },
  },
];

/** The exports of iovalkey that this library imports. */
const ENTRY = `
  import redis from "iovalkey/built/Redis.js";
  import errors from "redis-errors";
  import connector from "iovalkey/built/connectors/AbstractConnector.js";

  export const Redis = redis.default;
  // Settings never come as a URL, a host or a port.
  Redis.prototype.parseOptions = function (options) {
    this.options = { ...Redis.defaultOptions, ...options };
  };
  export const ReplyError = errors.ReplyError;
  export const AbstractConnector = connector.default;
`;

/** Packages whose code is in the result. */
const AUTHORS = ["iovalkey", "redis-parser"];

/**
 * Writes `vendor/iovalkey.js`, and the licences of the packages in it.
 * @param {string} target
 * @param {string} root
 */
export async function buildVendor(target, root) {
  // Imported here because they may not be installed yet when this file is loaded.
  const { rolldown } = await import("rolldown");
  const { esmExternalRequirePlugin } = await import("rolldown/plugins");
  const bundle = await rolldown({
    cwd: root,
    input: "entry",
    platform: "neutral",
    plugins: [
      standIns(join(root, "package.json")),
      ...USED.map(only),
      esmExternalRequirePlugin({ external: [...builtinModules] }),
    ],
    transform: { target: "es2022" },
    // Nothing is written to the debug log, so its texts need not be there.
    treeshake: { manualPureFunctions: ["debug"] },
  });
  const compress = { treeshake: { manualPureFunctions: ["debug"] } };
  await bundle.write({
    file: join(target, "vendor", "iovalkey.js"),
    format: "esm",
    // A package of the same name may be installed, and some bundlers would take that.
    paths: (id) => (isBuiltin(id) ? `node:${id}` : id),
    minify: { compress, mangle: true, codegen: true },
  });
  await bundle.close();
  writeFileSync(join(target, "vendor", "NOTICE.md"), AUTHORS.map((name) => licence(root, name)).join("\n"));
}

/**
 * @param {string} root
 * @param {string} name of a package
 */
function licence(root, name) {
  const folder = join(root, "node_modules", name);
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (!file) throw new Error(`${name} has no licence to pass on; see whether it is installed`);
  return `# ${name}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}

/**
 * Leaves out what is not used of these classes, which a bundler can't know.
 * @param {typeof USED[number]} used
 * @returns {import("rolldown").Plugin}
 */
function only({ file, methods, replaced }) {
  const called = new Set(methods.split(" "));
  return {
    name: "only-what-is-used",
    transform: {
      filter: { id: file },
      handler(code) {
        const found = this.parse(code).body.find((node) => node.type === "ClassDeclaration");
        if (found?.type !== "ClassDeclaration")
          throw new Error(`There is no class in ${file}; see what its package has`);
        let kept = code;
        for (const member of found.body.body.reverse()) {
          const name = member.type === "MethodDefinition" && member.key.type === "Identifier" ? member.key.name : "";
          if (!called.has(name)) kept = kept.slice(0, member.start) + kept.slice(member.end);
        }
        for (const [expression, value] of Object.entries(replaced)) {
          if (!kept.includes(expression)) throw new Error(`${file} has no ${expression}; see what its package has`);
          kept = kept.replaceAll(expression, value);
        }
        return kept;
      },
    },
  };
}

/**
 * @param {string} from
 * @returns {import("rolldown").Plugin}
 */
function standIns(from) {
  // Resolved from iovalkey's own folder, as its dependencies may be nested there.
  const require = createRequire(createRequire(from).resolve("iovalkey"));
  const files = new Map(Object.entries(STAND_INS).map(([name, code]) => [require.resolve(name), code]));
  return {
    name: "stand-ins",
    resolveId(name, importer) {
      if (name === "entry") return "\0entry.mjs";
      if (isBuiltin(name)) return undefined;
      return (importer?.startsWith("/") ? createRequire(importer) : require).resolve(name);
    },
    load: (id) => (id === "\0entry.mjs" ? ENTRY : files.get(id)),
  };
}
