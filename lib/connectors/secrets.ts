const SHOWN = '***'
const SECRET = /pass|secret|token|credential|api_?key|access_?key|private_?key|authorization|^key$|^pfx$|^auth$/i

/** A URL without its password, and without the values of parameters that are named like secrets. */
export function redactUrl(url: string): string {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    return url.replace(/\/\/[^/@]*@/, `//${SHOWN}@`)
  }
  if (parsed.password !== '') parsed.password = SHOWN
  for (const name of [...parsed.searchParams.keys()]) if (SECRET.test(name)) parsed.searchParams.set(name, SHOWN)
  return parsed.href
}

/** The texts among a connector's options that nobody may see, however deep they are: passwords, tokens, those in URLs. */
export function secretsOf(options: unknown): string[] {
  const found = new Set<string>()
  collect(options, false, found, new Set())
  // The longest first: one may be part of another.
  return [...found].filter((one) => one.length > 0).sort((a, b) => b.length - a.length)
}

/** The text with each secret replaced. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((safe, secret) => safe.replaceAll(secret, SHOWN), text)
}

/** The error as it may be shown: the very same one where it names no secret, else a copy without them. */
export function safeError(error: unknown, secrets: readonly string[]): unknown {
  if (secrets.length === 0 || !(error instanceof Error)) {
    return typeof error === 'string' ? redact(error, secrets) : error
  }
  const cause = safeError(error.cause, secrets)
  const texts = [error.message, error.stack ?? '']
  if (cause === error.cause && !texts.some((text) => secrets.some((secret) => text.includes(secret)))) return error
  const safe = new Error(redact(error.message, secrets), cause === undefined ? undefined : { cause })
  safe.name = error.name
  safe.stack = redact(error.stack ?? '', secrets)
  const { code } = error as { code?: unknown }
  return code === undefined ? safe : Object.assign(safe, { code })
}

function collect(value: unknown, secret: boolean, found: Set<string>, seen: Set<object>): void {
  if (typeof value === 'string') {
    if (secret) found.add(value)
    else if (value.includes('://')) collectUrl(value, found)
    return
  }
  if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) return
  seen.add(value)
  for (const [name, inner] of Object.entries(value)) collect(inner, secret || SECRET.test(name), found, seen)
}

function collectUrl(text: string, found: Set<string>): void {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return
  }
  for (const part of [url.password, ...secretParameters(url)]) {
    if (part === '') continue
    found.add(part)
    // As it was written, and as the server gets it.
    try {
      found.add(decodeURIComponent(part))
    } catch {
      // Not encoded at all.
    }
  }
}

function secretParameters(url: URL): string[] {
  return [...url.searchParams].filter(([name]) => SECRET.test(name)).map(([, value]) => value)
}
