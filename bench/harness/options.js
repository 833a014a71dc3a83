import { parseArgs } from "node:util";
/** Reads a bench's own arguments. */
export function benchOptions() {
    const { values } = parseArgs({
        options: { quick: { type: "boolean", default: false }, only: { type: "string", multiple: true, default: [] } },
    });
    return { quick: values.quick, only: values.only };
}
/** Whether the options ask for what has this name. */
export function isWanted(name, { only }) {
    return only.length === 0 || only.some((text) => name.includes(text));
}
