import type { Connection } from "../../core/connection.js";
import { ConfigurationError, ConnectionError } from "../../core/errors.js";
import type { Location } from "../../core/location.js";
import { warnOnce } from "../copies.js";
import { currentLogin } from "../credentials.js";
import { toSettings as toIovalkeySettings } from "../iovalkey/factory.js";
import { loadClient, openOnNode } from "../iovalkey/node.js";
import type { ConnectionOptions } from "../options.js";
import { TopologyError } from "../probe.js";
import type { TrackWork } from "../resilience/background-work.js";
import { timeLeftMs } from "../resilience/deadline.js";
import type { DialScope } from "../resilience/dialer.js";
import { type GlideSettings, openGlide } from "./client.js";
import { GlideRefusedError, toConnectionError } from "./dial.js";
import { findPrimary } from "./find-primary.js";
import { GlideMissingError, loadGlide } from "./module.js";

/** Why GLIDE can't be used in this process; known with the first dial. */
let missing: GlideMissingError | undefined;

/**
 * Connects over GLIDE: to one server, or to a cluster where the server turns out to be a node of one. Where GLIDE can't be
 * used though the server can be reached, it connects over iovalkey, and says so in a warning.
 */
export class DefaultTransport {
  readonly #settings: GlideSettings;
  readonly #location: Location;
  readonly #options: ConnectionOptions;
  #topology: "unknown" | "cluster" | "no cluster" = "unknown";
  #refused: GlideRefusedError | undefined;

  constructor(settings: GlideSettings, location: Location, options: ConnectionOptions) {
    this.#settings = settings;
    this.#location = location;
    this.#options = options;
  }

  get isCluster(): boolean {
    return this.#topology === "cluster";
  }

  /** A reply is one that nodes of clusters send. @returns whether the next dial can connect to the cluster */
  findsCluster(): boolean {
    if (this.#topology === "unknown" && !missing && !this.#refused) this.#topology = "cluster";
    return this.isCluster;
  }

  /** Loads the client that the next dial uses first. */
  prepare(): Promise<unknown> {
    return (missing ?? this.#refused) ? loadClient() : loadGlide(this.#settings.logLevel);
  }

  async open(track: TrackWork, retire: () => void): Promise<Connection> {
    const scope = { track, retire, endMs: performance.now() + this.#settings.connectTimeoutMs };
    let reason = missing ?? this.#refused;
    if (!reason) {
      try {
        return await this.#openGlide(scope);
      } catch (error) {
        if (error instanceof GlideMissingError) reason = missing = error;
        else if (error instanceof GlideRefusedError) reason = this.#refused = error;
        else throw error;
      }
    }
    refuseSubstitute(this.#location, this.#options, reason);
    const connection = await this.#openSubstitute(scope);
    warnOnce(`${this.#settings.name} is reached over iovalkey instead of valkey-glide: ${reason.message}`);
    return connection;
  }

  async #openGlide(scope: DialScope): Promise<Connection> {
    const open = () => openGlide({ ...this.#settings, cluster: this.isCluster }, scope);
    try {
      return await open();
    } catch (error) {
      const isWrong = error instanceof ConnectionError && error.cause instanceof TopologyError;
      if (!isWrong || this.#topology === "no cluster") throw error;
      // Several addresses may be nodes of a cluster, and proxies may refuse keys of several slots as a cluster does.
      this.#topology = this.isCluster ? "no cluster" : "cluster";
      return open();
    }
  }

  async #openSubstitute({ retire, endMs }: DialScope): Promise<Connection> {
    const settings = this.#settings;
    const { addresses } = settings;
    const primary = async () => {
      const login = await currentLogin(settings);
      return (await findPrimary({ ...settings, ...login, connectTimeoutMs: timeLeftMs(endMs) })).primary;
    };
    const address =
      addresses.length > 1
        ? await primary().catch((cause) => Promise.reject(toConnectionError(cause, settings)))
        : addresses[0];
    const single = toIovalkeySettings({ ...this.#location, addresses: address ? [address] : [] }, this.#options);
    return openOnNode({ ...single, credentials: settings.credentials }, undefined, retire);
  }
}

/** Refuses options that iovalkey can't honour in the place of GLIDE. @throws {ConfigurationError} @throws {ConnectionError} */
export function refuseSubstitute(location: Location, options: ConnectionOptions, reason: Error): void {
  const { readFrom = "primary", clientAz } = options;
  const what =
    readFrom !== "primary"
      ? `option "readFrom" (${readFrom})`
      : clientAz !== undefined
        ? `option "clientAz"`
        : location.protocol === 3
          ? `"protocol=3" in the location`
          : undefined;
  if (what === undefined) return;
  const message = `${what} needs valkey-glide, which can't be used here (${reason.message}); leave it out, and iovalkey is used`;
  if (reason instanceof ConfigurationError) throw new ConfigurationError(message, { cause: reason });
  throw new ConnectionError(message, { cause: reason });
}
