/** Resolves when it is written: what is left in a pipe's buffer dies with the process. */
export function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}
