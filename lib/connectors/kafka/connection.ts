import type { Checker } from '../../checker'
import type { ClientName } from './adapter'

export interface TlsOptions {
  /** PEM texts. */
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
  passphrase?: string
  rejectUnauthorized?: boolean
}

export interface SaslOptions {
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  username: string
  password: string
}

/** Where the cluster is, and by which client it is reached. */
export interface KafkaOptions {
  /** `host:port` of some brokers; the others are found by them. */
  brokers: string | readonly string[]
  /** By which client (default and only one so far: `'confluent'`, the package @confluentinc/kafka-javascript). */
  client?: ClientName
  /** What brokers call this program in their logs (default 'rxjs-python'). */
  clientId?: string
  tls?: boolean | TlsOptions
  sasl?: SaslOptions
  /** Options of the client's own, which go to it as they are: of librdkafka for 'confluent'. */
  settings?: Readonly<Record<string, unknown>>
}

/** Checked, with all defaults. */
export interface Connection {
  readonly brokers: readonly string[]
  readonly client: ClientName | undefined
  readonly clientId: string
  readonly tls: TlsOptions | undefined
  readonly sasl: SaslOptions | undefined
  readonly settings: Readonly<Record<string, unknown>>
}

const KNOWN = ['brokers', 'client', 'clientId', 'tls', 'sasl', 'settings']
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

/** Adds what is wrong to `check`; no problem has a credential in it. */
export function checkConnection(check: Checker, name: string, options: KafkaOptions): Connection {
  const empty = {
    brokers: [],
    client: undefined,
    clientId: 'rxjs-python',
    tls: undefined,
    sasl: undefined,
    settings: {},
  }
  if (!check.object(name, options, KNOWN)) return empty
  const list = typeof options.brokers === 'string' ? options.brokers.split(',') : options.brokers
  const brokers = Array.isArray(list) ? list.map((one) => (typeof one === 'string' ? one.trim() : '')) : []
  if (brokers.length === 0 || brokers.some((one) => !/^[^\s:/@]+:\d{1,5}$|^\[[\da-f:.]+\]:\d{1,5}$/i.test(one))) {
    check.problem(`'${name}.brokers' must be 'host:port', or a list of such, without a scheme or credentials`)
  }
  const client = check.oneOf(`${name}.client`, options.client, ['confluent'] as const)
  const clientId = check.text(`${name}.clientId`, options.clientId) ?? 'rxjs-python'
  const { tls, sasl, settings } = options
  if (typeof tls === 'object') {
    check.object(`${name}.tls`, tls, ['ca', 'cert', 'key', 'passphrase', 'rejectUnauthorized'])
  } else if (tls !== undefined && typeof tls !== 'boolean') {
    check.problem(`'${name}.tls' must be true or { ca, cert, key, passphrase, rejectUnauthorized }`)
  }
  if (sasl !== undefined && check.object(`${name}.sasl`, sasl, ['mechanism', 'username', 'password'])) {
    if (sasl.mechanism === undefined) check.problem(`'${name}.sasl.mechanism' is missing`)
    check.oneOf(`${name}.sasl.mechanism`, sasl.mechanism, MECHANISMS)
    for (const part of ['username', 'password'] as const) {
      if (typeof sasl[part] !== 'string') check.problem(`'${name}.sasl.${part}' must be a text`)
    }
  }
  if (settings !== undefined && (typeof settings !== 'object' || settings === null)) {
    check.problem(`'${name}.settings' must be an object`)
  }
  const safe = tls === true ? {} : tls || undefined
  return { brokers, client, clientId, tls: safe, sasl, settings: settings ?? {} }
}
