import { parser } from '@prometheus-io/lezer-promql';

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

export interface Promql {
  /** Names of the metrics that it reads. */
  readonly metrics: readonly string[];
  /** Labels by which series are chosen, added up, compared or joined. */
  readonly labels: readonly string[];
  /** Labels that are left where series are added up; undefined where they are not. */
  readonly grouped: readonly string[] | undefined;
}

/** What a PromQL expression is about. Throws where it is none. */
export function parsePromql(expression: string): Promql {
  const metrics: string[] = [];
  const labels: string[] = [];
  let grouped: string[] | undefined;
  const textOf = ({ from, to }: SyntaxNode) => expression.slice(from, to);
  parser.parse(expression).iterate({
    enter({ node }) {
      if (node.type.isError) {
        const near = expression.slice(Math.max(0, node.from - 20), node.from + 20);
        throw new Error(`no PromQL near "${near}": ${expression}`);
      }
      if (node.name === 'VectorSelector') {
        metrics.push(...node.getChildren('Identifier').map(textOf));
      }
      if (node.name === 'LabelName') labels.push(textOf(node));
      if (node.name === 'AggregateExpr') grouped ??= [];
      if (node.name === 'AggregateModifier') {
        const names = node.getChildren('GroupingLabels').flatMap((list) => {
          return list.getChildren('LabelName').map(textOf);
        });
        grouped = [...(grouped ?? []), ...names];
      }
    },
  });
  return { metrics, labels, grouped };
}
