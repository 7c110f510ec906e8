import { DatabaseError } from '../../errors'
import { lostLog } from './setup'

/** Whether the client could not read a row, rather than not go on. */
export function isUnreadable(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof TypeError) return true
  const { code, message } = error as { code?: unknown; message?: string }
  return /^Z_/.test(String(code)) || /^(Unsupported type|Unknown MariaDB column compression)/.test(message ?? '')
}

/** Whether the file ends in the middle of something: the server was killed while it wrote that. */
export function isTorn(error: unknown): boolean {
  return (error as { isTorn?: boolean } | undefined)?.isTorn === true
}

/** The error as one of ours, where it says that the log cannot be followed. */
export function logError(error: unknown): unknown {
  const { errno, message } = error as { errno?: number; message?: string }
  if (errno === 1236) {
    const lost = lostLog(`the server cannot read its log from there: ${message}`, { cause: error })
    return /truncated in the middle of event/i.test(message ?? '') ? Object.assign(lost, { isTorn: true }) : lost
  }
  if (/TRANSACTION_PAYLOAD_EVENT|PARTIAL_UPDATE_ROWS_EVENT/.test(message ?? '')) {
    const why = 'the log has transactions that are compressed, or parts of JSON values, which cannot be read'
    return new DatabaseError('ERR_DATABASE_SETUP', `mysql: ${why}: ${message}`, { cause: error })
  }
  return error
}
