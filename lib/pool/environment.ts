/** What Python and the usual packages look at. Everything else, secrets among it, stays with Node. */
const NAMES = new Set(
  (
    'PATH HOME USER LOGNAME SHELL LANG LANGUAGE TZ TZDIR TMPDIR TEMP TMP TERM NO_COLOR COLUMNS ' +
    'LD_LIBRARY_PATH LD_PRELOAD DYLD_LIBRARY_PATH VIRTUAL_ENV GLIBC_TUNABLES ' +
    'SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE ' +
    'HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy ' +
    'ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS'
  ).split(' '),
)
const PREFIXES = ['LC_', 'PYTHON', 'CONDA', 'CUDA', 'NVIDIA_', 'XDG_', 'RXJS_PYTHON', 'MALLOC_', 'OMP_', 'MKL_', 'KMP_']
const SUFFIXES = ['_NUM_THREADS']

/** The environment of worker processes, as `NAME=value`: what Python needs of Node's, then what the pool's option says. */
export function workerEnvironment(
  env: NodeJS.ProcessEnv,
  option: Readonly<Record<string, string | undefined>>,
): string[] {
  const entries = Object.entries(env).filter(([name]) => isNeeded(name))
  const chosen = new Map([...entries, ...Object.entries(option)])
  return [...chosen].flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
}

function isNeeded(name: string): boolean {
  return (
    NAMES.has(name) ||
    PREFIXES.some((prefix) => name.startsWith(prefix)) ||
    SUFFIXES.some((suffix) => name.endsWith(suffix))
  )
}
