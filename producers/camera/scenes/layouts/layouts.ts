import { avenue } from './avenue.ts';
import { carPark } from './car-park.ts';
import { field } from './field.ts';
import { plaza } from './plaza.ts';
import { room } from './room.ts';
import { street } from './street.ts';
import { yard } from './yard.ts';

/** Every kind of scene: one file beside this one and one entry here. */
export const LAYOUTS = { street, avenue, 'car-park': carPark, yard, field, plaza, room } as const;
