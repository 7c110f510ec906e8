import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { golang } from '../installing'
import type { ServerDefinition } from '../server'

export const installation = golang('versitygw', 'github.com/versity/versitygw/cmd/versitygw@v1.8.0', 'versitygw')

export const ACCESS_KEY = 'test-access'
export const SECRET_KEY = 'a-secret-of-s3'

/** S3 over a folder: what was answered is in it. */
export const definition: ServerDefinition = {
  name: 'versitygw',
  prepare({ folder }) {
    for (const name of ['data', 'iam']) mkdirSync(join(folder, name))
  },
  command: ({ port, folder }) => ({
    file: installation.program,
    args: [
      ...['--access', ACCESS_KEY, '--secret', SECRET_KEY, '--port', `127.0.0.1:${port}`],
      ...['--quiet', 'posix', join(folder, 'data')],
    ],
  }),
}
