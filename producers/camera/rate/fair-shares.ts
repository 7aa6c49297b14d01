/**
 * Divides `total` max-min fairly (Bertsekas and Gallager, Data Networks, 1992, section 6.5.2): who
 * wants less than an equal share gets what it wants, and what it leaves goes to the others.
 */
export function fairShares(total: number, wanted: readonly number[]): number[] {
  const shares = wanted.map(() => 0);
  const ascending = wanted.map((amount, index) => ({ amount, index }));
  ascending.sort((a, b) => a.amount - b.amount);
  let left = Math.max(0, total);
  ascending.forEach(({ amount, index }, done) => {
    const share = Math.min(amount, left / (ascending.length - done));
    shares[index] = share;
    left -= share;
  });
  return shares;
}
