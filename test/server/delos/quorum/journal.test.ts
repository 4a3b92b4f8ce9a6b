import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { LAN } from '../../../../src/core/delos/paxos/config.ts'
import { FRESH } from '../../../../src/core/delos/paxos/contract.ts'
import type { Accepted } from '../../../../src/core/delos/paxos/messages.ts'
import { createReplica, statusOf } from '../../../../src/core/delos/paxos/replica.ts'
import { createPrng } from '../../../../src/core/kernel/prng.ts'
import { openFileLoglet } from '../../../../src/server/delos/file-loglet.ts'
import { openJournal, type Journal } from '../../../../src/server/delos/quorum/journal.ts'

const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
})
const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'muster-journal-'))
  dirs.push(dir)
  return dir
}

const BALLOT = 1025
const HIGHER = 2050
const VALUE_BYTES = 4000
const at = (slot: number, ballot = BALLOT): Accepted => ({
  slot,
  ballot,
  batch: { kind: 'batch', position: slot, count: 1, proposerId: 1, seq: slot, payload: new Uint8Array(VALUE_BYTES).fill(slot) },
})
const open = async (dir: string) => {
  const loglet = await openFileLoglet(join(dir, 'journal'), { segmentBytes: 64 * 1024, isSalvage: true, markAfterMs: 5 })
  return openJournal(loglet, dir, 1)
}
const fill = async (journal: Journal, from: number, to: number, ballot = BALLOT): Promise<void> => {
  for (let slot = from; slot <= to; slot += 1)
    await journal.write({ id: slot, state: null, records: [at(slot, ballot)], committed: slot - 1 })
}
const segments = (dir: string): string[] => readdirSync(join(dir, 'journal')).filter((name) => name.endsWith('.seg'))
/** Spoils the record that holds the value of a slot. */
const spoil = (dir: string, slot: number): void => {
  for (const name of segments(dir)) {
    const file = join(dir, 'journal', name)
    const bytes = readFileSync(file)
    const found = bytes.indexOf(Buffer.alloc(VALUE_BYTES, slot))
    if (found < 0) continue
    bytes[found + 100] = (bytes[found + 100] as number) ^ 1
    writeFileSync(file, bytes)
  }
}

test('the end of a sealed loglet is given with what may be in doubt, so that nothing follows it after a restart', async () => {
  const dir = newDir()
  const { journal } = await open(dir)
  await fill(journal, 1, 3)
  const end: Accepted = { slot: 4, ballot: BALLOT, batch: { ...at(4).batch, kind: 'end', count: 0, payload: new Uint8Array(0) } }
  await journal.write({ id: 4, state: null, records: [end], committed: 4 })
  await journal.close()
  const again = await open(dir)
  expect(again.durable).toMatchObject({ base: { slot: 3, position: 4 }, committed: 4, accepted: [{ slot: 4, batch: { kind: 'end' } }] })
  const config = { loglet: 7, self: 1, voters: [1], learners: [], firstPosition: 1, lastRound: 0, timers: LAN }
  const replica = createReplica(config, { state: FRESH, ...again.durable }, createPrng(1), 0)
  expect(statusOf(replica)).toMatchObject({ role: 'sealed', committed: 4 })
  await again.journal.close()
})

describe('a journal that was trimmed', () => {
  test('begins after the slot, in fewer files, also after a restart', async () => {
    const dir = newDir()
    const { journal } = await open(dir)
    await fill(journal, 1, 60)
    const before = segments(dir).length
    await journal.rebase(40, 41)
    expect(segments(dir).length).toBeLessThan(before)
    expect([journal.read(40), journal.read(41)?.slot]).toEqual([null, 41])
    await journal.close()
    const again = await open(dir)
    expect(again.journal.base()).toEqual({ slot: 40, position: 41 })
    expect(again.durable).toMatchObject({ base: { slot: 59, position: 60 }, committed: 59, unknown: [] })
    expect([again.journal.read(40), again.journal.read(41)?.slot]).toEqual([null, 41])
    await again.journal.close()
  })

  test('starts from what a crash left at each step: its base said and no file gone yet, or some', async () => {
    const dir = newDir()
    const { journal } = await open(dir)
    await fill(journal, 1, 60)
    await journal.close()
    const [first, second] = segments(dir) as [string, string]
    const whole = await open(dir)
    const copy = newDir()
    cpSync(dir, copy, { recursive: true })
    await whole.journal.rebase(40, 41)
    await whole.journal.close()
    cpSync(join(dir, 'base'), join(copy, 'base'))
    for (const gone of [null, first, second]) {
      if (gone !== null) rmSync(join(copy, 'journal', gone))
      const again = await open(copy)
      expect(again.durable).toMatchObject({ base: { slot: 59, position: 60 }, unknown: [] })
      expect(again.journal.read(41)?.slot).toBe(41)
      await again.journal.close()
    }
  })

  test('of which more is gone than was trimmed does not know those slots, rather than having accepted nothing there', async () => {
    const dir = newDir()
    const { journal } = await open(dir)
    await fill(journal, 1, 60)
    await journal.rebase(20, 21)
    await journal.close()
    for (const name of segments(dir).slice(0, 1)) rmSync(join(dir, 'journal', name))
    const { durable, journal: again } = await open(dir)
    expect(durable.base).toEqual({ slot: 20, position: 21 })
    const missing = durable.accepted[0]?.slot as number
    expect(missing).toBeGreaterThan(21)
    expect(durable.unknown[0]).toEqual({ from: 21, to: missing - 1 })
    await again.close()
  })

  test('refuses to start when what says where it begins is damaged', async () => {
    const dir = newDir()
    const { journal } = await open(dir)
    await fill(journal, 1, 3)
    await journal.rebase(2, 3)
    await journal.close()
    writeFileSync(join(dir, 'base'), readFileSync(join(dir, 'base'), 'utf8').replace('"slot":2', '"slot":3'))
    await expect(open(dir)).rejects.toMatchObject({ code: 'DELOS_LOG_CORRUPT' })
  })
})

test('a snapshot takes the place of records that never came', async () => {
  const dir = newDir()
  const { journal } = await open(dir)
  await fill(journal, 1, 3)
  await journal.rebase(500, 400)
  await journal.write({ id: 9, state: null, records: [{ ...at(501), batch: { ...at(1).batch, position: 400 } }], committed: 500 })
  await journal.close()
  const { durable, journal: again } = await open(dir)
  expect(durable).toMatchObject({ base: { slot: 500, position: 400 }, committed: 500 })
  expect(durable.accepted.map(({ slot }) => slot)).toEqual([501])
  await again.close()
})

describe('a damaged journal', () => {
  test('does not know the slot whose record is damaged, and what is after it is kept as accepted', async () => {
    const dir = newDir()
    const { journal } = await open(dir)
    await fill(journal, 1, 60)
    await journal.close()
    spoil(dir, 7)
    const { durable, journal: again } = await open(dir)
    expect(durable.unknown).toEqual([{ from: 7, to: 7 }])
    expect(durable.base.slot).toBe(6)
    expect(durable.accepted.map(({ slot }) => slot)).toEqual(Array.from({ length: 53 }, (_, i) => i + 8))
    // Taken again from another server, it is whole once more.
    await fill(again, 7, 60, HIGHER)
    await again.close()
    const repaired = await open(dir)
    expect(repaired.durable).toMatchObject({ unknown: [], base: { slot: 59 } })
    expect(repaired.journal.read(7)?.ballot).toBe(HIGHER)
    await repaired.journal.close()
  })

  test('never takes an older record of a slot for its newest, when the newest is lost', async () => {
    const dir = newDir()
    const { journal } = await open(dir)
    await journal.write({ id: 1, state: null, records: [at(1), at(2), at(3)], committed: 0 })
    // Slot 2 again in a higher ballot, with another value; 50 finds it in the file.
    await journal.write({ id: 2, state: null, records: [{ ...at(50, HIGHER), slot: 2 }], committed: 1 })
    await journal.write({ id: 3, state: null, records: [at(3, HIGHER)], committed: 2 })
    await journal.close()
    spoil(dir, 50)
    const { durable, journal: again } = await open(dir)
    // Slot 1 too: nothing says that it was chosen before what is lost was written.
    expect(durable.base.slot).toBe(0)
    expect(durable.unknown).toContainEqual({ from: 1, to: 2 })
    await again.close()
  })
})

test('an empty directory makes an empty journal', async () => {
  const dir = newDir()
  mkdirSync(join(dir, 'journal'))
  const { durable, journal } = await open(dir)
  expect(durable).toEqual({ accepted: [], committed: 0, base: { slot: 0, position: 1 }, unknown: [] })
  await journal.close()
})
