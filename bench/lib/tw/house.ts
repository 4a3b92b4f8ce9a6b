import type { Controller } from '../../../src/core/contracts/controller.ts'
import type { Entry } from '../../../src/core/contracts/entry.ts'
import { FleetCache } from '../../../src/core/tw/controllers/fleet-cache.ts'
import type { NodeBeat, PeerLook, TwSoft } from '../../../src/core/tw/soft.ts'
import { twSystem } from '../../../src/core/tw/system.ts'
import { startControllers, type ControllerLoop } from '../../../src/server/controllers.ts'
import type { ControlLog } from '../../../src/server/state/control-log.ts'
import { openLoneLog, quiet } from '../control-log.ts'
import { joinOf, NODES } from './fleet.ts'

/** tw as the server runs it, without agents: its log on the disk, its state.db, its controllers. */
export interface House {
  control: ControlLog
  cache: FleetCache
  beats: Map<string, NodeBeat>
  /** what peers found of silent nodes */
  looks: Map<string, PeerLook>
  start: () => ControllerLoop
  /** the controllers that run now */
  loop: () => ControllerLoop | null
  close: () => Promise<void>
}

/** @param names the controllers that run; all unless it says */
export async function openHouse(dir: string, names: readonly string[] | null = null): Promise<House> {
  const { control, close } = await openLoneLog(dir, [twSystem])
  const cache = new FleetCache()
  const beats = new Map<string, NodeBeat>()
  const looks = new Map<string, PeerLook>()
  const soft = (): TwSoft => ({ beats, looks, cache, position: () => control.tail() - 1 })
  const unlisten = control.onEntries((entries) => cache.apply(control.db, entries))
  const controllers: Controller[] = twSystem.controllers.filter(({ name }) => names === null || names.includes(name))
  // As the first decision of a server does: from then on it follows the entries.
  cache.image(control.db, control.tail() - 1)
  let loop: ControllerLoop | null = null
  return {
    control,
    cache,
    beats,
    looks,
    start: () => {
      const wiring = { soft: Object.fromEntries(controllers.map(({ name }) => [name, soft])) }
      loop = startControllers([{ ...twSystem, controllers }], [wiring], control, quiet)
      return loop
    },
    loop: () => loop,
    close: async () => {
      unlisten()
      await loop?.stop()
      await close()
    },
  }
}

const JOINED_AT_ONCE = 1000

export async function joinNodes(control: ControlLog): Promise<void> {
  for (let from = 0; from < NODES; from += JOINED_AT_ONCE) {
    const entries = Array.from({ length: Math.min(JOINED_AT_ONCE, NODES - from) }, (_, i) => joinOf(from + i))
    await control.submit({ actor: 'bench' }, () => ({ entries, value: () => undefined }))
  }
}

/** How many tasks an entry placed or asked to place. */
export function placedBy(entry: Entry): number {
  if (entry.type !== 'tw.TasksPlaced') return 0
  const body = entry.body as { count?: number; tasks?: unknown[] }
  return body.count ?? body.tasks?.length ?? 0
}

/** Resolves once `isDone` says so after some batch. */
export function until(control: ControlLog, isDone: (entries: readonly Entry[]) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const end = control.onEntries((entries) => {
      if (!isDone(entries)) return
      end()
      resolve()
    })
  })
}

export function countTasks({ db }: Pick<ControlLog, 'db'>): number {
  return db.get<{ n: number }>('SELECT sum(tasks) AS n FROM tw_node_load')?.n ?? 0
}
