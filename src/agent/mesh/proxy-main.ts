import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createLogger } from '../../platform/logger.ts'
import { serveControl } from './control.ts'
import { MeshProxyServer } from './proxy.ts'

const DRAIN_MS = 10_000

/** The mesh proxy of one node, a process of its own: it serves on when its agent or the server is gone. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      node: { type: 'string' },
      region: { type: 'string', default: '' },
      control: { type: 'string' },
      state: { type: 'string' },
      'gateway-port': { type: 'string', default: '15001' },
      'events-socket': { type: 'string', default: '' },
      log: { type: 'string' },
    },
  })
  const { node, control, state } = values
  const gatewayPort = Number(values['gateway-port'])
  if (
    node === undefined ||
    control === undefined ||
    state === undefined ||
    !Number.isInteger(gatewayPort) ||
    gatewayPort < 0 ||
    gatewayPort > 65_535
  ) {
    process.stderr.write(
      'usage: proxy-main --node NAME --control SOCKET --state FILE [--region R] [--gateway-port N] [--events-socket PATH] [--log FILE]\n',
    )
    process.exit(2)
  }
  const log = createLogger(values.log ?? null)
  const proxy = new MeshProxyServer({
    node,
    region: values.region,
    stateFile: state,
    gatewayPort,
    eventsSocket: values['events-socket'],
    log,
  })
  let isStopping = false
  const stop = (): void => {
    if (isStopping) return
    isStopping = true
    // New agents must not find a proxy that is going away.
    rmSync(control, { force: true })
    void proxy.stop(DRAIN_MS).then(() => {
      log.info('stopped')
      process.exit(0)
    })
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('uncaughtException', (error) => {
    log.error('bug', { error: error.stack ?? String(error) })
    process.exit(70)
  })
  await proxy.start()
  await serveControl(control, proxy, stop)
  log.info('serving', { node, gateway: proxy.gateway, pid: process.pid })
}

await main()
