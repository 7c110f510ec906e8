import { OptionError } from '../errors'

const PAIRS: Readonly<Record<string, string>> = { '}': '{', ']': '[' }

/**
 * The value of JSON as people write and print it: a comma before a closing bracket, and a closing bracket that nothing has
 * opened, are left out. `warn` hears of them.
 *
 * @throws OptionError with the place of what cannot be read
 */
export function readSpec(text: string, warn: (problem: string) => void = () => {}): unknown {
  let read = ''
  const open: string[] = []
  for (let at = 0; at < text.length; at++) {
    const one = text[at]!
    if (one === '"') {
      const end = endOfText(text, at)
      read += text.slice(at, end)
      at = end - 1
      continue
    }
    if (one === '{' || one === '[') open.push(one)
    if (one === '}' || one === ']') {
      if (open.at(-1) !== PAIRS[one]) {
        warn(`line ${lineOf(text, at)}: '${one}' closes nothing, and is left out`)
        continue
      }
      open.pop()
      if (/,\s*$/.test(read)) {
        warn(`line ${lineOf(text, at)}: the comma before '${one}' is left out`)
        read = read.replace(/,(\s*)$/, '$1')
      }
    }
    read += one
  }
  try {
    return JSON.parse(read)
  } catch (error) {
    throw new OptionError([`readSpec: ${(error as Error).message}`])
  }
}

/** The place behind the text that begins at a quotation mark. */
function endOfText(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return text.length
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length
}
