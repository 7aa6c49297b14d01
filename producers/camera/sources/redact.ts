/** Query parameters whose values are credentials, whatever else their name says. */
const SECRET_PARAMETER =
  /([?&;][^=&;\s]*(?:pass|pwd|token|secret|key|auth|user)[^=&;\s]*=)[^&;\s"']*/gi;
/** Greedy up to the last "@" before a blank: passwords hold "@" and "/" though URLs forbid it. */
const USER_INFORMATION = /\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s"'<>]*)@/gi;

/** The text without the credentials of any URL in it. */
export function redactCredentials(text: string): string {
  return text.replace(USER_INFORMATION, '$1***@').replace(SECRET_PARAMETER, '$1***');
}

/** Redacts what other programs say about `url`, even where they repeat only a part of it. */
export function redactorFor(url: string): (text: string) => string {
  const [, user, password] = /:\/\/([^\s:@]*):(.*)@/.exec(url) ?? [];
  const secrets = [`${user}:${password}`, password, decode(password)].filter(
    (secret): secret is string => secret !== undefined && secret.length >= 4,
  );
  return (text) => {
    const plain = secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
    return redactCredentials(plain);
  };
}

function decode(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
