/** Reads numbers of a command line. A value that was not given is undefined. */
export interface NumberOptions {
  number(name: string, text: string | undefined, min: number, max: number): number | undefined;
  whole(name: string, text: string | undefined, min: number, max: number): number | undefined;
}

/** `wrong` makes the command's own error of what is wrong. */
export function numberOptions(wrong: (message: string) => Error): NumberOptions {
  const number: NumberOptions['number'] = (name, text, min, max) => {
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= min && value <= max) return value;
    throw wrong(`${name} must be a number from ${min} to ${max}, but is "${text}".`);
  };
  const whole: NumberOptions['whole'] = (name, text, min, max) => {
    const value = number(name, text, min, max);
    if (value === undefined || Number.isInteger(value)) return value;
    throw wrong(`${name} must be a whole number, but is "${text}".`);
  };
  return { number, whole };
}
