import { createReadStream } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { refuse } from '../../core/kernel/errors.ts'
import { textOf } from '../../platform/streams.ts'
import type { ArtifactStore } from '../artifacts.ts'
import { HERE } from './here.ts'
import type { LeaderLink } from './leader-link.ts'
import { CALLER_HEADER } from './pass-on.ts'

const HEADERS = { [CALLER_HEADER]: 'operator server' }
/** A server that takes no byte for so long is given up. */
const STUCK_MS = 30_000

/**
 * The artifacts of a fleet: what is put is answered once most of its voters have it, and what this server lacks is fetched from one that has it.
 * @param others the other voters; none: a lone server keeps its own
 */
export function spreadArtifacts(own: ArtifactStore, others: () => readonly bigint[], link: Pick<LeaderLink, 'request'>): ArtifactStore {
  const give = async (to: bigint, path: string): Promise<void> => {
    const answered = Promise.withResolvers<IncomingMessage>()
    const headers = { ...HEADERS, 'content-type': 'application/octet-stream' }
    const sending = link.request(to, { method: 'POST', path: `${HERE}/artifacts`, headers, timeout: STUCK_MS }, answered.resolve)
    sending.once('error', answered.reject)
    sending.once('timeout', () => sending.destroy(new Error('no answer')))
    const sent = pipeline(createReadStream(path), sending)
    const [answer] = await Promise.all([answered.promise, sent])
    const text = await textOf(answer)
    if (answer.statusCode !== 200) throw new Error(text.slice(0, 200))
  }
  const fetchFrom = async (from: bigint, hex: string): Promise<boolean> => {
    const answered = Promise.withResolvers<IncomingMessage>()
    const path = `${HERE}/artifacts/sha256/${hex}`
    const asking = link.request(from, { path, headers: HEADERS, timeout: STUCK_MS }, answered.resolve)
    asking.once('error', answered.reject)
    asking.once('timeout', () => asking.destroy(new Error('no answer')))
    asking.end()
    const answer = await answered.promise
    if (answer.statusCode !== 200) {
      answer.resume()
      return false
    }
    // Whatever comes is kept by its own digest, so that nothing else can be put in its place.
    return (await own.put(answer)).digest === `sha256:${hex}`
  }
  return {
    path: own.path,
    put: async (source) => {
      const kept = await own.put(source)
      const servers = others()
      const path = own.path(kept.digest)
      if (servers.length === 0 || path === null) return kept
      const results = await Promise.allSettled(servers.map((id) => give(id, path)))
      const have = 1 + results.filter(({ status }) => status === 'fulfilled').length
      if (have > (servers.length + 1) / 2) return kept
      const why = results.flatMap((result) => (result.status === 'rejected' ? [String((result.reason as Error).message)] : []))
      throw refuse('DELOS_NO_QUORUM', `only ${have} of ${servers.length + 1} servers have the artifact: ${why.join('; ')}`)
    },
    find: async (digest) => {
      const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
      if (hex === undefined || own.path(digest) !== null) return own.path(digest)
      for (const id of others()) if (await fetchFrom(id, hex).catch(() => false)) break
      return own.path(digest)
    },
  }
}
