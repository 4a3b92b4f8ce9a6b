import { connect, type Socket } from 'node:net'
import { monotonicMs, type ProxyContext } from './context.ts'
import type { Endpoint } from './endpoint.ts'
import type { Service } from './service.ts'

const TRIES_MAX = 3

/** Layer 4: picks an endpoint for a connection and pipes both ways; another one when the first cannot be reached. */
export function passThrough(context: ProxyContext, client: Socket, service: Service, tried: readonly Endpoint[] = []): void {
  const startedMs = monotonicMs()
  const picked = service.pick(service.split === null ? -1 : Math.floor(Math.random() * 1_000_000), startedMs, tried)
  if (tried.length === 0) service.requests += 1
  if (picked === null || service.running >= service.policy.runningMax) {
    service.countReason(picked === null ? 'no-endpoint' : 'overflow')
    client.destroy()
    return
  }
  const { endpoint } = picked
  client.pause()
  endpoint.running += 1
  endpoint.requests += 1
  service.running += 1
  let isConnected = false
  const upstream = connect({ host: endpoint.def.address, port: endpoint.def.port, noDelay: true, allowHalfOpen: true })
  const timer = setTimeout(() => upstream.destroy(), service.policy.connectTimeoutMs)
  upstream.on('connect', () => {
    isConnected = true
    clearTimeout(timer)
    service.observe(endpoint, 'ok', monotonicMs())
    client.pipe(upstream)
    upstream.pipe(client)
  })
  // 'close' follows and does what must be done.
  upstream.on('error', () => {})
  const onClientClose = (): void => {
    upstream.destroy()
  }
  client.on('close', onClientClose)
  upstream.on('close', () => {
    clearTimeout(timer)
    client.off('close', onClientClose)
    endpoint.running -= 1
    service.running -= 1
    if (endpoint.isDraining && endpoint.running === 0) service.draining.delete(endpoint)
    if (isConnected || client.destroyed) {
      client.destroy()
      return
    }
    endpoint.failures += 1
    service.observe(endpoint, 'connect', monotonicMs())
    if (tried.length + 1 < TRIES_MAX) passThrough(context, client, service, [...tried, endpoint])
    else {
      service.countReason('connect-failed')
      client.destroy()
    }
  })
}
