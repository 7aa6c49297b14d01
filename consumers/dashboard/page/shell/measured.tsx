import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export interface MeasuredProps {
  /** Width over height. */
  readonly aspect: number;
  readonly children: (size: {
    readonly width: number;
    readonly height: number;
  }) => ComponentChildren;
}

/** Gives what is inside the width that there is. */
export function Measured({ aspect, children }: MeasuredProps) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return (
    <div ref={place} class="measured">
      {width > 0 && children({ width, height: Math.round(width / aspect) })}
    </div>
  );
}
