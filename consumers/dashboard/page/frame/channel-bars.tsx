import { useEffect, useRef } from 'preact/hooks';
import type { ChannelFacts } from '../../inspect/inspection.ts';
import { palette } from '../picture/palette.ts';
import { prepare } from './prepare.ts';

export interface ChannelBarsProps {
  readonly width: number;
  readonly height: number;
  readonly channels: readonly ChannelFacts[];
}

const FONT_SIZE = 11;
const AXIS = 18;

/** Bits of each channel, in the order of the latent. */
export function ChannelBars({ width, height, channels }: ChannelBarsProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colours = palette.value;
  useEffect(() => {
    const context = prepare(canvas.current, width, height);
    if (context === undefined) return;
    const most = Math.max(1, ...channels.map(({ bits }) => bits));
    const step = width / Math.max(1, channels.length);
    const room = height - AXIS;
    context.fillStyle = colours.line;
    context.fillRect(0, room, width, 1);
    context.fillStyle = colours.series[0] ?? '';
    for (const [index, { bits }] of channels.entries()) {
      const bar = (bits / most) * (room - 4);
      context.fillRect(index * step, room - bar, Math.max(1, step - 0.5), bar);
    }
    context.fillStyle = colours.muted;
    context.font = `${FONT_SIZE}px system-ui, sans-serif`;
    context.textBaseline = 'bottom';
    context.fillText('0', 0, height);
    const last = `${channels.length - 1}`;
    context.fillText(last, width - context.measureText(last).width, height);
    const top = `${Math.round(most)} bits`;
    context.fillText(top, width - context.measureText(top).width, FONT_SIZE + 4);
  }, [width, height, channels, colours]);
  return <canvas ref={canvas} class="picture" role="img" aria-label="Bits by channel" />;
}
