/** Members in turn, `size` at a time, until a group begins with the first one again. */
export function cycle<T>(members: readonly T[], size: number): T[][] {
  const groups: T[][] = [];
  let next = 0;
  do {
    groups.push(Array.from({ length: size }, (_, index) => at(members, next + index)));
    next = (next + size) % members.length;
  } while (next !== 0);
  return groups;
}

function at<T>(members: readonly T[], index: number): T {
  return members[index % members.length] as T;
}
