import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { haltDirectly, resumeDirectly } from '../../../src/cli/files/halt-files.ts'
import { statePaths } from '../../../src/platform/paths.ts'

const dir = mkdtempSync(join(tmpdir(), 'muster-halt-'))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

it('halt without a server leaves its word with every local agent, and resume takes it back', () => {
  const paths = statePaths('test', { MUSTER_STATE_DIR: dir })
  expect(haltDirectly(paths, 'no agents yet')).toEqual([])
  for (const node of ['n1', 'n2']) mkdirSync(paths.agent(node).root, { recursive: true })
  expect(haltDirectly(paths, 'trouble').sort()).toEqual(['n1', 'n2'])
  expect(readFileSync(join(paths.agent('n2').root, 'HALT'), 'utf8')).toBe('trouble\n')
  resumeDirectly(paths)
  expect(existsSync(join(paths.agent('n1').root, 'HALT'))).toBe(false)
})
