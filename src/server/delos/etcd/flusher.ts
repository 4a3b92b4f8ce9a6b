/** Written in one turn of the event loop, over all connections: a few milliseconds, most of them the system's. One may go over it. */
const TURN_BYTES_MAX = 524_288
/** Output that never waits for another turn. */
const SHORT_BYTES = 16_384

/** A connection that collects what it says, and writes it when it is told to. */
export interface Flushable {
  isScheduled: boolean
  /** bytes that wait for `flush` */
  readonly outputBytes: number
  /** Writes all of it, and takes itself off the schedule; more may be said meanwhile. */
  flush(): void
}

/**
 * Connections with something to say are flushed together, after the turn of the event loop in which they said it. Many that read long
 * answers at once share a turn's bytes, so that heartbeats and short answers come in between, however many they are.
 * @param later runs something at the end of this turn
 * @returns asks for a flush of a connection that is not scheduled yet
 */
export function createFlusher(later: (work: () => void) => void): (connection: Flushable) => void {
  let waiting: Flushable[] = []
  let isDue = false
  const schedule = (): void => {
    if (isDue) return
    isDue = true
    later(flush)
  }
  const flush = (): void => {
    isDue = false
    const now = waiting
    waiting = []
    const held: Flushable[] = []
    let bytes = 0
    for (const connection of now) {
      const { outputBytes } = connection
      if (outputBytes > SHORT_BYTES && bytes >= TURN_BYTES_MAX) {
        held.push(connection)
        continue
      }
      bytes += outputBytes
      connection.flush()
    }
    // Before those that have had this turn and say more already.
    waiting = [...held, ...waiting]
    if (waiting.length > 0) schedule()
  }
  return (connection) => {
    connection.isScheduled = true
    waiting.push(connection)
    schedule()
  }
}
