import type { Dashboard, Panel, RowPanel, VariableModel } from '@grafana/schema';

/** In Grafana's words: what the numbers of a chart are. */
type Unit = 'short' | 'percentunit' | 's' | 'bytes' | 'Bps' | 'cps';

/** One chart. A series a query, or as many as its legend tells apart. */
export interface Chart {
  readonly title: string;
  /** What it shows and when to worry, for whoever sees it for the first time. */
  readonly about: string;
  readonly unit: Unit;
  /** PromQL by legend; `{{label}}` in a legend is the value of that label. */
  readonly queries: Readonly<Record<string, string>>;
  /** `number`: the newest value, large. Default: lines over time. */
  readonly kind?: 'lines' | 'areas' | 'number';
  /** Traces of single observations are points on the lines. */
  readonly exemplars?: boolean;
}

export interface Section {
  readonly title: string;
  readonly charts: readonly Chart[];
}

export interface Board {
  /** Names its file; Grafana knows it as `halfsight-NAME`. */
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** Its charts are of those processes of this kind that are chosen above them. */
  readonly instancesOf?: 'agent' | 'inference';
  readonly sections: readonly Section[];
}

const GRID_WIDTH = 24;
const SIZES = {
  number: { w: 4, h: 4 },
  lines: { w: 8, h: 8 },
  areas: { w: 8, h: 8 },
} as const;
const ROW_HEIGHT = 1;
const DATASOURCE = { type: 'prometheus', uid: `\${datasource}` };
/** Of the JSON; Grafana brings older ones up to date. */
const SCHEMA_VERSION = 41;

/** A board as Grafana takes it. */
export function dashboardOf(board: Board): Dashboard {
  return {
    uid: `halfsight-${board.name}`,
    title: board.title,
    description: board.about,
    tags: ['halfsight'],
    editable: true,
    graphTooltip: 1,
    schemaVersion: SCHEMA_VERSION,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: { list: variablesOf(board) },
    links: [
      { ...LINK, type: 'dashboards', title: 'Halfsight', tags: ['halfsight'], asDropdown: true },
    ],
    panels: panelsOf(board),
  };
}

const LINK = {
  ...{ icon: '', tooltip: '', url: '' },
  ...{ targetBlank: false, includeVars: false, keepTime: true },
};

function variablesOf({ instancesOf }: Board): VariableModel[] {
  const source: VariableModel = {
    ...{ type: 'datasource', name: 'datasource', label: 'Prometheus', query: 'prometheus' },
  };
  if (instancesOf === undefined) return [source];
  const query = `label_values(halfsight_build_info{process="${instancesOf}"}, instance)`;
  const instance: VariableModel = {
    ...{ type: 'query', name: 'instance', label: 'Process', datasource: DATASOURCE, query },
    ...{ refresh: 2, sort: 1, multi: true, includeAll: true, allValue: '.*' },
    current: { text: 'All', value: '$__all' },
  };
  return [source, instance];
}

function panelsOf({ sections }: Board): (Panel | RowPanel)[] {
  const panels: (Panel | RowPanel)[] = [];
  let y = 0;
  for (const { title, charts } of sections) {
    const id = panels.length + 1;
    panels.push({
      ...{ id, type: 'row', title, collapsed: false, panels: [] },
      gridPos: { x: 0, y, w: GRID_WIDTH, h: ROW_HEIGHT },
    });
    y += ROW_HEIGHT;
    let x = 0;
    let lineHeight = 0;
    for (const chart of charts) {
      const { w, h } = SIZES[chart.kind ?? 'lines'];
      if (x + w > GRID_WIDTH) {
        x = 0;
        y += lineHeight;
        lineHeight = 0;
      }
      panels.push({ id: panels.length + 1, gridPos: { x, y, w, h }, ...panelOf(chart) });
      x += w;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return panels;
}

function panelOf(chart: Chart): Omit<Panel, 'id' | 'gridPos'> {
  const { title, about, unit, kind = 'lines' } = chart;
  const common = { title, description: about, datasource: DATASOURCE, targets: targetsOf(chart) };
  if (kind === 'number') {
    return {
      ...{ ...common, type: 'stat' },
      fieldConfig: { defaults: { unit, noValue: '0' }, overrides: [] },
      options: {
        ...{ reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false } },
        ...{ colorMode: 'value', graphMode: 'area', textMode: 'auto' },
      },
    };
  }
  const stacked = { mode: kind === 'areas' ? 'normal' : 'none', group: 'A' };
  return {
    ...{ ...common, type: 'timeseries' },
    fieldConfig: {
      defaults: {
        ...{ unit, min: 0 },
        custom: {
          ...{ lineWidth: 1, fillOpacity: kind === 'areas' ? 30 : 5 },
          ...{ showPoints: 'never', stacking: stacked },
        },
      },
      overrides: [],
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

function targetsOf({ queries, exemplars = false }: Chart): Record<string, unknown>[] {
  return Object.entries(queries).map(([legendFormat, expr], index) => ({
    ...{ refId: String.fromCharCode('A'.charCodeAt(0) + index), datasource: DATASOURCE },
    ...{ editorMode: 'code', expr, legendFormat, range: true, exemplar: exemplars },
  }));
}
