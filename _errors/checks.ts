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

function checkNumber(verb: string, option: string, value: unknown): asserts value is number {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot ${verb} as '${option}' must be a number: current value is of type ${typeof value}`,
    );
  }
}
