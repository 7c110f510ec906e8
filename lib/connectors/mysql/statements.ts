/** What the texts of statements in the log mean for tables. */

const NAME = '(?:`(?:[^`]|``)+`|[\\w$\\u0080-\\uffff]+)'
const TABLE = `${NAME}(?:\\s*\\.\\s*${NAME})?`
const TRUNCATE = new RegExp(`^TRUNCATE\\s+(?:TABLE\\s+)?(${TABLE})`, 'i')
const REPLACED = new RegExp(`^CREATE\\s+OR\\s+REPLACE\\s+TABLE\\s+(${TABLE})`, 'i')
const DROP = new RegExp(`^DROP\\s+TABLE\\s+(?:IF\\s+EXISTS\\s+)?(${TABLE}(?:\\s*,\\s*${TABLE})*)`, 'i')
const ONE = new RegExp(TABLE, 'g')
const PART = new RegExp(NAME, 'g')

/** The tables (`database.table`) of which all rows are gone after the statement. */
export function emptiedTables(text: string, database: string): string[] {
  const plain = withoutRemarks(text)
  const found = TRUNCATE.exec(plain) ?? REPLACED.exec(plain) ?? DROP.exec(plain)
  if (found === null) return []
  return (found[1]!.match(ONE) ?? []).map((one) => {
    const parts = (one.match(PART) ?? []).map(unquoted)
    return parts.length === 1 ? `${database}.${parts[0]}` : parts.join('.')
  })
}

/** Whether the statement changes rows, and names the table: then its rows are not in the log. */
export function writesRows(text: string, table: string): boolean {
  const plain = withoutRemarks(text)
  if (!/^(INSERT|UPDATE|DELETE|REPLACE|LOAD)\b/i.test(plain)) return false
  const name = table.slice(table.indexOf('.') + 1)
  return (plain.match(PART) ?? []).some((one) => unquoted(one) === name)
}

function unquoted(name: string): string {
  return name.startsWith('`') ? name.slice(1, -1).replaceAll('``', '`') : name
}

function withoutRemarks(text: string): string {
  return text.replace(/^(\s|\/\*(?!!).*?\*\/|(--\s|#)[^\n]*\n)+/s, '')
}
