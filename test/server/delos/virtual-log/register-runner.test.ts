import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { genesis } from '../../../../src/core/delos/virtual-log/genesis.ts'
import { EMPTY_REGISTER, type RegisterState } from '../../../../src/core/delos/virtual-log/register-contract.ts'
import { decodeRegisterFile } from '../../../../src/core/delos/virtual-log/register-file.ts'
import type { RegisterValue } from '../../../../src/core/delos/virtual-log/value.ts'
import { openRegisterDisk, readRegisterSlots, type RegisterDisk } from '../../../../src/server/delos/virtual-log/register-disk.ts'
import { RegisterRunner } from '../../../../src/server/delos/virtual-log/register-runner.ts'
import { eventually } from '../../../support/eventually.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'muster-register-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const FIRST = genesis('00000000000000aa', [{ id: '0000000000000001', name: 'a', addresses: ['http://127.0.0.1:1'] }])
const nextOf = (value: RegisterValue): RegisterValue => ({
  ...value,
  version: value.version + 1,
  servers: value.servers.map((server) => ({ ...server, addresses: [`http://127.0.0.1:${value.version + 1}`] })),
})

function onDisk(): RegisterState {
  const file = decodeRegisterFile(readRegisterSlots(dir))
  if (file.kind !== 'slot') throw new Error(`the register's file is ${file.kind}`)
  return file.slot.state
}

async function open(): Promise<{ runner: RegisterRunner; known: number[]; disk: RegisterDisk }> {
  const disk = await openRegisterDisk(dir)
  const isNew = disk.found.held === null
  const state = isNew ? { ...EMPTY_REGISTER, held: FIRST } : disk.found
  if (isNew) await disk.write(state)
  const known: number[] = []
  const runner = new RegisterRunner({
    self: 1,
    disk,
    state,
    send: () => undefined,
    onKnown: ({ version }) => void known.push(version),
    isCaughtUp: () => false,
    onReleased: () => undefined,
    askEtcd: () => Promise.reject(new Error('it has no etcd')),
    onFatal: (error) => {
      throw error
    },
  })
  runner.start()
  return { runner, known, disk }
}

test('what is decided is acted on before the disk says that it is, and the disk has what it takes to decide the same again', async () => {
  const { runner, known } = await open()
  const second = nextOf(FIRST)
  expect(await runner.propose(second)).toMatchObject({ kind: 'decided', value: { version: 2 } })
  expect(known).toEqual([1, 2])
  const meanwhile = onDisk()
  expect([meanwhile.held?.version, meanwhile.accepted?.value.version]).toEqual([1, 2])
  await eventually('it is on the disk, too', 5000, async () => onDisk().held?.version === 2)
  await runner.close()
})

test('a version that follows at once takes the place of the write that waited, and closing leaves none behind', async () => {
  const { runner } = await open()
  const second = nextOf(FIRST)
  await runner.propose(second)
  expect(await runner.propose(nextOf(second))).toMatchObject({ kind: 'decided', value: { version: 3 } })
  expect(onDisk().held?.version).toBe(2)
  await runner.close()
  expect(onDisk()).toMatchObject({ held: { version: 3 }, accepted: null })
})

test('a server that ended before it wrote what was decided finds it out at its next start', async () => {
  const { runner, disk } = await open()
  await runner.propose(nextOf(FIRST))
  // As a process that is killed: nothing is written any more.
  disk.write = () => new Promise(() => undefined)
  await runner.close()
  expect(onDisk().held?.version).toBe(1)
  const again = await open()
  await eventually('it knows the second version', 5000, async () => again.known.includes(2))
  await again.runner.close()
})
