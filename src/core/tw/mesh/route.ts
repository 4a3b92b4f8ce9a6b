/**
 * The service a request on the gateway port asks for, or null. The header `x-muster-service` wins; then the host:
 * `web`, `web.mesh`, `web.default.mesh`, each with or without a port. Where there is one service only, any host is its.
 */
export function serviceOf<S>(services: ReadonlyMap<string, S>, header: string | null, host: string): S | null {
  if (header !== null) return services.get(serviceName(header)) ?? null
  const named = services.get(serviceName(host))
  if (named !== undefined) return named
  // A name of the mesh that is not there must not be answered by somebody else; an address names nobody.
  if (services.size !== 1 || /\.mesh(?::\d+)?$/i.test(host)) return null
  for (const only of services.values()) return only
  return null
}

/** `web.default.mesh:15001` → `web`. */
export function serviceName(host: string): string {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  const inMesh = name.endsWith('.mesh') ? name.slice(0, -'.mesh'.length) : name
  return inMesh.endsWith('.default') ? inMesh.slice(0, -'.default'.length) : inMesh
}
