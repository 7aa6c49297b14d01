import { describe, expect, it } from 'vitest';
import { keyOf, signedHeaders } from '#consumers/webhooks/signature.ts';
import { defined } from '#runtime/assert.ts';

/** The test vector of Standard Webhooks' own libraries. */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  signed: {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: 1614265330,
    body: '{"test": 2432232314}',
  },
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

describe('signedHeaders', () => {
  it('are those of the published vector', () => {
    const key = defined(keyOf(VECTOR.secret), 'the key');
    expect(signedHeaders(VECTOR.signed, [key])).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': VECTOR.signature,
    });
  });

  it('have a signature of each secret while one takes the place of the other', () => {
    const keys = [VECTOR.secret, `whsec_${Buffer.alloc(24).toString('base64')}`].map((secret) =>
      defined(keyOf(secret), 'the key'),
    );
    const { 'webhook-signature': both = '' } = signedHeaders(VECTOR.signed, keys);
    expect(both.split(' ')).toHaveLength(2);
    expect(both.split(' ')[0]).toBe(VECTOR.signature);
  });
});

describe('keyOf', () => {
  const bytes = (count: number) => Buffer.alloc(count, 1).toString('base64');

  it('takes 24 to 64 bytes, with padding or without', () => {
    expect(keyOf(`whsec_${bytes(24)}`)).toHaveLength(24);
    expect(keyOf(`whsec_${bytes(64)}`)).toHaveLength(64);
    expect(keyOf(`whsec_${bytes(32)}`)).toHaveLength(32);
    expect(keyOf(`whsec_${bytes(32).replace('=', '')}`)).toHaveLength(32);
  });

  it.each([
    'secret',
    bytes(24),
    `whsec_${bytes(23)}`,
    `whsec_${bytes(65)}`,
    `whsec_${bytes(24)}!`,
    `whsec_ ${bytes(24)}`,
    'whsec_',
  ])('takes no "%s"', (secret) => {
    expect(keyOf(secret)).toBeUndefined();
  });
});
