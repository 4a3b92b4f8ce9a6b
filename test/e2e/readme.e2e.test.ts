import { execa } from 'execa'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { BIN, newFleet } from '../support/fleet.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The commands of the README's tour, in their order. */
function tourOf(readme: string): string {
  const tour = /<!-- tour -->([\s\S]*)<!-- \/tour -->/.exec(readme)?.[1] ?? ''
  return [...tour.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]).join('\n')
}

test('every command of the README tour does what it says', async () => {
  const fleet = newFleet()
  // The tour is walked in a folder like the checkout's, with `npx muster` as the binary under test.
  const bin = join(fleet.home, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\nexec '${process.execPath}' '${BIN}' "$@"\n`)
  chmodSync(join(bin, 'npx'), 0o755)
  symlinkSync(join(ROOT, 'templates'), join(fleet.home, 'templates'))
  const script = tourOf(readFileSync(join(ROOT, 'README.md'), 'utf8'))
  expect(script.split('\n').filter((line) => line.startsWith('npx muster')).length).toBeGreaterThan(20)
  try {
    const result = await execa('bash', ['-eux', '-c', script], {
      cwd: fleet.home,
      env: { ...fleet.env, PATH: `${bin}${delimiter}${fleet.env['PATH']}` },
      extendEnv: false,
      reject: false,
      all: true,
      timeout: 400_000,
    })
    expect(result.exitCode, String(result.all).slice(-6000)).toBe(0)
    const said = String(result.all)
    expect(said).toContain('this is web/api[0]')
    expect(said).toMatch(/r\d+ web: ● succeeded/)
    expect(said).toContain('exit 1: rolled back')
    expect(said).toMatch(/closed: held/)
    expect(readFileSync(join(fleet.home, 'tour', 'postmortem.md'), 'utf8')).toContain('## Timeline')
  } finally {
    await fleet.end()
  }
}, 440_000)
