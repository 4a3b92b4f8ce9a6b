import { logMoved } from '../../core/delos/entries/log.ts'
import { logMoves } from '../../core/delos/queries.ts'
import { lastSegment, type RegisterValue } from '../../core/delos/virtual-log/value.ts'
import type { ServerHost } from '../host.ts'
import { FLEET_LOGS } from './fleet-logs.ts'
import type { During } from './membership/operator-routes.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'

type LogName = (typeof FLEET_LOGS)[number]

export interface LogMoveNotes {
  start: () => void
  stop: () => void
  /** Whoever asks for a change is named by the entry of what comes of it. */
  during: During
}

/**
 * Notes in the control log that a log went on in another loglet: when, and who asked for it; the server itself where nobody did (a member
 * that became a voter, a sealed segment that was continued). The register alone decides: when the lead goes between the two, there is no note.
 */
export function noteLogMoves(
  host: Pick<ServerHost, 'propose' | 'log'>,
  chains: Record<LogName, Pick<VirtualLog, 'value' | 'onValue'>>,
  serverName: () => string,
): LogMoveNotes {
  const askers = new Map<LogName, string>()
  let deaf: (() => void)[] = []

  const note = async (log: LogName, before: RegisterValue, value: RegisterValue): Promise<void> => {
    const [from, to] = [lastSegment(before), lastSegment(value)]
    const body = {
      log,
      version: value.version,
      from: { loglet: from.loglet, kind: from.kind },
      to: { loglet: to.loglet, kind: to.kind },
    }
    await host.propose(askers.get(log) ?? `server:${serverName()}`, (db) =>
      logMoves(db, log).some(({ loglet }) => loglet === to.loglet) ? [] : [logMoved.of(body)],
    )
  }

  const listen = (log: LogName): (() => void) => {
    let before = chains[log].value()
    return chains[log].onValue((value) => {
      const known = before
      before = value
      if (lastSegment(known).loglet === lastSegment(value).loglet) return
      note(log, known, value).catch((error: unknown) => host.log.warn('a move of the log is not noted', { log, error: String(error) }))
    })
  }

  return {
    start: () => {
      deaf = FLEET_LOGS.map(listen)
    },
    stop: () => {
      for (const end of deaf) end()
    },
    during: async (log, actor, work) => {
      askers.set(log, actor)
      try {
        return await work()
      } finally {
        askers.delete(log)
      }
    },
  }
}
