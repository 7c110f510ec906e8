import { compiled } from '../installing'

/** No server, but a client. */
export const installation = compiled('sqlite', 'better-sqlite3', '^11.10.0', 'build/Release/better_sqlite3.node')
