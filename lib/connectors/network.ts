const CODES = /^(ECONN|EPIPE|ETIMEDOUT|EAI_|ENOTFOUND|EHOST|ENET|UND_|ERR_STREAM_PREMATURE_CLOSE)/

/** Whether an error means that a server could not be reached, or was lost. */
export function isNetwork(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, name, errors, cause, message } = error as AggregateError & { code?: unknown }
  if (typeof code === 'string' && CODES.test(code)) return true
  if (name === 'TimeoutError' || name === 'NetworkingError') return true
  if (/socket hang up|^aborted$|premature/i.test(message)) return true
  return (errors ?? []).some(isNetwork) || (cause !== undefined && isNetwork(cause))
}
