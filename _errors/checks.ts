/** Checks of options. They throw a `RangeError` for a number out of range, and otherwise a `TypeError`. */
import { oneLine } from "./one_line.ts";

/** Throws unless the option is a finite number above zero. */
export function checkPositive(
  verb: string,
  option: string,
  value: unknown,
): asserts value is number {
  checkNumber(verb, option, value);
  if (!(value > 0 && value < Infinity)) {
    throw new RangeError(
      `Cannot ${verb} as '${option}' must be positive and finite: current value is ${value}`,
    );
  }
}

/** Throws unless the option is a share, a number from 0 to 1. */
export function checkShare(verb: string, option: string, value: unknown): asserts value is number {
  checkNumber(verb, option, value);
  if (!(value >= 0 && value <= 1)) {
    throw new RangeError(
      `Cannot ${verb} as '${option}' must be from 0 to 1: current value is ${value}`,
    );
  }
}

/** Throws unless the name is a string that is not empty and fits on one line of a log. */
export function checkName(verb: string, name: unknown): asserts name is string {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot ${verb} as 'name' must be a string that is not empty`);
  }
  if (oneLine(name) !== name) {
    throw new TypeError(
      `Cannot ${verb} '${oneLine(name)}' as 'name' must be one line of plain text`,
    );
  }
}

function checkNumber(verb: string, option: string, value: unknown): asserts value is number {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot ${verb} as '${option}' must be a number: current value is of type ${typeof value}`,
    );
  }
}

/** Throws unless the option is a whole number from 1 up. */
export function checkCount(verb: string, option: string, value: unknown): asserts value is number {
  checkNumber(verb, option, value);
  if (!(Number.isSafeInteger(value) && value > 0)) {
    throw new RangeError(
      `Cannot ${verb} as '${option}' must be a whole number above zero: current value is ${value}`,
    );
  }
}

/** Throws unless the option is a function or absent. */
export function checkFunction(verb: string, option: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") {
    throw new TypeError(
      `Cannot ${verb} as '${option}' must be a function: current value is of type ${typeof value}`,
    );
  }
}
