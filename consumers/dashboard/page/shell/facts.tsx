import type { ComponentChildren } from 'preact';

export interface FactsProps {
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** `note`: shown where somebody points at it. */
export type Fact = readonly [name: string, value: ComponentChildren, note?: string];

/** Names and values, a line each. */
export function Facts({ title, facts }: FactsProps) {
  return (
    <section class="panel facts">
      <h3>{title}</h3>
      <dl>
        {facts.map(([name, value, note]) => (
          <div key={name} title={note}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
