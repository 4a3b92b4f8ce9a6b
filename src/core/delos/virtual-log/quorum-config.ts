import { z } from 'zod'
import { SERVER_ID_MAX } from '../paxos/ballot.ts'
import type { LogletConfig } from '../paxos/config.ts'
import { presentServers, serversIn, type RegisterValue, type Segment } from './value.ts'

const serverSchema = z.number().int().min(1).max(SERVER_ID_MAX)

/** What a segment of kind `quorum` says about itself. */
export const quorumConfigSchema = z.looseObject({
  voters: z.array(serverSchema).min(1).max(7),
  learners: z.array(serverSchema),
  /** begins the first election at once; the others wait as after a silence */
  opener: serverSchema,
})
export type QuorumConfig = z.output<typeof quorumConfigSchema>

/** What a segment of kind `file` says about itself. */
export const fileConfigSchema = z.looseObject({ server: serverSchema })
export type FileConfig = z.output<typeof fileConfigSchema>

/** The quorum that the members of `value` make: voters vote, all others learn. */
export function quorumOf(value: Pick<RegisterValue, 'servers'>, opener: number): { voters: number[]; learners: number[]; opener: number } {
  const voters = serversIn(value, 'voter')
  const learners = presentServers(value)
    .map(({ server }) => server)
    .filter((server) => !voters.includes(server))
  return { voters, learners, opener: voters.includes(opener) ? opener : (voters[0] ?? opener) }
}

/** What the machine of `paxos/` wants to know, for this server; null: it has no part in this segment. */
export function logletConfigOf(segment: Segment, self: number, timers: LogletConfig['timers']): LogletConfig | null {
  const config = quorumConfigSchema.parse(segment.config)
  if (![...config.voters, ...config.learners].includes(self)) return null
  const { loglet, firstPosition, lastRound } = segment
  return { loglet, self, voters: config.voters, learners: config.learners, firstPosition, lastRound, timers }
}
