import type { Source } from '../image.ts';
import { createFfmpegSource } from './ffmpeg.ts';
import type { SourceOptions, SourceSpec } from './spec.ts';
import { createSyntheticSource } from './synthetic.ts';

export type { SourceOptions, SourceSpec } from './spec.ts';

export function createSource(spec: SourceSpec, options: SourceOptions): Source {
  switch (spec.kind) {
    case 'ffmpeg':
      return createFfmpegSource(spec, options);
    case 'synthetic':
      return createSyntheticSource(spec, options);
  }
}
