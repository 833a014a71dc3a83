import { memory } from "../../../src/api/memory.js";
import { PROCESS } from "../../../src/core/connection.js";
import { parseLocation } from "../../../src/core/location.js";
import { connectionContract } from "../../contract/connection.js";

connectionContract("memory", async () => {
  const factory = memory();
  const connect = () => factory.connect(parseLocation("memory:"), PROCESS);
  const connection = connect();
  return { connection, other: async () => connect(), stop: () => connection.close() };
});
