import { SchemaError } from '../../errors'
import { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import type { KafkaCodec } from './records'

/** What the codec uses of the package avsc. */
interface AvroType {
  toBuffer(value: unknown): Buffer
  fromBuffer(data: Buffer, resolver?: unknown): unknown
  createResolver(writer: AvroType): unknown
}
interface Avro {
  Type: { forSchema(schema: unknown, options?: object): AvroType }
}

export interface RegistryOptions {
  /** Of a schema registry: `http://host:8081`. Credentials may be in it; they are never shown. */
  registry: string
  headers?: Readonly<Record<string, string>>
  /** Milliseconds that a request may take (default 10,000). */
  timeout?: number
}

export interface AvroOptions extends RegistryOptions {
  /** The schema of what is written; what is read comes in this form, too. Without it a codec only reads, in the writer's form. */
  schema?: object | string
  /** Under which name the schema is registered: `orders-value`. */
  subject?: string
}

/** Byte 0 of each record, then four bytes with the number of the schema. */
const MAGIC = 0
const HEAD = 5

/**
 * Avro in the wire format of a schema registry, by the package avsc. `await avroCodec(…)` registers the schema, and the codec fetches
 * those of other writers as they come: `runKafkaJob` and `kafkaSource` wait for that.
 *
 * @throws SchemaError where the registry refuses the schema, or cannot be reached
 */
export async function avroCodec<V = unknown>(options: AvroOptions): Promise<KafkaCodec<V>> {
  const check = new StreamChecker('avroCodec', options, ['registry', 'headers', 'timeout', 'schema', 'subject'])
  if (check.text('registry', options?.registry) === undefined) check.problem("'registry' is missing: a URL")
  const subject = check.text('subject', options?.subject)
  const timeout = check.time('timeout', options?.timeout, false) ?? 10_000
  if (options?.schema !== undefined && subject === undefined) check.problem("'subject' is missing: the schema's name")
  check.done()
  const avro = await loadClient<Avro>('avsc', '^5.7.0')
  const registry = new Registry(options, timeout)
  const text = typeof options.schema === 'string' ? options.schema : JSON.stringify(options.schema)
  const own = options.schema === undefined ? undefined : typeOf(avro, text)
  const head = Buffer.alloc(HEAD)
  if (own !== undefined) head.writeUInt32BE(await registry.register(subject!, text), 1)
  return new AvroCodec<V>(avro, registry, own, head)
}

class AvroCodec<V> implements KafkaCodec<V> {
  private readonly readers = new Map<number, (data: Buffer) => unknown>()
  private readonly loading = new Map<number, Promise<void>>()

  constructor(
    private readonly avro: Avro,
    private readonly registry: Registry,
    private readonly own: AvroType | undefined,
    private readonly head: Buffer,
  ) {
    if (own !== undefined) this.readers.set(head.readUInt32BE(1), (data) => own.fromBuffer(data))
  }

  decode(data: Buffer): V {
    const id = idOf(data)
    const reader = this.readers.get(id)
    if (reader === undefined) throw new SchemaError('ERR_SCHEMA', `the registry has no schema ${id} that fits`)
    return reader(data.subarray(HEAD)) as V
  }

  encode(value: V): Buffer {
    if (this.own === undefined) throw new SchemaError('ERR_SCHEMA', 'to write, avroCodec needs a schema and a subject')
    return Buffer.concat([this.head, this.own.toBuffer(value)])
  }

  prepare(data: Buffer): Promise<void> | undefined {
    if (data.length < HEAD || data[0] !== MAGIC) return undefined
    const id = data.readUInt32BE(1)
    if (this.readers.has(id)) return undefined
    let loading = this.loading.get(id)
    if (loading === undefined) {
      loading = this.load(id)
        .catch((error) => {
          // A schema that is not there: the record is a bad one, as `decode` will say.
          if ((error as SchemaError).code !== 'ERR_SCHEMA') throw error
        })
        .finally(() => this.loading.delete(id))
      this.loading.set(id, loading)
    }
    return loading
  }

  private async load(id: number): Promise<void> {
    const writer = typeOf(this.avro, await this.registry.schema(id))
    const { own } = this
    if (own === undefined) {
      this.readers.set(id, (data) => writer.fromBuffer(data))
    } else {
      const resolver = own.createResolver(writer)
      this.readers.set(id, (data) => own.fromBuffer(data, resolver))
    }
  }
}

class Registry {
  private readonly base: string
  private readonly headers: Record<string, string>

  constructor(
    { registry, headers }: RegistryOptions,
    private readonly timeout: number,
  ) {
    const url = new URL(registry)
    this.headers = { ...headers }
    if (url.username !== '' || url.password !== '') {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
      this.headers.authorization ??= `Basic ${Buffer.from(pair).toString('base64')}`
      url.username = url.password = ''
    }
    this.base = url.href.replace(/\/$/, '')
  }

  async register(subject: string, schema: string): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    const { id } = (await this.ask(path, { schema })) as { id: number }
    return id
  }

  async schema(id: number): Promise<string> {
    const { schema } = (await this.ask(`/schemas/ids/${id}`)) as { schema: string }
    return schema
  }

  private async ask(path: string, body?: object): Promise<unknown> {
    const type = 'application/vnd.schemaregistry.v1+json'
    let answer: Response
    try {
      answer = await fetch(`${this.base}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...this.headers, accept: type, ...(body === undefined ? {} : { 'content-type': type }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(this.timeout),
      })
    } catch (error) {
      throw new SchemaError('ERR_SCHEMA_REGISTRY', `the schema registry at ${this.base} cannot be reached`, {
        cause: error,
      })
    }
    const text = await answer.text()
    if (answer.status >= 500 || answer.status === 429) {
      throw new SchemaError('ERR_SCHEMA_REGISTRY', `the schema registry answers ${answer.status} to ${path}`)
    }
    if (!answer.ok)
      throw new SchemaError(
        'ERR_SCHEMA',
        `the schema registry answers ${answer.status} to ${path}: ${text.slice(0, 300)}`,
      )
    return JSON.parse(text)
  }
}

function typeOf(avro: Avro, schema: string): AvroType {
  try {
    return avro.Type.forSchema(JSON.parse(schema))
  } catch (error) {
    throw new SchemaError('ERR_SCHEMA', `this is no Avro schema: ${(error as Error).message}`, { cause: error })
  }
}

function idOf(data: Buffer): number {
  if (data.length < HEAD || data[0] !== MAGIC) {
    throw new SchemaError(
      'ERR_SCHEMA',
      'the record is not in the wire format of a schema registry: it begins with another byte than 0',
    )
  }
  return data.readUInt32BE(1)
}
