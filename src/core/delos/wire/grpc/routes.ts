import type { Method } from '../methods.ts'
import { METHODS } from '../methods.ts'
import { codecOf } from '../../../kernel/protobuf/codec.ts'
import { enumeration, text, type Schema } from '../../../kernel/protobuf/schema.ts'
import type { EtcdService, Streaming, Unary } from '../service.ts'

/** A method with who answers it. */
export type Route =
  | { kind: 'unary'; method: Method<unknown, unknown>; handle: Unary<unknown, unknown> }
  | { kind: 'streaming'; method: Method<unknown, unknown>; handle: Streaming<unknown, unknown> }

/** Routes by `:path`. */
export type Routes = ReadonlyMap<string, Route>

/** `grpc.health.v1`, as far as load balancers and etcd's clients ask. */
const HEALTH_REQUEST: Schema<{ service: string }> = { name: 'grpc.health.v1.HealthCheckRequest', fields: { service: text(1) } }
const HEALTH_RESPONSE: Schema<{ status: number }> = {
  name: 'grpc.health.v1.HealthCheckResponse',
  fields: {
    status: enumeration(1, 'grpc.health.v1.HealthCheckResponse_ServingStatus', ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']),
  },
}

/** The calls of this service; those it leaves out have no route. `isServing` answers the health checks. */
export function routesOf(service: Partial<EtcdService>, isServing: () => boolean): Routes {
  const routes = new Map<string, Route>()
  for (const [name, method] of Object.entries(METHODS)) {
    const handle = service[name as keyof EtcdService]
    // Name, kind, and types of the messages belong together by the type of METHODS.
    if (handle !== undefined) routes.set(method.path, { kind: method.kind, method, handle } as unknown as Route)
  }
  const check: Method<unknown, unknown> = {
    kind: 'unary',
    path: '/grpc.health.v1.Health/Check',
    request: codecOf(HEALTH_REQUEST),
    response: codecOf(HEALTH_RESPONSE),
    routes: [],
  }
  routes.set(check.path, {
    kind: 'unary',
    method: check,
    handle: (_request, _raw, _call, reply) => reply(null, { status: isServing() ? 1 : 2 }),
  })
  return routes
}
