import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../../../..')
const page = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')

/** Each rule with what is named below it. */
const rules = page
  .split(/^### /m)
  .slice(1)
  .map((text) => {
    const [name = '', ...lines] = text.split('\n')
    const named = lines.flatMap((line) => {
      const found = /^- `(test\/[^`]+)`: (.+)$/.exec(line)
      return found === null ? [] : [{ file: found[1] as string, title: found[2] as string }]
    })
    return { name, lines, named }
  })

/** As it may stand in a test's source. */
const spellings = (title: string): string[] => [title, title.replaceAll("'", String.raw`\'`)]

test('every rule names a test, and every test that it names is there', () => {
  expect(rules.length).toBeGreaterThanOrEqual(35)
  for (const { name, named } of rules) expect(named, name).not.toEqual([])
  const missing = rules.flatMap(({ name, named }) =>
    named.flatMap(({ file, title }) => {
      const path = join(ROOT, file)
      const source = existsSync(path) ? readFileSync(path, 'utf8') : ''
      return spellings(title).some((spelling) => source.includes(spelling)) ? [] : [`${name}: ${file}: ${title}`]
    }),
  )
  expect(missing).toEqual([])
})

test('a line that names a test is of the form that is checked', () => {
  const lines = rules.flatMap((rule) => rule.lines.filter((line) => line.startsWith('- ')))
  expect(lines.length).toBe(rules.reduce((count, { named }) => count + named.length, 0))
})
