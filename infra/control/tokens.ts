import { type AccessToken, bearerOf, tokenOf } from '#runtime/access-tokens.ts';
import { Problem } from './problem.ts';

/** The variable that holds tokens, or with `_FILE` behind it the one that names their file. */
export const TOKEN_VARIABLE = 'HALFSIGHT_CONTROL_TOKEN';

/** Whose token it is, by the `Authorization` header. Throws a `Problem`. */
export function nameOfClient(clients: readonly AccessToken[], authorization: string | undefined) {
  const headers = { 'www-authenticate': 'Bearer realm="halfsight"' };
  const token = bearerOf(authorization);
  if (token === undefined) {
    throw new Problem('token-missing', 'the request bears no token.', {
      ...{ headers, advice: 'Send the header "Authorization: Bearer TOKEN".' },
    });
  }
  const client = tokenOf(clients, token);
  if (client !== undefined) return client.name;
  throw new Problem('token-wrong', 'nobody here has this token.', {
    headers: { 'www-authenticate': 'Bearer realm="halfsight", error="invalid_token"' },
    advice: `${TOKEN_VARIABLE}_FILE of the API names the file with those that it knows.`,
  });
}
