import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { StreamChecker } from '../streams/check'

/** Where a server of ours listens. */
export interface ListenOptions {
  /** Default 8080; 0: one that is free, which `port` of what is given back says. */
  port?: number
  /** Default `127.0.0.1`: this machine alone. `0.0.0.0` or `::` for everybody. */
  host?: string
  /** HTTPS: `key`, `cert` and whatever else `node:https` takes. */
  tls?: TlsOptions
}

export interface CompleteListenOptions {
  readonly port: number
  readonly host: string
  readonly tls: TlsOptions | undefined
}

export const LISTEN = ['port', 'host', 'tls'] as const

export function checkListen(check: StreamChecker, options: ListenOptions): CompleteListenOptions {
  const { tls } = options
  if (tls !== undefined && (typeof tls !== 'object' || tls === null)) check.problem("'tls' must be an object")
  return {
    port: check.whole('port', options.port, 0, 65_535) ?? 8080,
    host: check.text('host', options.host) ?? '127.0.0.1',
    tls,
  }
}

export function checkPath(check: StreamChecker, name: string, path: unknown): string | undefined {
  if (path === undefined) return undefined
  if (typeof path === 'string' && /^\/[^?#\s]*$/.test(path)) return path
  check.problem(`'${name}' must be a path that begins with '/'`, path)
  return undefined
}

/** A request's path, without what it asks for. */
export function pathOf(url = '/'): string {
  const end = url.indexOf('?')
  return end < 0 ? url : url.slice(0, end)
}

/** Opens the port; resolves when it takes connections. `receiveTimeout` is for a request to arrive as a whole. */
export async function listen(
  { port, host, tls }: CompleteListenOptions,
  limits: { receiveTimeout: number; keepAliveTimeout: number },
  listener: RequestListener,
): Promise<{ server: Server; port: number }> {
  const { receiveTimeout, keepAliveTimeout } = limits
  const common = {
    keepAliveTimeout,
    requestTimeout: receiveTimeout,
    headersTimeout: receiveTimeout,
    connectionsCheckingInterval: Math.min(1000, receiveTimeout),
    noDelay: true,
  }
  const server = tls === undefined ? createServer(common, listener) : createTlsServer({ ...common, ...tls }, listener)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return { server, port: (server.address() as AddressInfo).port }
}

export function urlOf({ tls, host }: CompleteListenOptions, port: number, path: string): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `${tls === undefined ? 'http' : 'https'}://${name.includes(':') ? `[${name}]` : name}:${port}${path}`
}
