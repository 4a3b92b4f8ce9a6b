import type { z } from 'zod'
import type { memberToken } from '../../core/delos/operations.ts'
import type { nodeToken } from '../../core/tw/operations.ts'

/** The token alone on its line, so that it can be taken over whole, and what to do with it. */
export function renderJoinToken({ token, id, uses, until, address }: z.output<typeof memberToken.output>): string {
  return [
    token,
    '',
    `${id}: for ${uses === 1 ? 'one server' : `${uses} servers`}, until ${new Date(until).toISOString()}; it has to reach ${address}`,
    'there:  muster up --join TOKEN --name NAME --peers HOST:PORT',
  ].join('\n')
}

/** The same of one for the agent of another machine. */
export function renderNodeToken({ token, id, uses, until, address }: z.output<typeof nodeToken.output>): string {
  return [
    token,
    '',
    `${id}: for ${uses === 1 ? 'one node' : `${uses} nodes`}, until ${new Date(until).toISOString()}; it has to reach ${address}`,
    'there:  muster agent --name NAME --token TOKEN',
  ].join('\n')
}
