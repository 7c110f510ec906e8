import { JobNodeError } from '../errors'

/** A request is a line of JSON, and so is each answer: values of what is followed, and at last a result or an error. */
export type Request =
  | {
      readonly op: 'submit'
      readonly name: string
      readonly file: string
      readonly args: string[]
      readonly cwd: string
    }
  | { readonly op: 'list' }
  | { readonly op: 'logs'; readonly name: string; readonly lines: number; readonly follow: boolean }
  | { readonly op: 'suspend' | 'resume'; readonly name: string }
  | { readonly op: 'cancel'; readonly name: string; readonly keep: boolean }
  | { readonly op: 'listen'; readonly topic: string }

export type Answer =
  | { readonly value: unknown }
  | { readonly done: unknown }
  | { readonly error: { readonly code: string; readonly message: string } }

/** The most bytes of a line: nobody makes the other side keep more. */
const LONGEST = 4 << 20

/** Cuts what a socket brings into messages. */
export class MessageReader<T> {
  private rest = Buffer.alloc(0)

  /** @throws JobNodeError where it is not a line of JSON, or a line without end */
  read(chunk: Buffer): T[] {
    const found: T[] = []
    this.rest = Buffer.concat([this.rest, chunk])
    for (let end = this.rest.indexOf(10); end >= 0; end = this.rest.indexOf(10)) {
      found.push(parse<T>(this.rest.toString('utf8', 0, end)))
      this.rest = this.rest.subarray(end + 1)
    }
    if (this.rest.length > LONGEST) {
      throw new JobNodeError('ERR_JOB_NODE_REQUEST', `a message is longer than ${LONGEST} bytes`)
    }
    return found
  }
}

function parse<T>(line: string): T {
  try {
    return JSON.parse(line) as T
  } catch {
    throw new JobNodeError('ERR_JOB_NODE_REQUEST', 'a message is not a line of JSON')
  }
}
