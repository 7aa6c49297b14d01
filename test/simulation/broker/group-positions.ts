/** A committed position: the next offset to read, and what was noted with it. */
export interface GroupPosition {
  readonly offset: number;
  readonly note: string | undefined;
}

/** The committed positions of all groups: Kafka's `__consumer_offsets`. */
export class GroupPositions {
  readonly #positions = new Map<string, GroupPosition>();

  get(groupId: string, topic: string, partition: number): GroupPosition | undefined {
    return this.#positions.get(`${groupId} ${topic} ${partition}`);
  }

  move(
    position: GroupPosition & {
      readonly groupId: string;
      readonly topic: string;
      readonly partition: number;
    },
  ): void {
    const { groupId, topic, partition, offset, note } = position;
    this.#positions.set(`${groupId} ${topic} ${partition}`, { offset, note });
  }
}
