import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

test('what is drawn from the code is current: docs/cli, docs/errors, schemas', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(root, 'scripts/docs.js'), '--check'], { encoding: 'utf8' })
  expect(`${stdout}${stderr}`).toBe('')
  expect(status).toBe(0)
})

test('links of the documents lead somewhere', () => {
  const documents = [
    'README.md',
    'CHANGELOG.md',
    ...readdirSync(join(root, 'docs'), { recursive: true }).map((name) => `docs/${String(name)}`),
  ].filter((name) => name.endsWith('.md'))
  const broken = documents.flatMap((name) =>
    [...readFileSync(join(root, name), 'utf8').matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1] ?? '')
      .filter((link) => !existsSync(join(root, dirname(name), link)))
      .map((link) => `${name}: ${link}`),
  )
  expect(broken).toEqual([])
})
