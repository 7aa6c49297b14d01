import type avsc from 'avsc';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { AvroSchema } from './fingerprint.ts';
import { type Framing, type OpenedRecord, openSingleObject, schemaIdOf } from './framing.ts';
import {
  RECORD_TYPES,
  type RecordType,
  type RecordTypeName,
  resolverOf,
  typeOfSchema,
} from './record-type.ts';
import { idPrefix, readSchemaId, type SchemaId, schemaIdBytes } from './schema-id.ts';
import type { SchemaRegistry } from './schema-registry.ts';

/**
 * Confluent's wire format. Asks the registry for the id of each of our current schemas, so that
 * writing waits for nobody afterwards; `subjects` says under which subject it is registered: by
 * Confluent's convention the topic's name and `-value`. Other ids are asked for when a record names
 * them, and kept. Rejects with `schema-unregistered` until `npx halfsight topics` has registered
 * our schemas.
 */
export async function registryFraming(
  registry: SchemaRegistry,
  subjects: Readonly<Record<RecordTypeName, string>>,
  clock: Pick<Clock, 'monotonicMs'>,
): Promise<Framing> {
  const prefixes = new Map<RecordType, Uint8Array>();
  const known = new KnownSchemas(registry, clock);
  const enter = async (type: RecordType): Promise<void> => {
    const id = await registry.idOf(subjects[type.name], type.current.schema);
    if (id === undefined) throw unregistered(subjects[type.name], type);
    known.enterOwn({ kind: 'id', text: String(id) }, type.current.type);
    prefixes.set(type, idPrefix(id));
  };
  await Promise.all(Object.values(RECORD_TYPES).map(enter));
  return {
    header: (type) => defined(prefixes.get(type), `the registered id of ${type.name}`),
    open: (type, record) =>
      schemaIdBytes(record) === undefined
        ? openSingleObject(type, record)
        : known.open(type, schemaIdOf(type, record)),
    learn(record) {
      const id = readSchemaId(record);
      return id === undefined ? undefined : known.learn(id);
    },
  };
}

type SchemaName = Pick<SchemaId, 'kind' | 'text'>;

interface KnownSchema {
  /** Undefined: the registry has none of this name, or one that we cannot use. */
  readonly writer: avsc.Type | undefined;
  /** Ours, or one that is there: for ever. Another may be registered yet. */
  readonly untilMs: number;
  readonly resolvers: Map<RecordType, avsc.Resolver | undefined>;
}

/** What the registry said, by a schema's name in it. */
class KnownSchemas {
  readonly #registry: SchemaRegistry;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #own = new Map<string, KnownSchema>();
  /** Named by records, who may name anything: bounded, the oldest goes first. */
  readonly #learned = new Map<string, KnownSchema>();
  readonly #asked = new Map<string, Promise<void>>();

  constructor(registry: SchemaRegistry, clock: Pick<Clock, 'monotonicMs'>) {
    this.#registry = registry;
    this.#clock = clock;
  }

  enterOwn({ text }: SchemaName, writer: avsc.Type): void {
    this.#own.set(text, { writer, untilMs: Number.POSITIVE_INFINITY, resolvers: new Map() });
  }

  open(type: RecordType, { text, bytes }: SchemaId): OpenedRecord {
    const { writer, resolvers } = this.#own.get(text) ?? this.#learned.get(text) ?? NOTHING;
    if (writer === undefined) {
      const message = `${type.name} record names schema ${text}, which the registry does not have.`;
      throw new HalfsightError('schema-unknown', message);
    }
    if (!resolvers.has(type)) resolvers.set(type, resolveOrRefuse(type, writer, text));
    return { writer, resolver: resolvers.get(type), bodyStart: bytes };
  }

  learn(name: SchemaName): Promise<void> | undefined {
    const { text } = name;
    const known = this.#own.get(text) ?? this.#learned.get(text);
    if (known !== undefined && known.untilMs > this.#clock.monotonicMs()) return undefined;
    const asked = this.#asked.get(text) ?? this.#ask(name).finally(() => this.#asked.delete(text));
    this.#asked.set(text, asked);
    return asked;
  }

  async #ask({ kind, text }: SchemaName): Promise<void> {
    const schema =
      kind === 'id'
        ? await this.#registry.schemaById(Number(text))
        : await this.#registry.schemaByGuid(text);
    const writer = schema === undefined ? undefined : parseOrUndefined(schema);
    const nowMs = this.#clock.monotonicMs();
    const untilMs =
      writer === undefined ? nowMs + LIMITS.schemaUnknownMs : Number.POSITIVE_INFINITY;
    this.#learned.delete(text);
    this.#learned.set(text, { writer, untilMs, resolvers: new Map() });
    const [oldest] = this.#learned.keys();
    if (this.#learned.size > LIMITS.schemasLearnedMax) this.#learned.delete(defined(oldest, 'one'));
  }
}

const NOTHING: KnownSchema = { writer: undefined, untilMs: 0, resolvers: new Map() };

function resolveOrRefuse(type: RecordType, writer: avsc.Type, name: string) {
  try {
    return resolverOf(type.current.type, writer);
  } catch (error) {
    const message = `schema ${name} cannot be read as a ${type.name}: ${(error as Error).message}`;
    throw new HalfsightError('schema-incompatible', message, { cause: error });
  }
}

/** A registry may hold what avsc refuses; such a schema is as good as unknown. */
function parseOrUndefined(schema: AvroSchema): avsc.Type | undefined {
  try {
    return typeOfSchema(schema);
  } catch {
    return undefined;
  }
}

function unregistered(subject: string, { current }: RecordType): HalfsightError {
  const message = `the schema registry has no version ${current.number} of ours under ${subject}.`;
  return new HalfsightError('schema-unregistered', message, {
    advice: 'Run npx halfsight topics of this version: it registers the schemas.',
  });
}
