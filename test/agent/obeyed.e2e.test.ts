import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Obeyed } from '../../src/agent/obeyed.ts'
import { eventually } from '../support/eventually.ts'
import { desired, lives, sh, TestNode } from './harness.ts'

describe('whose orders a node obeys', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mu-obeyed-'))
  afterAll(() => rmSync(dir, { recursive: true }))

  it('are those of the latest leader that it obeyed, over its restart, and of any leader of another log', () => {
    const file = join(dir, 'obeyed.json')
    const of = (term: number, cluster = 'a') => ({ cluster, term })
    const first = new Obeyed(file)
    expect(first.allows(of(1), 1)).toBe(true)
    first.note(of(4), 20)
    // Whose ballot had the same round, and lost.
    expect([19, 20].map((position) => first.allows(of(4), position))).toEqual([false, true])
    const next = new Obeyed(file)
    expect([3, 4, 5].map((term) => next.allows(of(term), 1))).toEqual([false, true, true])
    // Restored from a backup: its leaders begin to count anew.
    expect(next.allows(of(1, 'b'), 1)).toBe(true)
    next.note(of(1, 'b'), 1)
    expect(new Obeyed(file).allows(of(1, 'b'), 1)).toBe(true)
  })

  it('count in memory when they cannot be written down, and anew when the file is unreadable', () => {
    const obeyed = new Obeyed(join(dir, 'gone', 'obeyed.json'))
    expect(() => obeyed.note({ cluster: 'a', term: 7 }, 1)).toThrow('ENOENT')
    expect(obeyed.allows({ cluster: 'a', term: 6 }, 9)).toBe(false)
    writeFileSync(join(dir, 'cut.json'), '{"clus')
    expect(new Obeyed(join(dir, 'cut.json')).allows({ cluster: 'a', term: 1 }, 1)).toBe(true)
  })
})

describe('a leader that was replaced and does not know it', () => {
  const node = new TestNode()
  beforeAll(() => node.start())
  afterAll(() => node.close())
  const refused = async (): Promise<void> => {
    const { opened } = node.server
    node.server.order([])
    // Given up, and tried again: the same is said once more.
    await eventually('another try', 20_000, () => node.server.opened > opened + 1)
  }

  it('ends no task that its successor wants, neither of this agent nor of the next one, and a restored log does', async () => {
    const task = desired(1, sh('sleep 301'))
    node.server.reign = { cluster: 'a', term: 2 }
    node.server.order([task])
    const { pid } = await node.until(1, ({ state }) => state === 'running')
    node.server.reign = { cluster: 'a', term: 1 }
    await refused()
    await node.crash()
    node.startAgent()
    await refused()
    expect(node.server.task(1)).toMatchObject({ state: 'running', pid })
    expect(lives(pid ?? 0)).toBe(true)
    expect(node.log()).toContain('its orders are those of a leader that was replaced')
    // A log that was brought back from a backup knows nothing of the task, or gave its id to another.
    node.server.reign = { cluster: 'b', term: 1 }
    const other = desired(1, sh('sleep 302'), { task: 'job/group[2]' })
    node.server.order([other])
    const now = await node.until(1, (report) => report.task === 'job/group[2]' && report.state === 'running')
    expect(now.pid).not.toBe(pid)
    expect(lives(pid ?? 0)).toBe(false)
    node.server.order([])
    await eventually('the end', 20_000, () => node.server.task(1) === undefined)
    expect(lives(now.pid ?? 0)).toBe(false)
  })
})
