import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const MODULE = new URL('../../src/platform/memory.ts', import.meta.url).href
/** Blocks of 300 KB that end at once, 20 at a time; prints page faults a block, after it was done some rounds. */
const program = (isKept: boolean): string => `
import { readFileSync } from 'node:fs'
${isKept ? `import { keepFreedMemory } from ${JSON.stringify(MODULE)}\nkeepFreedMemory()` : ''}
const faults = () => Number(readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[7])
const round = () => {
  const blocks = Array.from({ length: 20 }, () => Buffer.allocUnsafeSlow(300_000).fill(1))
  for (const { buffer } of blocks) buffer.transfer(0)
}
for (let i = 0; i < 2; i += 1) round()
const before = faults()
for (let i = 0; i < 5; i += 1) round()
console.log((faults() - before) / 100)
`
const faultsOf = (isKept: boolean): number =>
  Number(spawnSync(process.execPath, ['--input-type=module', '-e', program(isKept)], { encoding: 'utf8' }).stdout)

const isGlibc = 'glibcVersionRuntime' in ((process.report.getReport() as unknown as { header: object }).header ?? {})

test.skipIf(!isGlibc)('a large block costs no page faults when one like it ended before (glibc only)', () => {
  expect(faultsOf(false)).toBeGreaterThan(30)
  expect(faultsOf(true)).toBeLessThan(10)
})
