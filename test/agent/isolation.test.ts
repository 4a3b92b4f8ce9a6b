import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { canUseNamespaces, namespacePrefix, preparationOf, quote } from '../../src/agent/exec/isolation.ts'

let root: string
beforeEach(() => {
  // As somebody's folder may be named.
  root = mkdtempSync(join(tmpdir(), 'mu iso #1\\'))
  for (const name of ['task', 'keys', 'artifact']) mkdirSync(join(root, name))
  writeFileSync(join(root, 'keys/secret'), 'x')
  writeFileSync(join(root, 'artifact/program'), 'x')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function seen(isIsolated: boolean): Record<string, string> {
  const folder = join(root, 'task')
  const artifact = join(root, 'artifact')
  const { script, mounts } = preparationOf({ folder, cgroup: null, isIsolated, keys: join(root, 'keys'), artifact, cwd: artifact })
  writeFileSync(join(folder, 'prepare'), script)
  if (mounts !== null) writeFileSync(join(folder, 'mounts'), mounts)
  const look = [
    `. ${quote(join(folder, 'prepare'))}`,
    'printf "cwd=%s\\n" "$(pwd)"',
    'echo "pids=$(ls /proc | grep -c "^[0-9]")"',
    `echo "keys=$(ls ${quote(join(root, 'keys'))})"`,
    'echo "masked=$([ -c /proc/keys ] && echo yes)"',
    '{ echo > new; } 2> /dev/null && echo "write=yes" || echo "write=no"',
  ]
  const [program, ...args] = [...(isIsolated ? namespacePrefix() : []), 'sh', '-c', look.join('\n')]
  const { stdout, status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  return Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  )
}

test.skipIf(!canUseNamespaces())('needs namespaces: a task sees its own processes, no keys, and cannot write what it shares', () => {
  const isolated = seen(true)
  expect(isolated).toMatchObject({ cwd: join(root, 'artifact'), keys: '', write: 'no' })
  expect(Number(isolated['pids'])).toBeLessThan(10)
  if (existsSync('/proc/keys')) expect(isolated['masked']).toBe('yes')
  // None of it is on the machine itself.
  expect(seen(false)).toMatchObject({ cwd: join(root, 'artifact'), keys: 'secret', write: 'yes', masked: '' })
})
