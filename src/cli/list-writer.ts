import { nameOf, schemaName, success, type Format } from './output.ts'

/** Text before the rows, that of some rows, and text behind them. */
interface ListWriter {
  head: string
  rows: (rows: readonly unknown[]) => string
  tail: string
}

/**
 * An answer with one list that is too long to be kept, in the form that `format` gives it as a whole; written a part at a time.
 * @param data the answer, without the rows of its list `name`
 */
export async function listWriter(
  kind: Exclude<Format, 'table' | 'wide'>,
  answer: { schema: string; data: Record<string, unknown>; name: string; warnings: readonly string[] },
): Promise<ListWriter> {
  if (kind === 'name' || kind === 'jsonl') {
    const text = kind === 'name' ? nameOf : (row: unknown): string => JSON.stringify(row)
    return { head: '', rows: (rows) => rows.map((row) => `${text(row)}\n`).join(''), tail: '' }
  }
  const { schema, data, name, warnings } = answer
  // A name that no text can hold: it is put where the rows go.
  const envelope = success(schemaName(schema), { ...data, [name]: [PLACE] }, warnings)
  if (kind === 'json') {
    const [head, tail] = around(JSON.stringify(envelope, null, 2), JSON.stringify(PLACE))
    let isFirst = true
    const indent = ' '.repeat(head.length - head.lastIndexOf('\n') - 1)
    const row = (one: unknown): string => {
      const text = `${isFirst ? '' : `,\n${indent}`}${JSON.stringify(one, null, 2).replaceAll('\n', `\n${indent}`)}`
      isFirst = false
      return text
    }
    return { head, rows: (rows) => rows.map(row).join(''), tail: `${tail}\n` }
  }
  const { stringify } = await import('yaml')
  const [head, tail] = around(stringify(envelope), `- ${PLACE}\n`)
  const indent = ' '.repeat(head.length - head.lastIndexOf('\n') - 1)
  const lines = (rows: readonly unknown[]): string => stringify(rows).replaceAll(/^(?=.)/gm, indent)
  return { head: head.slice(0, head.length - indent.length), rows: lines, tail }
}

const PLACE = 'rows-go-here'

function around(text: string, place: string): [head: string, tail: string] {
  const at = text.indexOf(place)
  return [text.slice(0, at), text.slice(at + place.length)]
}
