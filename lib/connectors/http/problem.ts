import { STATUS_CODES } from 'node:http'
import { PythonError, RxjsPythonError } from '../../errors'

/** What a request is answered with where it fails: `application/problem+json` (RFC 9457). */
export interface Problem {
  status: number
  title: string
  detail: string
  /** The code of the error, where it has one. */
  code?: string
  /** Which record of a list it was. */
  index?: number
}

export const PROBLEM_TYPE = 'application/problem+json'

/** A request that cannot be served, and why. */
export class RequestFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
    readonly index?: number,
  ) {
    super(message)
  }
}

/** Failures that do not lie with the request or with the handler: somebody else, or the same one later, may do it. */
const UNAVAILABLE = new Set(['ERR_POOL_CLOSED', 'ERR_OVERFLOW', 'ERR_PYTHON_STUCK', 'ERR_ABORTED'])

export function statusOf(error: unknown): number {
  if (error instanceof RequestFailure) return error.status
  if (!(error instanceof RxjsPythonError)) return 500
  if (error.code === 'ERR_ITEM_ENCODE') return 422
  if (error.code === 'ERR_TIMEOUT') return 504
  return UNAVAILABLE.has(error.code) ? 503 : 500
}

/** `expose`: whether the client may read what Python raised. */
export function problemOf(error: unknown, status: number, expose: boolean): Problem {
  const title = STATUS_CODES[status] ?? 'Error'
  const problem: Problem = { status, title, detail: detailOf(error, status, expose) }
  if (error instanceof RxjsPythonError) problem.code = error.code
  const index = (error as { index?: number } | null)?.index
  if (index !== undefined) problem.index = index
  return problem
}

function detailOf(error: unknown, status: number, expose: boolean): string {
  if (error instanceof RequestFailure) return error.message
  if (expose && error instanceof PythonError) return `${error.pythonType}: ${error.pythonMessage}`
  if (expose && error instanceof Error) return error.message
  if (status === 503) return 'the service cannot answer now'
  if (status === 504) return 'the handler took too long'
  return status < 500 ? 'the record was refused' : 'the handler failed'
}
