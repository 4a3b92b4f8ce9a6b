import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import {
  INTAKE_PORTS,
  parseIntakeAddress,
  type IntakeAddress,
  type IntakeAddresses,
  type IntakePort,
} from '../../../../core/scuba/ports.ts'
import { openLinesPort, openSyslogPort } from './line-ports.ts'
import type { Intake } from './take.ts'
import { telemetryRoute } from './telemetry.ts'

export interface OpenPort {
  /** `HOST:PORT`; the port that was got when a free one was asked for */
  address: string
  /** Takes nothing new, lets what came finish. */
  close(): Promise<void>
}

/** What became of a port that was asked for: where it listens, or why it does not. */
export interface PortStatus {
  wanted: string
  address: string | null
  error: string | null
}

export interface Ports {
  status(): Partial<Record<IntakePort, PortStatus>>
  close(): Promise<void>
}

/** Opens the ports that were asked for. One that cannot be opened keeps no other closed; its status and the log say why. */
export async function openPorts(wanted: IntakeAddresses, intake: Intake): Promise<Ports> {
  const status: Partial<Record<IntakePort, PortStatus>> = {}
  const open: OpenPort[] = []
  for (const name of INTAKE_PORTS) {
    const text = wanted[name]
    if (text === undefined) continue
    const at = parseIntakeAddress(text)
    try {
      if (at === null) throw new Error(`${text} is not HOST:PORT`)
      const port = await OPEN[name](at, intake)
      open.push(port)
      status[name] = { wanted: text, address: port.address, error: null }
      intake.store.log.info('a port is open', { port: name, address: port.address })
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      status[name] = { wanted: text, address: null, error: code === 'EADDRINUSE' ? 'the port is in use' : message }
      intake.store.log.error('a port cannot be opened', { port: name, wanted: text, error: message })
    }
  }
  return { status: () => status, close: async () => void (await Promise.all(open.map((port) => port.close()))) }
}

const OPEN: Record<IntakePort, (at: IntakeAddress, intake: Intake) => Promise<OpenPort>> = {
  otlp: (at, intake) => openHttpPort(at, intake, /^\/v1\/(logs|metrics|traces)$/),
  prometheus: (at, intake) => openHttpPort(at, intake, /^\/api\/v1\/write$/),
  syslog: openSyslogPort,
  lines: openLinesPort,
}

async function openHttpPort(at: IntakeAddress, intake: Intake, paths: RegExp): Promise<OpenPort> {
  const server: HttpServer = createHttpServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const route = paths.test(path) ? telemetryRoute(path) : null
    if (route === null || request.method !== 'POST') {
      const status = route === null ? 404 : 405
      response.writeHead(status, { 'content-type': 'text/plain' }).end(`nothing answers ${request.method} ${path} here\n`)
      return
    }
    route(intake, request, response).catch((error: unknown) => {
      intake.store.log.error('answer failed', { path, error: String(error) })
      response.destroy()
    })
  })
  server.keepAliveTimeout = 120_000
  server.requestTimeout = 60_000
  server.maxConnections = 10_000
  return listening(server, at, async () => {
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), 500).unref()
  })
}

/** Listens, and how it ends. Rejects with what `listen` says. */
export async function listening(server: Server, at: IntakeAddress, end: () => Promise<void>): Promise<OpenPort> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: at.host, port: at.port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { port } = server.address() as AddressInfo
  return {
    address: `${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await end()
      await closed
    },
  }
}
