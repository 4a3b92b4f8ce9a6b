import { mkdirSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { uploadArtifact, packDirectory } from '../../src/cli/files/artifact.ts'
import { createClient } from '../../src/cli/client.ts'
import { newFleet, type TestFleet } from '../../test/support/fleet.ts'

/*
 * From the first bad request to the page, all of it real: a fleet by `muster up`, services as jobs, requests through the mesh's gateway,
 * objectives put in force, a person on call with a webhook.
 */

export interface PagedCase {
  service: string
  /** of the requests, evenly spread */
  errorShare: number
}

export interface Paged extends PagedCase {
  /** from the first bad answer to the page at the webhook; null: none came in time */
  afterMs: number | null
  requests: number
  failed: number
}

const REQUESTS_PER_SECOND = 100
/** All was well for as long as the paging tiers look back (the last two minutes of it by real requests): with less behind it a service pages sooner than one that has run for long. */
const HISTORY_MS = 6 * 3_600_000
const CALM_MS = 125_000

/** Answers as its path says: `/503` with that status. */
const SERVER = `import { createServer } from 'node:http'
createServer((request, response) => {
  const status = Number(request.url.slice(1)) || 200
  response.writeHead(status, { 'content-type': 'text/plain' })
  response.end('ok')
}).listen(Number(process.env.PORT), '127.0.0.1')
`

export async function pageTimes(cases: readonly PagedCase[], waitMs: number): Promise<Paged[]> {
  const fleet = newFleet()
  const pages: { body: string; atMs: number }[] = []
  const pager = await listenForPages(pages)
  const stops: (() => void)[] = []
  try {
    const up = (await fleet.data('up', '--nodes', '1')) as { nodes: { gateway: string }[] }
    const gateway = up.nodes[0]?.gateway ?? ''
    await beOnCall(fleet, `http://127.0.0.1:${(pager.address() as AddressInfo).port}/me`)
    await runServices(fleet, cases)
    const traffics = cases.map((one) => startTraffic(gateway, one))
    stops.push(...traffics.map(({ stop }) => stop))
    for (const traffic of traffics) await traffic.answered
    await writeHistory(fleet, cases)
    await putObjectives(fleet, cases)
    await sleep(CALM_MS)
    for (const traffic of traffics) traffic.fail()
    const untilMs = Date.now() + waitMs
    const paged = (service: string): { body: string; atMs: number } | undefined =>
      pages.find(({ body }) => (JSON.parse(body) as { kind: string }).kind === 'page' && body.includes(service))
    while (Date.now() < untilMs && !cases.every(({ service }) => paged(service))) await sleep(50)
    return cases.map((one, at) => {
      const { counts } = traffics[at] as Traffic
      const since = (ms: number | undefined): number | null =>
        ms === undefined || counts.firstBadMs === null ? null : ms - counts.firstBadMs
      return {
        ...one,
        afterMs: since(paged(one.service)?.atMs),
        requests: counts.requests,
        failed: counts.failed,
      }
    })
  } finally {
    for (const stop of stops) stop()
    await fleet.end()
    pager.closeAllConnections()
    pager.close()
  }
}

function listenForPages(pages: { body: string; atMs: number }[]): Promise<Server> {
  const server = createServer((asked, response) => {
    let body = ''
    asked.setEncoding('utf8').on('data', (part: string) => (body += part))
    asked.once('end', () => {
      pages.push({ body, atMs: Date.now() })
      response.writeHead(204).end()
    })
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

async function beOnCall(fleet: TestFleet, url: string): Promise<void> {
  const file = join(fleet.home, 'oncall.yaml')
  writeFileSync(
    file,
    `version: 1
people:
  tester: { contacts: [{ channel: webhook, address: ${url} }] }
teams: { web: { primary: tester } }
policies: { quick: { steps: [{ targets: [primary] }] } }
defaults: { team: web, policy: quick }
`,
  )
  await fleet.data('sev', 'schedule', 'apply', file)
}

async function runServices(fleet: TestFleet, cases: readonly PagedCase[]): Promise<void> {
  const folder = join(fleet.home, 'release')
  mkdirSync(folder)
  writeFileSync(join(folder, 'server.mjs'), SERVER)
  const client = createClient({ socketPath: join(fleet.root, 'muster.sock'), isTls: false, token: null }, 'user:bench')
  const { digest } = await uploadArtifact(client, await packDirectory(folder))
  for (const { service } of cases) {
    const file = join(fleet.home, `${service}.yaml`)
    writeFileSync(
      file,
      `job: ${service}
groups:
  api:
    count: 1
    availability: { max_surge: 100%, min_healthy_time: 1s }
    network: { ports: { http: {} } }
    services: { ${service}: { port: http } }
    main:
      command: [node, server.mjs]
      artifact: ${digest}
      env: { PORT: "{{port.http}}" }
      resources: { cpu: 20m, memory: 48MiB, memory_max: 256MiB }
      health: { readiness: { http: /200, port: http, interval: 1s } }
`,
    )
    await fleet.data('tw', 'job', 'run', file)
  }
  // Requests before that would be answered 503 by the gateway, and count.
  for (;;) {
    const { tasks } = (await fleet.data('tw', 'ps')) as { tasks: { state: string; health: string }[] }
    if (tasks.filter(({ state, health }) => state === 'running' && health === 'healthy').length >= cases.length) return sleep(3000)
    await sleep(500)
  }
}

/** A row a second that stands for as many requests as come now. */
async function writeHistory(fleet: TestFleet, cases: readonly PagedCase[]): Promise<void> {
  const file = join(fleet.home, 'history.ndjson')
  const toMs = Date.now() - 20_000
  const rows = cases.flatMap(({ service }) =>
    Array.from({ length: HISTORY_MS / 1000 }, (_, second) =>
      JSON.stringify({ time: toMs - second * 1000, service, status: 200, latency_ms: 1, sample_rate: REQUESTS_PER_SECOND }),
    ),
  )
  writeFileSync(file, `${rows.join('\n')}\n`)
  await fleet.data('scuba', 'send', 'requests', file)
}

async function putObjectives(fleet: TestFleet, cases: readonly PagedCase[]): Promise<void> {
  const file = join(fleet.home, 'slos.yaml')
  writeFileSync(file, cases.map(({ service }) => `service: ${service}\nobjectives:\n  - availability: 99.95%\n`).join('---\n'))
  await fleet.data('scuba', 'slo', 'put', file, '--yes')
}

interface Traffic {
  counts: { requests: number; failed: number; firstBadMs: number | null }
  /** the first good answer came */
  answered: Promise<void>
  fail: () => void
  stop: () => void
}

/** Steady requests through the gateway, whether they are answered or not; from `fail` on that share of them is answered 503. */
function startTraffic(gateway: string, { service, errorShare }: PagedCase): Traffic {
  const [host, port] = gateway.split(':')
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const counts: Traffic['counts'] = { requests: 0, failed: 0, firstBadMs: null }
  let isFailing = false
  let owedErrors = 0
  let begin = (): void => undefined
  const answered = new Promise<void>((resolve) => (begin = resolve))
  const send = (): void => {
    owedErrors += isFailing ? errorShare : 0
    const isBad = owedErrors >= 1
    if (isBad) owedErrors -= 1
    const path = isBad ? '/503' : '/200'
    const sent = request({ host, port: Number(port), path, agent, headers: { host: `${service}.mesh` } }, (response) => {
      response.resume()
      if (response.statusCode === 200) begin()
      if (!isFailing) return
      counts.requests += 1
      if ((response.statusCode ?? 0) < 500) return
      counts.failed += 1
      counts.firstBadMs ??= Date.now()
    })
    sent.once('error', () => undefined)
    sent.end()
  }
  let owed = 0
  let last = performance.now()
  const ticker = setInterval(() => {
    const now = performance.now()
    owed += ((now - last) * REQUESTS_PER_SECOND) / 1000
    last = now
    for (; owed >= 1; owed -= 1) send()
  }, 20)
  return {
    counts,
    answered,
    fail: () => (isFailing = true),
    stop: () => {
      clearInterval(ticker)
      agent.destroy()
    },
  }
}
