import { describe, expect, it } from 'vitest'
import { serveOptions } from '../../../../src/server/delos/serve/options.ts'
import { serveFlags as flags } from '../../../support/serve-flags.ts'

const THREE = 'a=http://127.0.0.1:1001,b=http://127.0.0.1:1002,c=http://127.0.0.1:1003'

describe('the flags of a server', () => {
  it("give the ids that etcd 3.4 gave the same cluster, so a server that replaces an etcd keeps its clients' view", () => {
    const { self, clusterId } = serveOptions(flags({ 'initial-cluster': 'default=http://localhost:2380' }))
    expect([self.id.toString(16), clusterId.toString(16)]).toEqual(['8e9e05c52164694d', 'cdf818194e3a8c32'])
  })

  it('name the same members whatever their order', () => {
    const one = serveOptions(flags({ name: 'b', 'initial-cluster': THREE }))
    const other = serveOptions(flags({ name: 'b', 'initial-cluster': THREE.split(',').toReversed().join(',') }))
    expect(one.members).toEqual(other.members)
    expect(one.self.name).toBe('b')
  })

  it.each([
    [{ 'listen-client-urls': 'localhost:2379' }, 'is no URL'],
    [{ 'listen-peer-urls': 'ftp://a:1' }, 'is no URL'],
    [{ 'initial-cluster': 'a' }, 'not of the form'],
    [{ 'initial-cluster': THREE }, 'does not name default'],
    [{ 'initial-cluster': 'default=http://h:1,b=http://h:2' }, 'a cluster of 2 servers'],
    [{ 'initial-cluster': 'default=http://h:1,b=http://h:1,c=http://h:2' }, 'the URLs of another'],
    [{ 'listen-client-urls': 'https://127.0.0.1:1' }, 'no --cert-file'],
    [{ 'cert-file': 'c' }, 'go together'],
    [{ 'cert-file': 'c', 'key-file': 'k', 'client-cert-auth': true }, 'needs --trusted-ca-file'],
    [{ 'peer-cert-file': 'c', 'peer-key-file': 'k' }, 'needs --peer-trusted-ca-file'],
    [{ 'auto-compaction-retention': 'soon' }, 'is no duration'],
    [{ 'auto-compaction-retention': '1h', 'auto-compaction-mode': 'revision' }, 'no number of revisions'],
    [{ 'auto-compaction-retention': '1', 'auto-compaction-mode': 'daily' }, 'are known'],
  ])('%j are refused with what is wrong', (more, why) => {
    expect(() => serveOptions(flags(more))).toThrow(why)
  })

  it.each([
    ['periodic', '1', { mode: 'periodic', everyMs: 3_600_000 }],
    ['periodic', '5m', { mode: 'periodic', everyMs: 300_000 }],
    ['revision', '1000', { mode: 'revision', keep: 1000 }],
    ['periodic', '0', null],
  ])('compaction %s %s is understood as etcd does', (mode, retention, want) => {
    expect(serveOptions(flags({ 'auto-compaction-mode': mode, 'auto-compaction-retention': retention })).autoCompaction).toEqual(want)
  })
})
