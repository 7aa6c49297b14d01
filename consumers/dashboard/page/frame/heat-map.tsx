import { useEffect, useRef } from 'preact/hooks';
import type { EnergyMap, FrameFacts } from '../../inspect/inspection.ts';
import { palette } from '../picture/palette.ts';
import { prepare } from './prepare.ts';

export interface HeatMapProps {
  readonly width: number;
  readonly height: number;
  readonly map: EnergyMap;
  /** Says where in the encoder's input the picture lies; null: it is not known. */
  readonly content: FrameFacts | null;
}

/** Bits by place, over the encoder's input with its letterbox. */
export function HeatMap({ width, height, map, content }: HeatMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colours = palette.value;
  useEffect(() => {
    const context = prepare(canvas.current, width, height);
    if (context === undefined) return;
    const most = Math.max(1e-9, ...map.bits);
    context.fillStyle = colours.picture;
    context.fillRect(0, 0, width, height);
    context.fillStyle = colours.series[1] ?? '';
    const cellWidth = width / map.width;
    const cellHeight = height / map.height;
    for (const [index, bits] of map.bits.entries()) {
      context.globalAlpha = bits / most;
      const x = (index % map.width) * cellWidth;
      const y = Math.floor(index / map.width) * cellHeight;
      context.fillRect(x, y, cellWidth + 0.5, cellHeight + 0.5);
    }
    context.globalAlpha = 1;
    if (content === null) return;
    const scale = width / content.input.width;
    const { x, y, width: contentWidth, height: contentHeight } = content.content;
    context.strokeStyle = colours.muted;
    context.strokeRect(x * scale, y * scale, contentWidth * scale, contentHeight * scale);
  }, [width, height, map, content, colours]);
  return <canvas ref={canvas} class="picture" role="img" aria-label="Bits by place" />;
}
