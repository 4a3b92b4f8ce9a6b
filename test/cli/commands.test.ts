import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from '@oclif/core/parser'
import { describe, expect, test } from 'vitest'
import { commandIds } from '../../src/cli/main.ts'
import type { AnyOperation, OperationRef } from '../../src/cli/reference.ts'
import { TOPICS } from '../../src/cli/render/help.ts'
import { resolveCommand } from '../../src/cli/resolve.ts'

interface CommandClass {
  summary?: string
  examples?: (string | { command: string })[]
  operation?: OperationRef
  flags: Record<string, unknown>
  baseFlags: Record<string, unknown>
  args: Record<string, unknown>
  strict?: boolean
}

const folder = join(import.meta.dirname, '../../src/commands')
const ids = commandIds(readdirSync(folder, { recursive: true }).map(String))
const load = async (id: string): Promise<CommandClass> =>
  ((await import(join(folder, `${id.replaceAll(':', '/')}.ts`))) as { default: CommandClass }).default

/** Words of a shell line as far as examples need it: quotes, and no more after a pipe or a redirection. */
function shellWords(line: string): string[] {
  const words: string[] = []
  for (const match of line.matchAll(/'([^']*)'|"([^"]*)"|([|<>&;#]|[^\s'"]+)/g)) {
    const word = match[1] ?? match[2] ?? match[3] ?? ''
    if (match[3] !== undefined && /^[|<>&;#]/.test(word)) break
    words.push(word)
  }
  return words
}

/** The part of an example that calls muster: `cat x | muster scuba send t -` → `scuba send t -`. */
function musterWords(example: string): string[] {
  const line = example.replaceAll('<%= config.bin %>', 'muster')
  const start = line.lastIndexOf('muster ')
  return shellWords(line.slice(start + 'muster '.length).replace(/\)$/, ''))
}

test('no command exists under two names of one verb', () => {
  for (const id of ids) {
    const twin = id.replace(/:ls$/, ':list').replace(/:rm$/, ':remove')
    if (twin !== id) expect(ids, `${id} and ${twin}`).not.toContain(twin)
  }
})

describe.each(ids)('muster %s', (id) => {
  test('says what it does and shows examples', async () => {
    const { summary, examples } = await load(id)
    expect(summary, 'summary').toMatch(/^[A-Z].*\.$/)
    expect(examples?.length ?? 0, 'examples').toBeGreaterThan(0)
  })

  test('names the operation that it loads', async () => {
    const { operation } = await load(id)
    if (operation === undefined) return
    const loaded = (await operation.load()) as AnyOperation | undefined
    expect(loaded?.name).toBe(operation.name)
  })

  test('accepts its own examples', async () => {
    for (const example of (await load(id)).examples ?? []) {
      const words = musterWords(typeof example === 'string' ? example : example.command)
      if (words[0]?.startsWith('-')) continue // `muster --version`
      const found = resolveCommand(words, ids)
      if (found.kind !== 'command') throw new Error(`"${words.join(' ')}" is not a command`)
      const command = await load(found.id)
      const context = { config: {}, jsonEnabled: () => false }
      const input = { args: command.args, flags: { ...command.baseFlags, ...command.flags }, strict: command.strict !== false, context }
      await expect(parse(found.argv, input as never), `muster ${words.join(' ')}`).resolves.toBeDefined()
    }
  })
})

test('every topic says what it is for', () => {
  const topics = new Set(
    ids.flatMap((id) =>
      id
        .split(':')
        .slice(0, -1)
        .map((_, i, words) => words.slice(0, i + 1).join(' ')),
    ),
  )
  // A command that has sub-commands describes itself.
  const missing = [...topics].filter((topic) => TOPICS[topic] === undefined && !ids.includes(topic.replaceAll(' ', ':')))
  expect(missing).toEqual([])
})
