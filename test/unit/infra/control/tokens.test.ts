import { describe, expect, it } from 'vitest';
import { nameOfClient } from '#infra/control/tokens.ts';
import { readTokens } from '#runtime/access-tokens.ts';
import { readEnvironment } from '#runtime/settings.ts';

const ONE = 'x'.repeat(22);
const OTHER = 'y'.repeat(64);

describe('tokens', () => {
  it('have names, or the numbers of their lines', () => {
    const text = `# operators\n\nmaria:${ONE}\n ${OTHER}\r\n`;
    const clients = readTokens(text, 'HALFSIGHT_CONTROL_TOKEN');
    expect(nameOfClient(clients, `Bearer ${ONE}`)).toBe('maria');
    expect(nameOfClient(clients, `bearer  ${OTHER}`)).toBe('token-4');
    for (const wrong of [undefined, '', ONE, `Basic ${ONE}`, `Bearer ${ONE} ${OTHER}`]) {
      expect(() => nameOfClient(clients, wrong)).toThrow('the request bears no token.');
    }
    expect(() => nameOfClient(clients, `Bearer ${ONE}x`)).toThrow('nobody here has this token.');
  });
});

describe('where it listens', () => {
  it.each([
    [undefined, { host: '127.0.0.1', port: 8480 }],
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    ['[::1]:0', { host: '::1', port: 0 }],
  ])('%s is %j', (written, listen) => {
    const { controlListen } = readEnvironment({ HALFSIGHT_CONTROL_LISTEN: written });
    expect(controlListen).toEqual(listen);
  });

  it.each(['8480', 'here', '127.0.0.1:99999', '::1:80', 'http://a:80'])('%s is refused', (text) => {
    expect(() => readEnvironment({ HALFSIGHT_CONTROL_LISTEN: text })).toThrow(
      `HALFSIGHT_CONTROL_LISTEN=${text} is no host:port.`,
    );
  });
});
