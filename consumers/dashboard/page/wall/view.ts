import { useEffect, useState } from 'preact/hooks';

/** The part of the list that is in the window, in its own coordinates; width 0: not measured. */
export interface View {
  readonly width: number;
  readonly top: number;
  readonly height: number;
}

/** Tiles so close to the window are drawn too: they come into it next. */
const MARGIN = 80;

export function useView(list: { readonly current: HTMLElement | null }): View {
  const [view, setView] = useState<View>({ width: 0, top: 0, height: 0 });
  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    const measure = () => {
      const { top, width } = element.getBoundingClientRect();
      const next = { width, top: -top - MARGIN, height: innerHeight + 2 * MARGIN };
      setView((view) => (isSame(view, next) ? view : next));
    };
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    addEventListener('scroll', measure, { passive: true });
    addEventListener('resize', measure);
    measure();
    return () => {
      observer.disconnect();
      removeEventListener('scroll', measure);
      removeEventListener('resize', measure);
    };
  }, [list]);
  return view;
}

function isSame(a: View, b: View): boolean {
  return a.width === b.width && a.top === b.top && a.height === b.height;
}
