import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openAcceptorDisk } from '../../../../src/server/delos/quorum/acceptor-disk.ts'

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
})
const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'muster-acceptor-'))
  dirs.push(dir)
  return dir
}

const OURS = { clusterId: 0xfedc_ba98_7654_3210n, loglet: 1, incarnation: 1 }

describe('promises on the disk', () => {
  it('are the last ones written, in the order they were asked for', async () => {
    const dir = newDir()
    const disk = await openAcceptorDisk(dir, OURS, false)
    await Promise.all([1027, 2051, 3075].map((promised) => disk.write({ promised, isSealed: promised === 3075, unknown: [] })))
    await disk.close()
    const again = await openAcceptorDisk(dir, OURS, true)
    expect(again.state).toEqual({ promised: 3075, isSealed: true, unknown: [] })
    await again.close()
  })

  it.each([0, 1])('survive damage of slot %i: the other says the same', async (half) => {
    const dir = newDir()
    const disk = await openAcceptorDisk(dir, OURS, false)
    await disk.write({ promised: 1027, isSealed: false, unknown: [] })
    await disk.write({ promised: 2051, isSealed: false, unknown: [] })
    await disk.close()
    const file = join(dir, 'acceptor')
    const bytes = readFileSync(file)
    bytes.fill(0, half * 4096 + 40, half * 4096 + 600)
    writeFileSync(file, bytes)
    const again = await openAcceptorDisk(dir, OURS, true)
    expect(again.state.promised).toBe(2051)
    await again.close()
  })

  it.each([
    ['gone', (file: string) => rmSync(file), 'it is gone'],
    ['emptied', (file: string) => writeFileSync(file, ''), 'it is gone'],
    ['damaged all over', (file: string) => writeFileSync(file, Buffer.alloc(8192, 7)), 'it is damaged'],
  ])('that are %s are not made up: the server refuses to vote', async (_name, damage, why) => {
    const dir = newDir()
    const disk = await openAcceptorDisk(dir, OURS, false)
    await disk.close()
    damage(join(dir, 'acceptor'))
    await expect(openAcceptorDisk(dir, OURS, true)).rejects.toThrow(why)
  })

  it('of another cluster are not taken for ours', async () => {
    const dir = newDir()
    await (await openAcceptorDisk(dir, OURS, false)).close()
    await expect(openAcceptorDisk(dir, { ...OURS, clusterId: 1n }, false)).rejects.toThrow('another cluster')
  })
})
