import type { Head as HeadSpec } from '#models/manifest.ts';
import { classification } from './classification.ts';
import { detection } from './detection.ts';
import type { Head } from './head.ts';
import { segmentation } from './segmentation.ts';

type Table = { readonly [Spec in HeadSpec as Spec['task']]: Head<Spec> };

/** Every head that this consumer can read. A new one is one file and one row here. */
export const HEADS: Table = { classification, detection, segmentation };
