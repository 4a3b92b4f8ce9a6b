import { errorFromBody, refuse, type ErrorBody } from '../../core/kernel/errors.ts'
import { routeOf } from '../../core/contracts/operation.ts'
import { textOf } from '../../platform/streams.ts'
import type { ServerHost } from '../host.ts'
import type { ControlLog } from '../state/control-log.ts'
import type { LeaderLink } from './leader-link.ts'
import { CALLER_HEADER } from './pass-on.ts'

const LEADER_MS = 5000

/** Runs commands through the sequencer of whoever leads. */
export function runOnLeader(control: ControlLog, link: LeaderLink): ServerHost['run'] {
  return async (command, input, actor) => {
    const checked = command.input.parse(input)
    if (control.leads()) {
      const { value } = await control.submit({ actor }, (db, at) => {
        const decision = command.decide(db, checked, { actor, role: 'admin', ...at })
        return decision instanceof Error ? decision : { entries: decision.entries, value: decision.reply }
      })
      return value as never
    }
    const leader = await link.find(LEADER_MS)
    if (leader === null) throw refuse('DELOS_NO_QUORUM', 'no server of the fleet leads at the moment')
    return command.output.parse(await ask(link, leader, routeOf(command.name), checked, actor)) as never
  }
}

function ask(link: LeaderLink, leader: bigint, path: string, input: unknown, actor: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', [CALLER_HEADER]: `admin ${actor}` }
    const sending = link.request(leader, { method: 'POST', path, headers }, (answer) => {
      textOf(answer)
        .then((text) => {
          const body = JSON.parse(text) as { ok: boolean; data: unknown; error: ErrorBody }
          if (body.ok) resolve(body.data)
          else reject(errorFromBody(body.error))
        })
        .catch(reject)
    })
    sending.once('error', (cause) =>
      reject(refuse('DELOS_OUTCOME_UNKNOWN', `the leader went away before it answered (${cause.message})`, { cause })),
    )
    sending.end(JSON.stringify(input))
  })
}
