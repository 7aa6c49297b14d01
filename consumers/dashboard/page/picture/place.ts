/** In CSS pixels. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The whole picture, as large as the canvas has room for, in its middle. */
export function placeOf(source: Size, canvas: Size): Place {
  if (source.width <= 0 || source.height <= 0) return { x: 0, y: 0, ...canvas };
  const scale = Math.min(canvas.width / source.width, canvas.height / source.height);
  const width = source.width * scale;
  const height = source.height * scale;
  return { x: (canvas.width - width) / 2, y: (canvas.height - height) / 2, width, height };
}
