import { z } from 'zod'
import { parseAddress } from '../../contracts/join-token.ts'
import type { ReadDb } from '../../contracts/storage.ts'

/** Where each server of the fleet is reached by agents of other machines. */
export const AGENT_PORT_TABLES: readonly string[] = [
  `CREATE TABLE tw_agent_port (server TEXT PRIMARY KEY, address TEXT NOT NULL) WITHOUT ROWID`,
]

export const agentPortSchema = z.object({
  /** id of the server, hexadecimal */
  server: z.string().regex(/^[0-9a-f]{1,16}$/, 'the id of a server is up to 16 hexadecimal digits'),
  address: z.string().refine((text) => parseAddress(text) !== null, 'an address is HOST:PORT'),
})

export type AgentPortRow = z.output<typeof agentPortSchema>

/** All of them, also of servers that were removed since. */
export function agentPorts(db: ReadDb): AgentPortRow[] {
  return db.all<AgentPortRow>('SELECT server, address FROM tw_agent_port ORDER BY server')
}
