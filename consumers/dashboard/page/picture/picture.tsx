import { useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { CameraResults } from '../../protocol.ts';
import { painter, store } from '../context.ts';
import { paint } from './paint.ts';
import { palette } from './palette.ts';

export interface PictureProps {
  readonly width: number;
  readonly height: number;
  /** For who cannot see it; undefined: the words beside it say the same. */
  readonly label?: string;
  /** At the foot, for what is said in words; 0: the page says it elsewhere. */
  readonly stripHeight?: number;
  readonly fontSize?: number;
}

/** Follows a camera: drawn whenever it has something new, by the page's one loop. */
export function LivePicture({ cameraId, ...props }: PictureProps & { readonly cameraId: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useMemo(() => new PictureView(), []);
  view.set(canvas, props, store.results(cameraId));
  useEffect(() => {
    const show = (results: CameraResults) => view.show(results);
    return store.onResults(cameraId, show);
  }, [cameraId, view]);
  return <Canvas canvas={canvas} view={view} {...props} />;
}

/** One frame's results, which do not change. */
export function StillPicture({
  results,
  ...props
}: PictureProps & { readonly results: CameraResults }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useMemo(() => new PictureView(), []);
  view.set(canvas, props, results);
  useEffect(() => painter.request(view), [results, view]);
  return <Canvas canvas={canvas} view={view} {...props} />;
}

interface CanvasProps extends PictureProps {
  readonly canvas: { current: HTMLCanvasElement | null };
  readonly view: PictureView;
}

function Canvas({ canvas, view, width, height, stripHeight, fontSize, label }: CanvasProps) {
  useEffect(() => painter.request(view), [view, width, height, stripHeight, fontSize]);
  // With the theme too.
  useSignalEffect(() => {
    palette.value;
    painter.request(view);
  });
  useEffect(() => () => painter.forget(view), [view]);
  return (
    <canvas
      ref={canvas}
      class="picture"
      {...(label === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
      style={{ width: `${width}px`, height: `${height}px` }}
    />
  );
}

class PictureView {
  #canvas: { readonly current: HTMLCanvasElement | null } = { current: null };
  #props: PictureProps | undefined;
  #results: CameraResults | undefined;

  set(
    canvas: { readonly current: HTMLCanvasElement | null },
    props: PictureProps,
    results: CameraResults | undefined,
  ): void {
    this.#canvas = canvas;
    this.#props = props;
    this.#results = results;
  }

  show(results: CameraResults): void {
    this.#results = results;
    painter.request(this);
  }

  repaint(): void {
    const canvas = this.#canvas.current;
    const props = this.#props;
    const context = canvas?.getContext('2d');
    if (!canvas || !props || !context) return;
    const scale = devicePixelRatio;
    const width = Math.round(props.width * scale);
    const height = Math.round(props.height * scale);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    if (this.#results === undefined) {
      context.clearRect(0, 0, props.width, props.height);
      return;
    }
    const { stripHeight = 0, fontSize = 11 } = props;
    const painting = { width: props.width, height: props.height, stripHeight, fontSize };
    paint(context, { ...painting, results: this.#results }, palette.peek());
    canvas.dataset.frame = this.#results.frameId;
  }
}
