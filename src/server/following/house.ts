import type { FastifyInstance } from 'fastify'
import { createApi } from '../api/api.ts'
import type { Door, House } from '../api/doors.ts'
import { operatorRoutes } from '../delos/membership/operator-routes.ts'
import { apiParts, type ServerParts } from '../leading.ts'
import { hereRoutes } from './here.ts'
import { leafRoutes } from '../scuba/leaf-routes.ts'
import type { LeaderLink } from './leader-link.ts'

/** What answers while another server leads: it takes rows in, passes on what it is asked, and says how it is itself. */
export function followingHouse(parts: ServerParts, link: LeaderLink): House {
  const wirings = [{ routes: (app: FastifyInstance) => leafRoutes(app, parts.paths.scubaSocket) }]
  const options = { ...apiParts(parts), wirings, link, status: () => parts.status(null) }
  const at = (door: Door): FastifyInstance => {
    const app = createApi(options, door)
    // Asked of it itself only while it cannot go on alone (`api.ts`).
    // What it does then is noted by nobody: there is no log to note it in.
    operatorRoutes(app, { kv: {}, control: parts.store.calls.control }, (_log, _actor, work) => work())
    if (door === 'server') hereRoutes(app, { ...parts, artifacts: parts.artifacts.own })
    return app
  }
  return { socket: at('socket'), tcp: at('tcp'), server: at('server') }
}
