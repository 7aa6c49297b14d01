import { describe, expect, it } from 'vitest';
import { checkListen, isLoopback } from '#infra/control/listen.ts';
import { nameOfClient, readClients } from '#infra/control/tokens.ts';
import { readEnvironment } from '#runtime/settings.ts';

const ONE = 'x'.repeat(22);
const OTHER = 'y'.repeat(64);

describe('tokens', () => {
  it('have names, or the numbers of their lines', () => {
    const clients = readClients(`# operators\n\nmaria:${ONE}\n ${OTHER}\r\n`);
    expect(nameOfClient(clients, `Bearer ${ONE}`)).toBe('maria');
    expect(nameOfClient(clients, `bearer  ${OTHER}`)).toBe('token-4');
    for (const wrong of [undefined, '', ONE, `Basic ${ONE}`, `Bearer ${ONE} ${OTHER}`]) {
      expect(() => nameOfClient(clients, wrong)).toThrow('the request bears no token.');
    }
    expect(() => nameOfClient(clients, `Bearer ${ONE}x`)).toThrow('nobody here has this token.');
  });

  it.each([
    ['', 'there is no token in it.'],
    ['# none\n', 'there is no token in it.'],
    [`a:${ONE}\nb:${ONE}`, 'two lines hold the same token.'],
    ['maria:secret', 'the token in line 1 is shorter than 22 characters.'],
    [`\nmaria b:${ONE}`, 'the name in line 2 is none.'],
    [`${ONE} ${ONE}`, 'line 1 holds no token: letters, digits and -._~+/=.'],
  ])('%j is refused', (text, message) => {
    const refusal = expect.objectContaining({
      ...{ code: 'settings-invalid', message: `HALFSIGHT_CONTROL_TOKEN(_FILE): ${message}` },
      advice: expect.stringContaining('openssl rand -hex 32'),
    });
    expect(() => readClients(text)).toThrow(refusal);
    expect(() => readClients(text)).not.toThrow(/secret|xxx/);
  });
});

describe('where it listens', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['192.0.2.1', false],
    ['control.example', false],
  ])('%s: on this machine only: %s', (host, isHere) => {
    expect(isLoopback(host)).toBe(isHere);
    const check = () => checkListen({ host, port: 1 }, false);
    if (isHere) check();
    else expect(check).toThrow(/can be reached from elsewhere, without a token/);
    checkListen({ host, port: 1 }, true);
  });

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
