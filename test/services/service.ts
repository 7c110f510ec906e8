import { after, before, describe } from 'mocha'
import type { Installation } from './installing'
import { Server, type ServerDefinition } from './server'

/**
 * Tests against a server that is started before them and stopped after; `server()` gives it. Where it is not installed, and cannot
 * be, they are left out.
 */
export function describeService(
  title: string,
  { installation, definition }: { installation: Installation; definition: ServerDefinition },
  tests: (server: () => Server) => void,
): void {
  describe(title, () => {
    let server: Server | undefined
    before(async function () {
      if (!installation.installed()) this.skip()
      server = await Server.start(definition)
    })
    after(() => server?.stop())
    tests(() => server!)
  })
}
