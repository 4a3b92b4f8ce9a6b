import { openEtcdPort } from '../../src/server/delos/etcd/port.ts'
import type { Reply } from '../../src/core/delos/wire/service.ts'
import type { PutResponse } from '../../src/core/delos/wire/messages.ts'

/**
 * The etcd port with nothing behind it: answers puts in batches, as a log that syncs would. Tells its parent its port, and on each
 * message the puts and the CPU since the last one.
 */

const BATCH_MS = 1
const header = { cluster_id: 0xdcba_0000_0000_0001n, member_id: 0x8e9e_05c5_2164_694dn, revision: 1, raft_term: 2 }
let waiting: Reply<PutResponse>[] = []
let puts = 0

function answer(): void {
  const now = waiting
  waiting = []
  for (const reply of now) {
    header.revision += 1
    reply(null, { header, prev_kv: null })
  }
}

const port = await openEtcdPort({
  host: '127.0.0.1',
  port: 0,
  pages: {},
  service: {
    'KV/Put': (_request, _raw, _call, reply) => {
      puts += 1
      if (waiting.push(reply) === 1) setTimeout(answer, BATCH_MS)
    },
  },
})

let before = process.cpuUsage()
process.on('message', () => {
  const { user, system } = process.cpuUsage(before)
  process.send?.({ puts, cpuUs: user + system })
  before = process.cpuUsage()
  puts = 0
})
process.on('disconnect', () => process.exit(0))
process.send?.({ port: port.port })
