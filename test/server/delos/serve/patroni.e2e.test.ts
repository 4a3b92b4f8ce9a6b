import { describe, expect, test } from 'vitest'
import { newDelosServers, type DelosServerProcess } from '../../../support/delos-servers.ts'
import { eventually } from '../../../support/eventually.ts'
import { killPatroni, missingForPatroni, patroniMembers, patroniSql, startPatroniPair, type PatroniPair } from '../../../support/patroni.ts'

describe.skipIf(missingForPatroni().length > 0)('Patroni (skipped without patroni, postgresql-15 and root)', () => {
  test('keeps one primary and a replica, which takes over with all data when the primary is killed with -9', async () => {
    const cluster = await newDelosServers(1)
    let pair: PatroniPair | null = null
    try {
      const server = cluster.servers[0] as DelosServerProcess
      server.start()
      await cluster.healthy()
      pair = await startPatroniPair(server.url.slice('http://'.length))
      const { primary, replica } = pair
      patroniSql(primary, 'create table t (n int); insert into t values (42)')
      await eventually('the replica has it', 20_000, () => patroniSql(replica, 'select n from t') === '42')
      killPatroni(primary)
      await eventually('the replica takes over', 40_000, () => patroniSql(replica, 'select pg_is_in_recovery(), n from t') === 'f|42')
      expect((await patroniMembers(replica)).filter(({ role }) => role === 'leader').map(({ name }) => name)).toEqual([replica.name])
    } finally {
      pair?.end()
      await cluster.remove()
    }
  }, 240_000)
})
