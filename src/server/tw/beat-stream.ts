import type { Readable } from 'node:stream'
import { BeatReader, type AgentLife, type SealedBeat } from '../../core/contracts/beats.ts'
import { isRefusal, refuse } from '../../core/kernel/errors.ts'
import type { Beat } from './beat.ts'

/** Lives one connection may name: those of a relay's nodes, each started anew now and then. */
const LIVES_MAX = 65_536

/** `beat` null: of one that beats over this agent, of whom nothing is believed yet */
type Life = AgentLife & { beat: Beat | null }

export interface BeatTaker {
  beatOf: (node: string) => Beat
  /** Throws NOT_PERMITTED or TW_NODE_CLAIMED: whoever is at the other end does not speak for this node. */
  assertMay: (node: string) => void
  /** How long ago a beat was made that came over another agent, ms; null: it is not to be believed. */
  ageOf: (life: AgentLife, beat: SealedBeat) => number | null
  /** the agent at the other end */
  speaker: string
  /** what this node's beat stands for is not known here */
  onNews: (node: string) => void
}

/** Takes the beats of one connection in, until it ends. Gives why it had to be ended, or null. */
export function takeBeats(from: Readable, { beatOf, assertMay, ageOf, speaker, onNews }: BeatTaker): Promise<string | null> {
  const lives: Life[] = []
  const tell = (life: Life): void => {
    if (lives.length === LIVES_MAX) throw refuse('USAGE', `more than ${LIVES_MAX} lives on one connection`)
    lives.push(life)
  }
  const lifeAt = (number: number): Life => {
    const life = lives[number]
    if (life === undefined) throw refuse('USAGE', `a beat of life ${number}, which was not told`)
    return life
  }
  const reader = new BeatReader({
    life: (life) => {
      assertMay(life.node)
      tell({ ...life, beat: beatOf(life.node) })
    },
    beat: ({ life: number, seq, hash }) => {
      const { beat, ...life } = lifeAt(number)
      if (beat === null) throw refuse('USAGE', `a beat of ${life.node} that is not its own word`)
      if (isHeard(life, beat, seq) && beat.concluded !== hash) onNews(life.node)
    },
    othersLife: (life) => tell({ ...life, beat: null }),
    sealed: (said) => {
      const life = lifeAt(said.life)
      const ageMs = ageOf(life, said)
      if (ageMs === null) return
      const beat = beatOf(life.node)
      if (isHeard(life, beat, said.seq, ageMs, speaker) && beat.concluded !== said.hash) onNews(life.node)
    },
  })
  return new Promise((resolve, reject) => {
    const end = (why: string | null): void => {
      from.off('data', read)
      resolve(why)
    }
    // Events and no loop over the stream: it would cost as much again for each piece.
    const read = (piece: Uint8Array): void => {
      try {
        if (!reader.read(piece)) end('what came are no frames of beats')
      } catch (error) {
        if (isRefusal(error)) end(error.message)
        else reject(error)
      }
    }
    from.on('data', read)
    // Most end by a connection that breaks.
    from.once('error', () => end(null))
    from.once('close', () => end(null))
  })
}

/** Not while another agent is that node: one of many whose beats come together must not silence the others. */
function isHeard({ node, bootId, instance }: AgentLife, beat: Beat, seq: number, ageMs?: number, via?: string): boolean {
  try {
    return beat.note(node, { bootId, instance, seq }, ageMs, via)
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}
