import { parseArgs } from 'node:util'
import type { Gpus, NodeIdentity } from '../core/contracts/node.ts'
import { refuse } from '../core/kernel/errors.ts'
import { parseSize } from '../core/kernel/units.ts'
import { diskBytesOf, findGpus, parseGpus } from './devices.ts'

export interface AgentOptions extends Omit<NodeIdentity, 'bootId' | 'pid'> {
  diskBytes: number
  gpus: Gpus[]
  /** root of the context's state */
  stateDir: string
  /** the server's Unix socket; null: it is on another machine, and this agent has joined (`join.ts`) */
  serverSocket: string | null
  /** where the proxy sends request events */
  scubaSocket: string
  gatewayPort: number
  /** bytes kept of each output stream, once and again */
  logMaxBytes: number
}

/** Reads the agent's command line. @throws MusterError USAGE */
export function parseOptions(argv: readonly string[]): AgentOptions {
  const text = { type: 'string' } as const
  let values
  try {
    ;({ values } = parseArgs({
      args: [...argv],
      options: {
        node: text,
        'state-dir': text,
        region: text,
        zone: text,
        rack: text,
        address: text,
        cpu: text,
        memory: text,
        disk: text,
        gpu: { type: 'string', multiple: true },
        server: text,
        'scuba-socket': text,
        'gateway-port': text,
        'log-max': text,
        attribute: { type: 'string', multiple: true },
      },
    }))
  } catch (error) {
    throw refuse('USAGE', (error as Error).message, { cause: error })
  }
  const need = (name: 'node' | 'state-dir'): string => {
    const value = values[name]
    if (value === undefined || value === '') throw refuse('USAGE', `--${name} is needed.`)
    return value
  }
  const node = need('node')
  if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(node))
    throw refuse('USAGE', `--node ${node}: a name of letters a–z, digits, dots and dashes is needed.`)
  const whole = (name: 'cpu' | 'gateway-port', fallback: number): number => {
    const value = Number(values[name] ?? fallback)
    if (!Number.isSafeInteger(value) || value < 0) throw refuse('USAGE', `--${name} is a whole number, not ${values[name]}.`)
    return value
  }
  const size = (name: 'memory' | 'disk' | 'log-max', fallback: string): number => {
    const bytes = parseSize(values[name] ?? fallback)
    if (bytes === null) throw refuse('USAGE', `--${name} is a size like 512MiB, not ${values[name]}.`)
    return bytes
  }
  return {
    node,
    stateDir: need('state-dir'),
    region: values.region ?? 'local',
    zone: values.zone ?? 'local',
    rack: values.rack ?? 'local',
    address: values.address ?? '127.0.0.1',
    cpuMilli: whole('cpu', 1000),
    memoryBytes: size('memory', '1GiB'),
    diskBytes: values.disk === undefined ? diskBytesOf(need('state-dir')) : size('disk', '0B'),
    gpus: values.gpu === undefined ? findGpus() : parseGpus(values.gpu),
    serverSocket: values.server ?? null,
    scubaSocket: values['scuba-socket'] ?? '',
    gatewayPort: whole('gateway-port', 15_001),
    attributes: Object.fromEntries(
      (values.attribute ?? []).map((pair) => [pair.split('=')[0] ?? pair, pair.split('=').slice(1).join('=')]),
    ),
    logMaxBytes: size('log-max', '16MiB'),
  }
}
