import { wrongStates, type Seen } from '../../core/delos/alarms/conditions.ts'
import { presentServers } from '../../core/delos/virtual-log/value.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { Logger } from '../../platform/logger.ts'
import type { StateCopy } from '../state/control-log.ts'
import { exchangeDigests, type Difference, type Telling } from './store/digest-exchange.ts'
import type { VirtualLog } from './virtual-log/virtual-log.ts'

export interface ControlDigestsOptions {
  chain: Pick<VirtualLog, 'value' | 'onValue'>
  copy: StateCopy
  aside: Telling
  self: bigint
  every?: number
  /** told once the state here was found to be another one than the others' */
  onDistrusted: () => void
  logger: Logger
}

/** What is wrong with the state of one server, as it says itself. */
export interface StateTrouble {
  /** `odd`: a majority has another one; `split`: no majority has one; `anew`: it was odd, and has another server's now */
  kind: Difference['kind'] | 'anew'
  text: string
  /** what was found when the states were compared: still said of `anew`, as not everybody heard it in the seconds before */
  found: string
}

export interface ControlDigests {
  /** By ids of servers, as they said last. */
  troubles(): ReadonlyMap<bigint, StateTrouble>
  /** What somebody has to be told; null: not all had the time to say how they are. */
  seen(): Seen[] | null
  /** Newest position at which a majority, this server among it, was found to have the same state; 0: none yet. */
  agreedPosition(): number
  stop(): void
}

const TROUBLE = 'control.trouble'
/** Each server says each second how it is. */
const SAID_MS = 3000

interface Said {
  id: string
  trouble: StateTrouble | null
}

/**
 * Compares the state of this server, which it made of the control log, with those of the others. Whoever differs from a majority stops serving,
 * gets another server's state and goes on; when there is no majority, nobody's state is read until it was made anew.
 */
export function compareStates(options: ControlDigestsOptions): ControlDigests {
  const { chain, copy, aside, self, onDistrusted, logger } = options
  const startedAtMs = performance.now()
  const servers = () => presentServers(chain.value()).map(({ id, name }) => ({ id: BigInt(`0x${id}`), name }))
  const said = new Map<bigint, StateTrouble>()
  const note = (id: bigint, trouble: StateTrouble | null): void => {
    if (trouble === null) said.delete(id)
    else said.set(id, trouble)
  }

  const exchange = exchangeDigests({
    ...{ aside, self, topic: 'control.digests', servers: () => servers().length },
    ...(options.every === undefined ? {} : { every: options.every }),
    without: () => `${copy.schema} ${copy.skipped().join()}`,
    onDifference: (verdict) => {
      const isWrong = verdict.kind === 'odd'
      const text = isWrong
        ? `its state differs from that of a majority at batch ${verdict.position} of the control log (digest ${verdict.mine}, theirs ${verdict.theirs})`
        : `the servers have different states at batch ${verdict.position} of the control log, and none is that of a majority`
      const does = isWrong ? 'it answers nothing from it until it has that of another server' : 'nothing is answered from what may be wrong'
      note(self, { kind: verdict.kind, text: `${text}; ${does}`, found: text })
      copy.setDistrusted(refuse(isWrong ? 'DELOS_STATE_DIFFERS' : 'DELOS_STATE_SPLIT', `${nameOf(self)}: ${text}`), {
        isWrong,
        agreed: exchange.agreedPosition(),
      })
      onDistrusted()
    },
    onOver: () => {
      copy.setTrusted()
      note(self, null)
      logger.warn('the state is that of a majority again: it was right', { position: exchange.agreedPosition() })
    },
  })
  const nameOf = (id: bigint): string => servers().find((server) => server.id === id)?.name ?? id.toString(16)

  const onAnew = (): void => {
    exchange.beginAnew()
    const found = said.get(self)?.found
    if (found === undefined) return
    const text = `its state was made anew after batch ${copy.applied()}, and was not compared since`
    note(self, { kind: 'anew', text: `${text} (before: ${found})`, found })
    logger.warn(text, { was: found })
  }

  const deaf = [copy.onAnew(onAnew)]
  // Who is alone has nobody to compare with, and pays nothing for it.
  let stopMarks: (() => void) | null = null
  const follow = (): void => {
    if (servers().length < 2) {
      stopMarks?.()
      stopMarks = null
    } else
      stopMarks ??= copy.onMark(({ position, digest, rows }) => {
        exchange.applied(position, digest)
        logger.info('the state has a digest', { position, digest, rows })
      })
  }
  deaf.push(chain.onValue(follow))
  follow()

  aside.announce(TROUBLE, (): Said => {
    if (said.get(self)?.kind === 'anew' && exchange.agreedPosition() > 0) {
      note(self, null)
      logger.info('the state that was made anew is that of a majority', { position: exchange.agreedPosition() })
    }
    return { id: self.toString(), trouble: said.get(self) ?? null }
  })
  aside.onTell(TROUBLE, ({ id, trouble }: Said) => note(BigInt(id), trouble))

  /** Whoever left the fleet is no matter any more. */
  const troubles = (): Map<bigint, StateTrouble> => {
    const present = new Set(servers().map(({ id }) => id))
    return new Map([...said].filter(([id]) => present.has(id)))
  }
  return {
    troubles,
    seen: () => {
      if (performance.now() - startedAtMs < SAID_MS && servers().length > 1) return null
      return wrongStates([...troubles()].map(([id, trouble]) => ({ ...trouble, name: nameOf(id) })))
    },
    agreedPosition: exchange.agreedPosition,
    stop: () => {
      for (const end of deaf) end()
      stopMarks?.()
    },
  }
}
