/** Checks of options, with the errors that misuse deserves. */

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

/** Throws unless the option is a whole number above zero. */
export function checkWhole(verb: string, option: string, value: unknown): asserts value is number {
  checkNumber(verb, option, value);
  if (!(Number.isSafeInteger(value) && value > 0)) {
    throw new RangeError(
      `Cannot ${verb} as '${option}' must be a positive whole number: current value is ${value}`,
    );
  }
}

// deno-lint-ignore no-control-regex
const CONTROLS = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;

/** Throws unless a text can name a source: one line of logs, a span, a checkpoint. */
export function checkSourceName(verb: string, name: unknown): asserts name is string {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot ${verb} as 'name' must be a string that is not empty`);
  }
  if (CONTROLS.test(name)) {
    throw new TypeError(
      `Cannot ${verb} as the name ${
        JSON.stringify(name)
      } has control characters: pass another 'name'`,
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
