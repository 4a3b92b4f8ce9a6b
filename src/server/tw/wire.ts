import { FleetCache } from '../../core/tw/controllers/fleet-cache.ts'
import { nodeToken } from '../../core/tw/operations.ts'
import { findTask, PUT_PROFILE, RESTART_AGENT, type OpView, type TwSoft } from '../../core/tw/queries.ts'
import { refuse } from '../../core/kernel/errors.ts'
import type { ZoneTable } from '../../core/kernel/zone.ts'
import { twSystem } from '../../core/tw/system.ts'
import type { ServerHost, Wiring } from '../host.ts'
import { isZone, schedulingZone } from '../zones.ts'
import type { AgentHub } from './agents.ts'
import { softAnswers } from './answers.ts'
import { textOf } from '../../platform/streams.ts'
import { askAgent, placesOf, type TaskPlace } from './ask-agent.ts'
import { createConsentLoop, type ConsentLoop } from './consent.ts'
import { putProfile } from './put-profile.ts'
import { restartAgent } from './restart-agent.ts'
import { execRoutes } from './exec.ts'
import { createMaintainAdapter } from './maintain.ts'
import { pendingOps, type PendingAsked } from './pending-ops.ts'
import { logRoutes } from './logs.ts'

/** tw's adapters: beats for its controllers, logs and exec through the agents' sockets. */
export function wireTw(host: ServerHost, hub: AgentHub, nodeTokenAction: NonNullable<Wiring['plannedActions']>[string]): Wiring {
  const cache = new FleetCache()
  const zoneOf = (zone: string): ZoneTable | null => (isZone(zone) ? schedulingZone(zone, host.now()) : null)
  const soft = (): TwSoft => ({ beats: hub.beats, looks: hub.looks, zoneOf, cache, position: () => host.position() - 1 })
  const unlisten = host.onEntries((entries) => cache.apply(host.db, entries))
  const consent = createConsentLoop(host)
  return {
    soft: Object.fromEntries(twSystem.controllers.map(({ name }) => [name, soft])),
    operationSoft: Object.fromEntries(twSystem.operations.map(({ name }) => [name, soft])),
    plannedActions: { [nodeToken.name]: nodeTokenAction },
    actions: {
      'tw.op.pending': (asked: PendingAsked, context) => pendingOps(host, asked, context),
      'tw.task.exec': async ({ task }: { task: string }) => {
        const place = placesOf(host, task)[0] as TaskPlace
        const row = findTask(host.db, String(place.id))
        if (row?.is_terminal === 1)
          throw refuse('TW_TASK_ENDED', `${place.task} has ended: ${row.state}${row.reason === '' ? '' : `, ${row.reason}`}`)
        const entrance = JSON.parse(await textOf(await askAgent(host, place.node, `/exec?task=${place.id}`))) as object
        return { ...entrance, isHere: !hub.isRemote(place.node) && !hub.servers.has(place.node) }
      },
      'tw.task.signal': async ({ task, signal }: { task: string; signal: string }) => {
        const place = placesOf(host, task)[0] as TaskPlace
        await textOf(await askAgent(host, place.node, `/task/${place.id}/signal?signal=${signal}`, 'POST'))
        return { task: place.task, node: place.node }
      },
    },
    effects: {
      [RESTART_AGENT]: (effect) => restartAgent(host, effect),
      [PUT_PROFILE]: (effect) => putProfile(host, effect),
      'tw.maintain': createMaintainAdapter(host),
    },
    answered: {
      ...softAnswers(host, hub, cache, zoneOf),
      'tw.op.list': (_input, { ops }: { ops: OpView[] }) => ops.forEach((op) => nameTrouble(op, consent)),
      'tw.op.show': (_input, op: OpView) => nameTrouble(op, consent),
    },
    routes: (app) => {
      logRoutes(app, host)
      execRoutes(app, host)
    },
    start: async () => consent.start(),
    stop: async () => {
      unlisten()
      consent.stop()
      hub.stop()
    },
  }
}

/** Whoever waits for an application also reads why it does not answer. */
function nameTrouble(op: OpView, consent: ConsentLoop): void {
  const trouble = op.state === 'asked' ? consent.troubleOf(op.job, op.group) : ''
  if (trouble !== '') op.waitsFor = `${op.waitsFor}: ${trouble}`
}
