import { expect, test } from 'vitest'
import { judgeLoss, massLossMax, type LossInput, type SilentNode } from '../../../../src/core/tw/nodes/loss.ts'
import type { PeerLook } from '../../../../src/core/tw/soft.ts'

const GONE: PeerLook = { asked: 3, reached: 0, failed: 3 }
const THERE: PeerLook = { asked: 3, reached: 3, failed: 0 }

const silentNodes = (n: number, silentMs = 12_000): SilentNode[] =>
  Array.from({ length: n }, (_, i) => ({ node: `n${i}`, silentMs, rack: `k${i % 10}`, zone: 'z1', region: 'r1' }))
const judge = (given: Partial<LossInput>) =>
  judgeLoss({ silent: [], recentlyLost: 0, total: 100, looks: new Map(), lostMs: 10_000, domainMs: 8000, ...given })
const looksOf = (nodes: readonly SilentNode[], look: PeerLook): Map<string, PeerLook> => new Map(nodes.map(({ node }) => [node, look]))

test('a few silent nodes are given up once they are silent long enough, whatever their peers say', () => {
  expect(judge({ silent: silentNodes(3, 9999) })).toEqual({ kind: 'none' })
  const silent = silentNodes(3)
  expect(judge({ silent, looks: looksOf(silent, THERE) })).toEqual({ kind: 'nodes', nodes: silent })
})

test('so many that it may be our own network are held, also while most of them are only near their time', () => {
  const silent = [...silentNodes(1), ...silentNodes(massLossMax(100), 7000)]
  expect(judge({ silent }).kind).toBe('held')
})

test('nodes that fall silent one after the other count together: those given up within the window are not forgotten', () => {
  expect(judge({ silent: silentNodes(1), recentlyLost: massLossMax(100) - 1 }).kind).toBe('nodes')
  expect(judge({ silent: silentNodes(1), recentlyLost: massLossMax(100) }).kind).toBe('held')
})

test('a zone that falls silent soon after another node is lost in time, by the word of its peers', () => {
  const silent = silentNodes(massLossMax(100))
  expect(judge({ silent, recentlyLost: 1 }).kind).toBe('held')
  expect(judge({ silent, recentlyLost: 1, looks: looksOf(silent, GONE) })).toEqual({ kind: 'domain', domain: 'zone z1', nodes: silent })
})

test('who is silent still when it has just become clear is given up on the word of its peers alone', () => {
  const silent = silentNodes(3)
  expect(judge({ silent, isGrace: true })).toEqual({ kind: 'none' })
  expect(judge({ silent, isGrace: true, looks: new Map([['n1', GONE]]) })).toMatchObject({ kind: 'nodes', nodes: [{ node: 'n1' }] })
})

test('many whose peers do not reach them are one lost domain, named by the smallest that holds them', () => {
  const silent = silentNodes(20)
  expect(judge({ silent, looks: looksOf(silent, GONE) })).toEqual({ kind: 'domain', domain: 'zone z1', nodes: silent })
  const rack = silent.map((node) => ({ ...node, rack: 'k7' }))
  expect(judge({ silent: rack, looks: looksOf(rack, GONE) })).toMatchObject({ domain: 'rack k7' })
})

test('one of three peers that reaches a node does not save it; two do', () => {
  const silent = silentNodes(20)
  expect(judge({ silent, looks: looksOf(silent, { asked: 3, reached: 1, failed: 2 }) }).kind).toBe('domain')
  expect(judge({ silent, looks: looksOf(silent, { asked: 3, reached: 2, failed: 1 }) })).toMatchObject({
    kind: 'held',
    why: expect.stringContaining('peers reach 20'),
  })
})

test('when fewer than half of all report, nothing is given up, whatever the few say', () => {
  const silent = silentNodes(60)
  expect(judge({ silent, looks: looksOf(silent, GONE) })).toEqual({ kind: 'held', why: 'only 40 of 100 nodes report' })
})

test('more than a few whose peers do not reach them are lost before their time, together, also where their number is no reason to doubt', () => {
  const silent = silentNodes(6, 8000)
  expect(judge({ silent })).toEqual({ kind: 'none' })
  expect(judge({ silent, looks: looksOf(silent, GONE) })).toEqual({ kind: 'domain', domain: 'zone z1', nodes: silent })
  expect(judge({ silent: silentNodes(6, 7999), looks: looksOf(silent, GONE) })).toEqual({ kind: 'none' })
  const few = silentNodes(5, 8000)
  expect(judge({ silent: few, looks: looksOf(few, GONE) })).toEqual({ kind: 'none' })
})

test('a domain is waited for while more of it fall silent, but not longer than a single node', () => {
  const late = { ...silentNodes(1, 6500)[0], node: 'late' } as SilentNode
  const looks = looksOf([...silentNodes(20), late], GONE)
  expect(judge({ silent: [...silentNodes(20, 9000), late], looks })).toEqual({ kind: 'none' })
  expect(judge({ silent: [...silentNodes(20, 9000), { ...late, silentMs: 8000 }], looks })).toMatchObject({ kind: 'domain' })
  const silent = [...silentNodes(19, 9000), { ...late, node: 'first', silentMs: 10_000 }, late]
  const given = judge({ silent, looks: looksOf(silent, GONE) })
  expect(given).toMatchObject({ kind: 'domain', nodes: silent.slice(0, 20) })
})

test('the last of a lost domain is given up by the word of its peers, though it is alone', () => {
  const silent = silentNodes(1, 10_000)
  expect(judge({ silent, recentlyLost: 20, looks: looksOf(silent, GONE) })).toMatchObject({ kind: 'domain', nodes: silent })
})

test('a node alone has nobody to be compared with', () => {
  expect(judge({ silent: silentNodes(1), total: 1 }).kind).toBe('nodes')
})
