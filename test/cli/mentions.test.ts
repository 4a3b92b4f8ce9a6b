import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandIds } from '../../src/cli/main.ts'
import { HELP_TOPICS } from '../../src/cli/render/help.ts'
import { resolveCommand } from '../../src/cli/resolve.ts'
import { ERRORS } from '../../src/core/kernel/error-table.ts'

const root = join(import.meta.dirname, '../..')
const ids = commandIds(readdirSync(join(root, 'src/commands'), { recursive: true }).map(String))

interface CommandClass {
  flags?: Record<string, { char?: string }>
  baseFlags: Record<string, { char?: string }>
}

/** What is wrong with a command line that a text tells people to type; null: nothing. */
async function wrongWith(line: string): Promise<string | null> {
  const words = line.split(/\s+/).filter(Boolean)
  // Placeholders and our own ways in: `muster COMMAND --help`, `muster help exit-codes`, `muster --version`.
  if (/^([A-Z…-]|help$|__complete$|foo$)/.test(words[0] ?? '-')) return null
  const found = resolveCommand(words, ids)
  // Parts that the text fills in (X below) may be verbs; `muster agent: …` is a message.
  if (found.kind === 'unknown' && words.some((word) => word.includes('X') || word.endsWith(':'))) return null
  if (found.kind === 'unknown') return `no command "muster ${line}"`
  if (found.kind === 'topic') return null
  const command = ((await import(join(root, 'src/commands', `${found.id.replaceAll(':', '/')}.ts`))) as { default: CommandClass }).default
  const flags = { ...command.baseFlags, ...command.flags }
  const known = new Set(Object.entries(flags).flatMap(([name, { char }]) => [`--${name}`, `-${char ?? name}`]))
  const own = found.argv.includes('--') ? found.argv.slice(0, found.argv.indexOf('--')) : found.argv
  const unknown = own
    .filter((word) => /^--?[a-z]/.test(word))
    .map((word) => word.split('=')[0] ?? '')
    .filter((word) => !known.has(word) && word !== '--help' && word !== '-h')
  return unknown.length > 0 ? `"muster ${line}" has no ${unknown.join(', ')}` : null
}

const inBackticks = (text: string): string[] => [...text.matchAll(/`(?:npx )?muster ([^`|]+)`/g)].map((match) => match[1] ?? '')

async function findings(lines: readonly string[]): Promise<string[]> {
  return (await Promise.all(lines.map(wrongWith))).filter((finding) => finding !== null)
}

test('every command that an error tells people to type exists, with its flags', async () => {
  const lines = Object.values(ERRORS).flatMap(({ hint, what }) => inBackticks(`${hint} ${what}`))
  expect(lines.length).toBeGreaterThan(30)
  expect(await findings(lines)).toEqual([])
})

test('every command in a hint or message of the sources exists, with its flags', async () => {
  const files = readdirSync(join(root, 'src'), { recursive: true })
    .map(String)
    .filter((name) => /\.tsx?$/.test(name))
  // A template's ${…} stands for one word.
  const lines = files.flatMap((name) =>
    [
      ...readFileSync(join(root, 'src', name), 'utf8')
        .replaceAll(/\$\{[^}]*\}/g, 'X')
        .matchAll(/\\?`muster ([a-z][^`\n|]*?)\\?`/g),
    ].map((match) => match[1] ?? ''),
  )
  expect(lines.length).toBeGreaterThan(30)
  expect(await findings(lines)).toEqual([])
})

test('every command in the help pages and the documents exists, with its flags', async () => {
  const pages = [
    ...Object.values(HELP_TOPICS),
    ...['README.md', 'docs/hacking.md', 'docs/architecture.md'].map((name) => readFileSync(join(root, name), 'utf8')),
  ]
  const lines = pages.flatMap((text) => [
    ...inBackticks(text),
    ...[...text.matchAll(/(?:^|\n)\s+(?:npx )?muster ([a-z][^\n#|,']*)/g)].map((match) => match[1] ?? ''),
  ])
  expect(lines.length).toBeGreaterThan(10)
  expect(await findings(lines)).toEqual([])
})

test('a command that does not exist would be found', async () => {
  expect(await findings(['tw job rum x', 'tw ps --nonsense', 'tw ps --all'])).toEqual([
    'no command "muster tw job rum x"',
    '"muster tw ps --nonsense" has no --nonsense',
  ])
})
