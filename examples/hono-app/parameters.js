import { fold } from "./cities/fold.ts";
/** A parameter of the request is missing or wrong; the answer is a 400 that says what is allowed. */
export class ParameterError extends Error {
  name = "ParameterError";
  parameter;
  constructor(parameter, message) {
    super(message);
    this.parameter = parameter;
  }
}
/** A decimal number such as `52.5` or `-0.13`. @throws {ParameterError} */
export function readDegrees(query, name, limit) {
  const allowed = `give degrees from -${limit} to ${limit} as a decimal number`;
  const text = readOne(query, name, allowed);
  const degrees = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(degrees)) throw new ParameterError(name, `${name} is not a number; ${allowed}`);
  if (Math.abs(degrees) > limit) throw new ParameterError(name, `${name} is out of range; ${allowed}`);
  return degrees;
}
/** How many results are wanted: a whole number from 1 to 100, 10 where the query says nothing. @throws {ParameterError} */
export function readCount(query, name) {
  const allowed = "give a whole number from 1 to 100";
  if (query(name).length === 0) return 10;
  const text = readOne(query, name, allowed);
  if (!/^-?\d+$/.test(text)) throw new ParameterError(name, `${name} is not a whole number; ${allowed}`);
  const count = Number(text);
  if (count < 1 || count > 100) throw new ParameterError(name, `${name} is out of range; ${allowed}`);
  return count;
}
/** What is searched for, as `fold` leaves it. @throws {ParameterError} */
export function readText(query, name) {
  const allowed = "give 1 to 100 characters, with a letter or a digit among them";
  const text = readOne(query, name, allowed);
  if (text.length > 100) throw new ParameterError(name, `${name} is longer than 100 characters; ${allowed}`);
  if (text.includes("\uFFFD")) throw new ParameterError(name, `${name} is not valid UTF-8; ${allowed}`);
  const folded = fold(text.replaceAll("\n", " "));
  if (folded === "") throw new ParameterError(name, `${name} has no letter or digit; ${allowed}`);
  return folded;
}
function readOne(query, name, allowed) {
  const [text, ...more] = query(name);
  if (text === undefined) throw new ParameterError(name, `${name} is missing; ${allowed}`);
  if (more.length > 0) throw new ParameterError(name, `${name} is given ${more.length + 1} times; ${allowed}, once`);
  if (text === "") throw new ParameterError(name, `${name} is empty; ${allowed}`);
  return text;
}
