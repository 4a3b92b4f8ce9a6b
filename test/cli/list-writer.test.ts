import { expect, test } from 'vitest'
import { listWriter } from '../../src/cli/list-writer.ts'
import { format } from '../../src/cli/output.ts'

const ROWS = [
  { key: 'a', value: 'one\ntwo', lease: null },
  { key: 'b', value: '- "c": [', lease: '2a', tags: ['x', 'y'] },
  { key: 'rows-go-here', value: '', lease: null },
]

test.each(['json', 'jsonl', 'yaml', 'name'] as const)('a list in parts is, as %s, what it is as a whole', async (kind) => {
  for (const parts of [[ROWS], [ROWS.slice(0, 1), ROWS.slice(1)], ROWS.map((row) => [row])]) {
    const data = { revision: 7, more: false }
    const { head, rows, tail } = await listWriter(kind, { schema: 'delos.kv.get', data, name: 'kvs', warnings: ['cut'] })
    const text = head + parts.map(rows).join('') + tail
    expect(text).toBe(`${await format(kind, 'muster.delos.kv.get/1', { ...data, kvs: ROWS }, ['cut'])}\n`)
  }
})
