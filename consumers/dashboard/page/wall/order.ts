import { useComputed } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { store } from '../context.ts';
import { CameraIndex } from './camera-index.ts';

/** How often tiles may change their places because of what cameras see or how they are. */
const ORDER_MS = 2_000;

/** As cameras were at the last turn: every two seconds, and when cameras come or go. */
export function useCameraIndex(): CameraIndex {
  const turn = useComputed(() => {
    return `${store.membership.value} ${Math.floor(store.nowMs.value / ORDER_MS)}`;
  });
  const index = useMemo(() => new CameraIndex(), []);
  useMemo(() => index.update(store.rows()), [index, turn.value]);
  return index;
}
