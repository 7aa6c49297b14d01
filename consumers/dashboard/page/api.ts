import { signal } from '@preact/signals';
import type { SessionAnswer, SessionRequest, WallError } from '../protocol.ts';

/** `closed`: the server wants a token first. */
export const session = signal<'unknown' | 'open' | 'closed'>('unknown');

/** An answer that is no success; `status` is 0 where there was none. */
export class RequestError extends Error {
  readonly status: number;
  readonly advice: string;

  constructor(status: number, message: string, advice: string) {
    super(message);
    this.status = status;
    this.advice = advice;
  }
}

/** Throws a `RequestError`; one without a session shows the form for the token. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, { signal: signal ?? null });
  return (await response.json()) as T;
}

/** Whether this browser may look. Where the server cannot be asked, the channel says so. */
export async function checkSession(): Promise<void> {
  const answer = await getJson<SessionAnswer>('/api/session').catch(() => undefined);
  if (answer === undefined) {
    if (session.peek() === 'unknown') session.value = 'open';
    return;
  }
  session.value = answer.tokenNeeded && !answer.signedIn ? 'closed' : 'open';
}

/** Throws a `RequestError` for a token that is not right. */
export async function signIn(token: string): Promise<void> {
  const body: SessionRequest = { token };
  await request('/api/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  session.value = 'open';
}

async function request(path: string, options: RequestInit): Promise<Response> {
  const response = await fetch(path, options).catch((error: Error) => {
    if (error.name === 'AbortError') throw error;
    throw new RequestError(0, 'The server does not answer.', 'It is asked again by itself.');
  });
  if (response.ok) return response;
  if (response.status === 401) session.value = 'closed';
  const { error } = (await response.json().catch(() => ({}))) as { error?: WallError };
  const message = error?.message ?? `The server answered ${response.status}.`;
  throw new RequestError(response.status, message, error?.advice ?? '');
}
