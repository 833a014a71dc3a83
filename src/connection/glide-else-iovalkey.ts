import type { Connection, ConnectionFactory } from "../core/connection.js";
import type { Location } from "../core/location.js";
import type { Until } from "./endings.js";
import { glideFactory } from "./glide.js";
import { type GlideSettings, openGlide } from "./glide-client.js";
import { GlideMissingError } from "./glide-module.js";
import { toSettings } from "./iovalkey-factory.js";
import type { ConnectionOptions } from "./options.js";

/** Found out by the first dial, for the whole process. */
let glideIsMissing = false;

/**
 * As `glide`; and where GLIDE has no build for the platform, iovalkey in its place, which reads from the primary alone.
 * @throws {ConfigurationError} on wrong options
 */
export function glideElseIovalkey(options: ConnectionOptions): ConnectionFactory {
  return glideFactory("glideElseIovalkey", options, async (settings, until, location) => {
    if (!glideIsMissing) {
      const opened = await tryGlide(settings, until);
      if (opened) return opened;
      glideIsMissing = true;
    }
    return openInstead(location, options);
  });
}

async function tryGlide(settings: GlideSettings, until: Until): Promise<Connection | undefined> {
  try {
    return await openGlide(settings, until);
  } catch (error) {
    if (error instanceof GlideMissingError) return undefined;
    throw error;
  }
}

async function openInstead(location: Location, options: ConnectionOptions): Promise<Connection> {
  const { openIovalkey } = await import("./iovalkey-client.js");
  // RESP3 is a wish that changes no reply.
  return openIovalkey(toSettings({ ...location, protocol: undefined }, options), undefined);
}
