import { textOf } from '../../platform/streams.ts'
import type { LeaderLink } from './leader-link.ts'
import { CALLER_HEADER } from './pass-on.ts'

/** What the leader answers a GET of this server; null when nobody leads, or it does not answer in time. */
export async function askLeader<T>(link: LeaderLink, path: string, ms: number): Promise<T | null> {
  const leader = await link.find(ms)
  if (leader === null || leader === link.self) return null
  return new Promise((resolve) => {
    const headers = { [CALLER_HEADER]: 'viewer server' }
    const sending = link.request(leader, { path, headers, timeout: ms }, (answer) => {
      textOf(answer).then(
        (text) => resolve(answer.statusCode === 200 ? (JSON.parse(text) as { data: T }).data : null),
        () => resolve(null),
      )
    })
    sending.once('timeout', () => sending.destroy())
    sending.once('error', () => resolve(null))
    sending.end()
  })
}
