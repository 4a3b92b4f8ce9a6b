import { Agent, request } from 'node:http'

/** What the traffic saw since it began, or since `mark`. */
export interface TrafficCount {
  sent: number
  ok: number
  /** answers with status 500 and above, however they came about */
  serverErrors: number
  /** requests that broke before a byte of their answer came */
  broken: number
  /** requests whose answer began and broke off */
  cutOff: number
}

export interface Traffic {
  total: TrafficCount
  /** Counts from now on, beside the total. */
  mark: () => TrafficCount
  /** when the first answer ≥ 500 of a version came, ms since the epoch */
  firstErrorAt: ReadonlyMap<string, number>
  /** answers by version since the beginning */
  byVersion: ReadonlyMap<string, number>
  /** `task on node` of every task that answered */
  tasks: ReadonlySet<string>
  /** answers of the last whole second */
  perSecond: () => number
  stop: () => Promise<void>
}

const CONNECTIONS_PER_GATEWAY = 16
const TICK_MS = 20

/**
 * Real HTTP requests through the mesh, each of a user of its own, at a steady rate over all gateways. Open loop: a slow
 * answer does not slow the sending down, so nothing is hidden by waiting.
 */
export function startTraffic(gateways: readonly string[], service: string, requestsPerSecond: number): Traffic {
  const agents = gateways.map(() => new Agent({ keepAlive: true, maxSockets: CONNECTIONS_PER_GATEWAY }))
  const counters: TrafficCount[] = [emptyCount()]
  const firstErrorAt = new Map<string, number>()
  const byVersion = new Map<string, number>()
  const tasks = new Set<string>()
  const run = Math.random().toString(36).slice(2, 8)
  let user = 0
  let answered = 0
  let lastAnswered = 0
  let rate = 0
  let open = 0
  let isStopped = false

  const count = (field: keyof TrafficCount): void => {
    for (const counter of counters) counter[field] += 1
  }

  const send = (): void => {
    user += 1
    const which = user % gateways.length
    const [host, port] = (gateways[which] as string).split(':')
    open += 1
    count('sent')
    let hasBegun = false
    let isSettled = false
    const settle = (): void => {
      if (!isSettled) open -= 1
      isSettled = true
    }
    const sent = request(
      { host, port: Number(port), path: '/', agent: agents[which], headers: { host: `${service}.mesh`, 'x-user': `${run}-${user}` } },
      (response) => {
        hasBegun = true
        const status = response.statusCode ?? 0
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (text: string) => (body += text))
        response.once('end', () => {
          const about = readBody(body)
          answered += 1
          if (status < 500) count('ok')
          else {
            count('serverErrors')
            if (!firstErrorAt.has(about.version)) firstErrorAt.set(about.version, Date.now())
          }
          byVersion.set(about.version, (byVersion.get(about.version) ?? 0) + 1)
          if (about.task) tasks.add(`${about.task} on ${about.node}`)
          settle()
        })
        response.once('error', () => {
          count('cutOff')
          settle()
        })
      },
    )
    sent.once('error', () => {
      if (!hasBegun) count('broken')
      settle()
    })
    sent.end()
  }

  let owed = 0
  let last = performance.now()
  const ticker = setInterval(() => {
    const now = performance.now()
    owed += ((now - last) * requestsPerSecond) / 1000
    last = now
    for (; owed >= 1; owed -= 1) send()
  }, TICK_MS)
  const meter = setInterval(() => {
    rate = answered - lastAnswered
    lastAnswered = answered
  }, 1000)

  return {
    total: counters[0] as TrafficCount,
    mark: () => {
      const counter = emptyCount()
      counters.push(counter)
      return counter
    },
    firstErrorAt,
    byVersion,
    tasks,
    perSecond: () => rate,
    stop: async () => {
      if (isStopped) return
      isStopped = true
      clearInterval(ticker)
      clearInterval(meter)
      const deadline = Date.now() + 2000
      while (open > 0 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
      for (const agent of agents) agent.destroy()
    },
  }
}

function emptyCount(): TrafficCount {
  return { sent: 0, ok: 0, serverErrors: 0, broken: 0, cutOff: 0 }
}

/** What the hello service says of itself; an answer of the proxy says nothing. */
function readBody(text: string): { version: string; task: string; node: string } {
  try {
    const { version = '', task = '', node = '' } = JSON.parse(text) as { version?: string; task?: string; node?: string }
    return { version, task, node }
  } catch {
    return { version: '', task: '', node: '' }
  }
}
