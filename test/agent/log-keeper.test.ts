import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { probeCapabilities } from '../../src/agent/capabilities.ts'
import { LogKeeper, readBase } from '../../src/agent/log-keeper.ts'
import { readLogs, type LogLine, type LogQuery } from '../../src/agent/log-reader.ts'

const canPunch = probeCapabilities().find((capability) => capability.name === 'holes in log files')?.isThere === true

describe('task logs', () => {
  let root: string
  let out: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'mu-log-'))
    out = join(root, 'out')
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const read = async (query: Partial<LogQuery> = {}): Promise<LogLine[]> => {
    const lines: LogLine[] = []
    for await (const line of readLogs({ out, err: join(root, 'err') }, { stream: 'all', ...query }, null)) lines.push(line)
    return lines
  }

  it.skipIf(!canPunch)(
    'are trimmed while they are written without losing a line that is kept [needs a file system with holes]',
    async () => {
      const lines = 60_000
      const fd = openSync(out, 'a')
      const writer = spawn(
        'sh',
        ['-c', `i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "line $i ......................................."; done`],
        { stdio: ['ignore', fd, 'inherit'] },
      )
      closeSync(fd)
      const ended = new Promise((resolve) => writer.once('exit', resolve))
      const keeper = new LogKeeper(128 * 1024)
      let isRunning = true
      void ended.then(() => (isRunning = false))
      while (isRunning) {
        await keeper.look(out, Date.now())
        await sleep(5)
      }
      await keeper.look(out, Date.now())
      expect(readBase(out)).toBeGreaterThan(0)
      expect(statSync(out).blocks * 512).toBeLessThan(3 * 128 * 1024)
      const kept = (await read()).map(({ line }) => Number(/^line (\d+) \.+$/.exec(line)?.[1]))
      expect(kept.at(-1)).toBe(lines)
      // Every number follows its predecessor: nothing was lost, torn or doubled in what is kept.
      expect(kept.every((number, i) => i === 0 || number === (kept[i - 1] ?? 0) + 1)).toBe(true)
      expect(kept.length).toBeGreaterThan(2000)
    },
  )

  it('on a file system without holes are cut by copying their last part, and read on across the cut', async () => {
    const keeper = new LogKeeper(64 * 1024, false)
    const number = (from: number, count: number): string =>
      Array.from({ length: count }, (_, i) => `line ${from + i} ${'.'.repeat(50)}\n`).join('')
    writeFileSync(out, number(0, 4000))
    await keeper.look(out, 1000)
    writeFileSync(out, number(4000, 10), { flag: 'a' })
    await keeper.look(out, 1250)
    expect(statSync(out).size).toBeLessThan(1000)
    const kept = (await read()).map(({ line }) => Number(line.split(' ')[1])).filter((value) => !Number.isNaN(value))
    expect(kept.slice(-11)).toEqual(Array.from({ length: 11 }, (_, i) => 3999 + i))
    expect(kept.length).toBeGreaterThan(900)
  })

  it('know when a line was written to a quarter of a second, and give those since a time', async () => {
    const keeper = new LogKeeper()
    writeFileSync(out, 'a\nb\n')
    await keeper.look(out, 1000)
    await keeper.look(out, 1250)
    writeFileSync(out, 'c\n', { flag: 'a' })
    await keeper.look(out, 1500)
    expect(await read()).toEqual([
      { time: 1000, stream: 'out', line: 'a' },
      { time: 1000, stream: 'out', line: 'b' },
      { time: 1500, stream: 'out', line: 'c' },
    ])
    expect((await read({ since: 1400 })).map(({ line }) => line)).toEqual(['c'])
    expect(await read({ lines: 0 })).toEqual([])
  })

  it('can be followed: what is written later arrives, a line only when it is whole', async () => {
    const fd = openSync(out, 'a')
    writeSync(fd, 'first\n')
    const stop = new AbortController()
    const got: string[] = []
    const reading = (async () => {
      for await (const { line } of readLogs({ out, err: join(root, 'err') }, { stream: 'out', lines: 10 }, stop.signal)) got.push(line)
    })()
    await sleep(150)
    writeSync(fd, 'sec')
    await sleep(250)
    expect(got).toEqual(['first'])
    writeSync(fd, 'ond\n')
    await sleep(250)
    stop.abort()
    await reading
    closeSync(fd)
    expect(got).toEqual(['first', 'second'])
  })

  it('longer than one look back give exactly the last lines asked for', async () => {
    writeFileSync(out, Array.from({ length: 30_000 }, (_, i) => `${i} ${'x'.repeat(40)}`).join('\n') + '\n')
    const last = await read({ lines: 20_000, stream: 'out' })
    expect(last).toHaveLength(20_000)
    expect(last[0]?.line.startsWith('10000 ')).toBe(true)
    expect(readFileSync(out, 'utf8').split('\n')).toHaveLength(30_001)
  })
})
