import { useEffect, useState } from 'preact/hooks';
import { LIMITS } from '#runtime/limits.ts';
import { getJson, RequestError } from './api.ts';
import { clock } from './context.ts';

/** The newest answer, which stays while later requests fail, and why the last one failed. */
export interface Polled<T> {
  readonly answer: T | undefined;
  readonly error: RequestError | undefined;
}

/** When to ask again after so many answers, milliseconds; undefined: this one is the last. */
export type Wait<T> = (answer: T, answers: number) => number | undefined;

const always = () => LIMITS.wallPollMs;

/** Asks at once and then again, while the page can be seen. `wait` has to stay the same. */
export function usePolled<T>(path: string, wait: Wait<T> = always): Polled<T> {
  const [polled, setPolled] = useState<Polled<T>>({ answer: undefined, error: undefined });
  useEffect(() => {
    setPolled({ answer: undefined, error: undefined });
    const ending = new AbortController();
    let answers = 0;
    const ask = async () => {
      try {
        const answer = await getJson<T>(path, ending.signal);
        setPolled({ answer, error: undefined });
        answers += 1;
        return wait(answer, answers);
      } catch (error) {
        if (ending.signal.aborted) return undefined;
        if (!(error instanceof RequestError)) throw error;
        setPolled(({ answer }) => ({ answer, error }));
        return LIMITS.wallPollMs;
      }
    };
    const poll = async () => {
      while (!ending.signal.aborted) {
        const waitMs = document.hidden ? LIMITS.wallPollMs : await ask();
        if (waitMs === undefined) return;
        await clock.sleep(waitMs, ending.signal);
      }
    };
    void poll();
    return () => ending.abort();
  }, [path, wait]);
  return polled;
}
