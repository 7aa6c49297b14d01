import { AGENT_BOARD } from './dashboards/agent.ts';
import { CONSUMER_BOARD } from './dashboards/consumer.ts';
import { dashboardOf } from './dashboards/dashboard.ts';
import { FLEET_BOARD } from './dashboards/fleet.ts';
import { metricsPage } from './metrics-page.ts';
import { allMetrics } from './tables.ts';

export const BOARDS = [FLEET_BOARD, AGENT_BOARD, CONSUMER_BOARD];

/** What is written from the tables and boards here: content by path below this folder. */
export function writtenFiles(): ReadonlyMap<string, string> {
  const boards = BOARDS.map((board) => {
    const json = `${JSON.stringify(dashboardOf(board), undefined, 2)}\n`;
    return [`grafana/dashboards/${board.name}.json`, json] as const;
  });
  return new Map([['metrics.md', metricsPage(allMetrics())], ...boards]);
}
