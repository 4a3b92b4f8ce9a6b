import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { BatchWriter } from '../../../../src/core/delos/engines/batch.ts'
import { NOBODY, type KvCommand } from '../../../../src/core/delos/kv/command.ts'
import { encodeBody } from '../../../../src/core/delos/kv/command-codec.ts'
import { COMMAND_KIND } from '../../../../src/core/delos/kv/command-kind.ts'
import { createStore } from '../../../../src/core/delos/kv/store.ts'
import type { MusterError } from '../../../../src/core/kernel/errors.ts'
import { createLogger } from '../../../../src/platform/logger.ts'
import { readRowsFile, startMaterialiser } from '../../../../src/server/delos/store/materialiser.ts'
import { openReplica, type Replica } from '../../../../src/server/delos/store/replica.ts'
import { EMPTY_CURSOR } from '../../../../src/server/delos/store/rows-file.ts'
import type { BatchLog } from '../../../../src/server/state/control-log.ts'
import { openFileLog } from '../../../support/file-log.ts'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

const put = (key: string, lease = 0n): KvCommand => ({
  kind: 'put',
  request: { key, value: new Uint8Array([1]), lease, prev_kv: false, ignore_value: false, ignore_lease: false },
  who: NOBODY,
})

async function start(
  wrap: (log: BatchLog) => BatchLog = (log) => log,
): Promise<{ replica: Replica; log: BatchLog; fatal: MusterError[]; file: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'muster-replica-'))
  open.push(async () => rmSync(dir, { recursive: true, force: true }))
  const logger = createLogger(null)
  const log = wrap(await openFileLog(join(dir, 'log'), { segmentBytes: 1024 * 1024, onFatal: (error) => void fatal.push(error) }))
  const fatal: MusterError[] = []
  const replica = openReplica({
    log,
    store: createStore({}),
    cursor: EMPTY_CURSOR,
    materialiser: startMaterialiser(join(dir, 'kv.db'), logger),
    logger,
    now: () => 1000,
    onFatal: (error) => fatal.push(error),
  })
  let isClosed = false
  const { close } = replica
  replica.close = async () => {
    if (!isClosed) await close.call(replica)
    isClosed = true
  }
  open.push(() => replica.close())
  return { replica, log, fatal, file: join(dir, 'kv.db') }
}

const ask = (replica: Replica, command: KvCommand): Promise<string | number> =>
  new Promise((resolve) =>
    replica.submit(command, null, (error, response) =>
      resolve(error === null ? (response as { header: { revision: number } }).header.revision : error.text),
    ),
  )

const batchOf = (kind: number, body: Uint8Array, seq: number): Uint8Array => {
  const writer = new BatchWriter()
  writer.add(kind, body)
  return writer.finish({ timeMs: 1000, proposer: 77, seq })
}

describe('a replica of the store', () => {
  it('makes what is asked in one turn one batch, and answers each by what came of it', async () => {
    const { replica, log } = await start()
    const answers = await Promise.all([put('a'), put('b'), put('c', 99n)].map((command) => ask(replica, command)))
    expect(answers).toEqual([2, 3, 'etcdserver: requested lease not found'])
    expect(log.tail()).toBe(2)
  })

  it('gathers what is asked while three batches are under way, until one of them is applied or 2 ms are over', async () => {
    const appends: (() => void)[] = []
    const { replica, log } = await start((inner) => {
      const held = Object.create(inner) as BatchLog
      held.append = async (batch) => {
        await new Promise<void>((resolve) => appends.push(resolve))
        return inner.append(batch)
      }
      return held
    })
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    const answers: Promise<string | number>[] = []
    const askInTurns = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        answers.push(ask(replica, put(`key${answers.length}`)))
        await turn()
        await turn()
      }
    }
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      await askInTurns(5)
      expect(appends.length).toBe(3)
      vi.advanceTimersByTime(2)
      expect(appends.length).toBe(4)
      await askInTurns(2)
      expect(appends.length).toBe(4)
      for (const append of appends.slice(0, 2)) append()
      await Promise.all(answers.slice(0, 2))
      await turn()
      await turn()
      expect(appends.length).toBe(5)
    } finally {
      vi.useRealTimers()
    }
    for (const append of appends.slice(2)) append()
    expect(await Promise.all(answers)).toEqual([2, 3, 4, 5, 6, 7, 8])
    expect(log.tail()).toBe(6)
  })

  it('applies a batch of another server, and the same batch again only once', async () => {
    const { replica, log } = await start()
    const batch = batchOf(COMMAND_KIND.put, encodeBody(put('theirs')), 1)
    await log.append(batch)
    await log.append(batch)
    expect(replica.store.revision).toBe(2)
    expect(replica.applied).toBe(2)
    expect(await ask(replica, put('ours'))).toBe(3)
  })

  it('stops at what it does not know, says which version is needed, and applies and answers nothing after it', async () => {
    const { replica, log, fatal, file } = await start()
    await ask(replica, put('before'))
    await log.append(batchOf(200, new Uint8Array(), 1))
    expect(fatal.map(({ code }) => code)).toEqual(['STATE_NEWER'])
    await log.append(batchOf(COMMAND_KIND.put, encodeBody(put('after')), 2))
    expect(replica.store.revision).toBe(2)
    expect(await ask(replica, put('more'))).toBe('etcdserver: server stopped')
    const read = new Promise((resolve) =>
      replica.linearizable(
        () => 'an answer',
        (error, value) => resolve(error?.text ?? value),
      ),
    )
    expect(await read).toBe('etcdserver: server stopped')
    // A version that knows it applies it: what was kept does not say that it was.
    await replica.close()
    const kept = readRowsFile(file, createLogger(null))
    expect(kept?.cursor.position).toBe(1)
    expect(kept?.cursor.sessions.map(([proposer]) => proposer)).not.toContain(77)
  })
})
