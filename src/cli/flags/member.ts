import type { Operator } from '../../client/operator.ts'
import { MusterError } from '../../core/kernel/errors.ts'
import type { MemberRow } from '../render/delos-chain.ts'

/** Ids of members, by their names or ids in hexadecimal. Rejects with USAGE naming one that is no member. */
export async function idsOf(operator: Operator, words: readonly string[]): Promise<string[]> {
  const { members } = await operator.ask<{ members: MemberRow[] }>('member/list', {})
  return words.map((word) => {
    const found = members.find(({ id, name }) => name === word || id === word.toLowerCase().padStart(16, '0'))
    if (found === undefined)
      throw new MusterError('USAGE', `there is no member ${word}`, { hint: `Members: ${members.map(({ name }) => name).join(', ')}` })
    return found.id
  })
}
