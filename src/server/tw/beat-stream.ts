import type { Readable } from 'node:stream'
import { BeatReader, type AgentLife } from '../../core/contracts/beats.ts'
import { isRefusal } from '../../core/kernel/errors.ts'
import type { Beat } from './beat.ts'

/** Lives one connection may name: those of a relay's nodes, each started anew now and then. */
const LIVES_MAX = 65_536

type Life = AgentLife & { beat: Beat }

export interface BeatTaker {
  beatOf: (node: string) => Beat
  /** Throws NOT_PERMITTED or TW_NODE_CLAIMED: whoever is at the other end does not speak for this node. */
  assertMay: (node: string) => void
  /** what this node's beat stands for is not known here */
  onNews: (node: string) => void
}

/** Takes the beats of one connection in, until it ends. Gives why it had to be ended, or null. */
export async function takeBeats(from: Readable, { beatOf, assertMay, onNews }: BeatTaker): Promise<string | null> {
  const lives: Life[] = []
  let trouble: string | null = null
  const reader = new BeatReader(
    (life) => {
      assertMay(life.node)
      lives.push({ ...life, beat: beatOf(life.node) })
    },
    ({ life: number, seq, hash }) => {
      const life = lives[number]
      if (life === undefined) {
        trouble = `a beat of life ${number}, which was not told`
        return
      }
      if (isHeard(life, seq) && life.beat.concluded !== hash) onNews(life.node)
    },
  )
  try {
    for await (const piece of from) {
      if (!reader.read(piece as Uint8Array)) return 'what came are no frames of beats'
      if (trouble !== null) return trouble
      if (lives.length > LIVES_MAX) return `more than ${LIVES_MAX} lives`
    }
  } catch (error) {
    if (isRefusal(error)) return error.message
    // The connection broke, which is how most end.
    if (typeof (error as NodeJS.ErrnoException).code === 'string') return null
    throw error
  }
  return null
}

/** Not while another agent is that node: one of many whose beats come together must not silence the others. */
function isHeard({ node, bootId, instance, beat }: Life, seq: number): boolean {
  try {
    return beat.note(node, { bootId, instance, seq })
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}
