import { textTable } from '#consumers/subscriber/text-table.ts';
import type {
  BitstreamFacts,
  EnergyMap,
  FoundFrame,
  FrameFacts,
  Inspection,
  LatentFacts,
  RecordFacts,
} from './inspection.ts';

/** Channels in the table; `--json` has all of them. */
const CHANNELS_SHOWN = 12;
const SHADES = ' .:-=+*#%@';

type Line = readonly [name: string, text: string];

/** For a person, to the end of the last line. */
export function inspectionText(inspection: Inspection): string {
  if (!inspection.found) {
    const { frameId, detail, recordsRead, reason } = inspection;
    const advice = reason === 'gave-up' ? ' Say --at, when it was captured.' : '';
    return `${frameId}: ${detail}${advice}\n${counted(recordsRead)} records were looked at.\n`;
  }
  const lines = factLines(inspection);
  const width = Math.max(...lines.map(([name]) => name.length));
  const { latent, problem } = inspection;
  return [
    ...lines.map(([name, text]) => `${name.padEnd(width)}  ${text}`),
    ...(latent === null ? [] : ['', ...channelTable(latent), '', ...heatMap(latent.energy)]),
    ...(problem === null
      ? []
      : ['', `${problem.code}: ${problem.message} ${problem.advice ?? ''}`.trimEnd()]),
    '',
  ].join('\n');
}

function factLines({ frameId, record, frame, bitstream, latent }: FoundFrame): Line[] {
  return [
    ['frame', frameId ?? 'unknown'],
    ...recordLines(record, frame),
    ...(frame === null ? [] : frameLines(frame)),
    ...(bitstream === null ? [] : bitstreamLines(bitstream)),
    ...(bitstream === null || latent === null ? [] : latentLines(bitstream, latent)),
  ];
}

function recordLines(record: RecordFacts, frame: FrameFacts | null): Line[] {
  const { topic, partition, offset, timestampMs, bytes, headers } = record;
  const place = topic === null ? '' : `${topic} ${partition}:${offset}, `;
  const written = timestampMs === null ? '' : `, written ${timeText(timestampMs * 1000)}`;
  const schema = frame?.schema;
  return [
    ['record', `${place}${counted(bytes)} bytes${written}`],
    ...(schema === undefined
      ? []
      : [['schema', `${schema.name}${schema.isCurrent ? '' : ', an older one'}`] as const]),
    ...Object.entries(headers).map(([name, text]) => [`header ${name}`, text] as const),
  ];
}

function frameLines(frame: FrameFacts): Line[] {
  const { source, input, content, bundle, ratePoint, ratePointName } = frame;
  const dropped = Object.entries(frame.dropped).filter(([, count]) => count > 0);
  const name = ratePointName === null ? '' : ` (${ratePointName})`;
  return [
    ['captured', `${timeText(frame.captureTimeUs)}, by ${frame.timeSource}`],
    ['encoded', `${timeText(frame.encodeTimeUs)}, in ${frame.encodeDurationUs / 1000} ms`],
    [
      'picture',
      `${source.width}x${source.height}, as ${content.width}x${content.height}` +
        `+${content.x}+${content.y} of an input of ${input.width}x${input.height}`,
    ],
    ['bundle', `${bundle.name} ${bundle.version} ${bundle.digest}`],
    ['rate point', `${ratePoint}${name}`],
    ['heads', frame.heads === null ? 'all' : frame.heads.join(', ')],
    [
      'dropped before',
      dropped.map(([reason, count]) => `${reason} ${counted(count)}`).join(', ') || 'none',
    ],
  ];
}

function bitstreamLines(facts: BitstreamFacts): Line[] {
  const { side, chunks } = facts;
  const inChunks = chunks.length === 1 ? '' : `, in ${chunks.length} chunks`;
  return [
    [
      'bitstream',
      `version ${facts.version}, ${facts.frameType}, ${facts.prior} prior, tables ` +
        `${facts.tableHash}, ${facts.channels}x${facts.height}x${facts.width}${inChunks}`,
    ],
    ...(side === null
      ? []
      : [
          [
            'side latent',
            `${side.channels}x${side.height}x${side.width}, ${counted(side.bytes)} bytes, ` +
              `${side.corrections} corrections`,
          ] as const,
        ]),
  ];
}

function latentLines({ bytes, containerBytes }: BitstreamFacts, latent: LatentFacts): Line[] {
  const { bits, stateBits, symbols, nonZero } = latent;
  const inBytes = (some: number) => (some / 8).toFixed(1);
  const percent = ((100 * nonZero) / symbols).toFixed(1);
  return [
    [
      'bytes',
      `${counted(bytes)}: symbols ${inBytes(bits)}, coder's state ${inBytes(stateBits)}, ` +
        `container ${containerBytes}`,
    ],
    [
      'symbols',
      `${counted(symbols)}, ${percent} % of them not 0; ${(bits / symbols).toFixed(3)} bits each`,
    ],
  ];
}

function channelTable({ channels }: LatentFacts): string[] {
  const ranked = channels
    .map((channel, number) => ({ ...channel, number }))
    .sort((a, b) => b.bits - a.bits);
  const shown = ranked.slice(0, CHANNELS_SHOWN);
  const rest = ranked.slice(CHANNELS_SHOWN);
  const columns = ['channel', 'bytes', 'share', 'not 0', 'mean', 'peak'];
  const rows = shown.map((channel) => [
    String(channel.number),
    (channel.bits / 8).toFixed(1),
    `${(100 * channel.share).toFixed(1)} %`,
    counted(channel.nonZero),
    channel.meanMagnitude.toFixed(3),
    String(channel.peakMagnitude),
  ]);
  const bits = rest.reduce((sum, channel) => sum + channel.bits, 0);
  const share = rest.reduce((sum, channel) => sum + channel.share, 0);
  return [
    ...textTable(
      columns.map((title) => ({ title, align: 'right' })),
      rows,
    ),
    ...(rest.length === 0
      ? []
      : [
          `${rest.length} more channels: ${(bits / 8).toFixed(1)} bytes, ` +
            `${(100 * share).toFixed(1)} %`,
        ]),
  ];
}

/** Bits by place; the densest cell is the darkest. Characters are twice as high as wide. */
function heatMap({ width, height, bits }: EnergyMap): string[] {
  const most = Math.max(...bits);
  const shade = (value: number) =>
    SHADES[most === 0 ? 0 : Math.ceil((value / most) * (SHADES.length - 1))] ?? ' ';
  const rows = Array.from({ length: height }, (_, row) =>
    bits
      .slice(row * width, (row + 1) * width)
      .map((value) => shade(value).repeat(2))
      .join('')
      .trimEnd(),
  );
  return [`bits by place, up to ${most.toFixed(1)} a cell:`, ...rows];
}

function counted(count: number): string {
  return count.toLocaleString('en-US');
}

function timeText(timeUs: number): string {
  return new Date(timeUs / 1000).toISOString();
}
