import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { newFleet } from '../support/fleet.ts'

const root = join(import.meta.dirname, '../..')
const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
const hasCurl = spawnSync('curl', ['--version']).status === 0

test.skipIf(!hasCurl)('every command of the tour in the README works, in this order (needs curl)', { timeout: 180_000 }, async () => {
  expect(blocks.length).toBeGreaterThan(5)
  const fleet = newFleet()
  try {
    // `npx muster` without a checkout's node_modules around: the same program, by the name the reader types.
    const shims = join(fleet.home, 'shims')
    mkdirSync(shims)
    writeFileSync(join(shims, 'npx'), `#!/bin/sh\n[ "$1" = muster ] || exit 99\nshift\nexec "${process.execPath}" "${join(root, 'bin/muster.js')}" "$@"\n`)
    chmodSync(join(shims, 'npx'), 0o755)
    symlinkSync(join(root, 'templates'), join(fleet.home, 'templates'))
    const script = ['trap \'kill $TRAFFIC 2>/dev/null || true\' EXIT', 'TRAFFIC=', ...blocks].join('\n')
    const env = { ...fleet.env, PATH: `${shims}:${dirname(process.execPath)}:${fleet.env['PATH']}` }
    const { status, stdout, stderr } = spawnSync('sh', ['-eux', '-c', script], { cwd: fleet.home, env, encoding: 'utf8', timeout: 150_000 })
    expect(status, `${stdout.slice(-2000)}\n${stderr.slice(-3000)}`).toBe(0)
    expect(stdout).toContain('"message":"hello"')
    expect(stdout).toContain('succeeded')
    expect(stdout).toContain('anna')
    expect(stdout).toContain('one at a time')
  } finally {
    await fleet.end()
  }
})
