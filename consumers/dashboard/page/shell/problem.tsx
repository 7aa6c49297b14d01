import type { RequestError } from '../api.ts';

/** Why there is no answer; nothing while there is none to say. */
export function Problem({ error }: { readonly error: RequestError | undefined }) {
  if (error === undefined) return null;
  return (
    <p class="panel problem" role="alert">
      <strong>{error.message}</strong> {error.advice}
    </p>
  );
}
