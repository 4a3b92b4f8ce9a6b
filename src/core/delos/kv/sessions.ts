import type { RpcError } from '../wire/service.ts'
import { fromBase64, toBase64 } from '../../kernel/base64.ts'
import type { WriteHead } from '../wire/native/requests.ts'
import { KV_ERRORS } from './errors.ts'
import type { SessionRow } from './rows.ts'
import type { KvState } from './state.ts'

/**
 * A client that numbers its frames, so that one it sends again after its connection broke is done once and answered as the first time
 * (Ongaro, "Consensus: Bridging Theory and Practice", 6.3).
 */
export interface ClientSession {
  readonly id: number
  /** the client has the answers of all frames below */
  floor: number
  /** answers of the frames that were done and that the client may ask for again; null: they were too long to be kept */
  readonly answers: Map<number, Uint8Array | null>
  /** grows with every frame of any session: the least is forgotten first */
  used: number
}

/** Sessions that are kept; a client that was silent for longest loses its own and is told so. */
export const SESSIONS_MAX = 1024
/** Frames that a client may have under way: its `seq` is below its `floor` and this. */
export const SESSION_FRAMES_MAX = 64
/** Longer answers are not kept. A frame of plain puts has eleven bytes. */
export const ANSWERS_KEPT_BYTES_MAX = 4096

/** Opens a session, or finds it open. */
export function openSession(state: KvState, { session: id, floor }: WriteHead): void {
  const { sessions } = state
  const known = sessions.get(id)
  if (known !== undefined) return touch(state, known)
  if (sessions.size >= SESSIONS_MAX) {
    const [oldest] = sessions.keys()
    if (oldest !== undefined) {
      sessions.delete(oldest)
      state.changes.sessions.set(oldest, null)
    }
  }
  touch(state, { id, floor, answers: new Map(), used: 0 })
}

/** The session in which a frame is to be done now; or its answers of the first time; or why it cannot be done. */
export function admit(state: KvState, { session: id, seq, floor }: WriteHead): ClientSession | Uint8Array | RpcError {
  const session = state.sessions.get(id)
  if (session === undefined) return KV_ERRORS.sessionUnknown
  if (seq < session.floor) return KV_ERRORS.sessionPast
  const answers = session.answers.get(seq)
  if (answers !== undefined) return answers ?? KV_ERRORS.answersLost
  if (seq >= Math.max(floor, session.floor) + SESSION_FRAMES_MAX) return KV_ERRORS.sessionAhead
  if (floor > session.floor && floor <= seq) {
    session.floor = floor
    for (const done of session.answers.keys()) if (done < floor) session.answers.delete(done)
  }
  return session
}

export function remember(state: KvState, session: ClientSession, seq: number, answers: Uint8Array): void {
  session.answers.set(seq, answers.length > ANSWERS_KEPT_BYTES_MAX ? null : answers)
  touch(state, session)
}

/** Makes it the one that was used last. */
function touch(state: KvState, session: ClientSession): void {
  state.sessionsUsed += 1
  session.used = state.sessionsUsed
  state.sessions.delete(session.id)
  state.sessions.set(session.id, session)
  state.changes.sessions.set(session.id, session)
}

export function sessionRow({ id, floor, used, answers }: ClientSession): SessionRow {
  return { id, floor, used, answers: [...answers].map(([seq, bytes]) => [seq, bytes === null ? null : toBase64(bytes)]) }
}

export function loadSessions(state: KvState, rows: readonly SessionRow[]): void {
  for (const { id, floor, used, answers } of rows.toSorted((a, b) => a.used - b.used)) {
    const kept = answers.map(([seq, text]): [number, Uint8Array | null] => {
      const bytes = text === null ? null : fromBase64(text)
      return [seq, bytes instanceof Uint8Array ? bytes : null]
    })
    state.sessions.set(id, { id, floor, used, answers: new Map(kept) })
    state.sessionsUsed = used
  }
}
