import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { startClients } from './clients.ts'
import { ask, base64, plain, type JsonAnswer } from './gateway.ts'
import { checkAcknowledged, checkPairs, checkRevisions, checkWatch, stateAfter, type Recorded } from './history.ts'
import { askAny, keepLease, KEPT_KEY } from './leases.ts'
import { FAULTS, type Fault, type Target } from './nemesis.ts'
import { networkOf, openNetwork, whyNoNetwork, type Network } from './network.ts'
import { newRoot, newSoakServer, type SoakServer } from './servers.ts'
import { startWatcher } from './watchers.ts'

export interface NetOptions {
  seconds: number
  profile: 'lan' | 'wan'
  clients: number
  /** how long a fault lasts */
  faultMs: number
  /** only faults whose name has this in it */
  only: string
  isQuiet: boolean
}

export interface NetReport {
  /** empty: all that has to be true was */
  problems: string[]
  seconds: number
  profile: string
  /** longest time without an acknowledged change, from the beginning of the fault to the calm after it; and how long after its end one came */
  faults: { name: string; gapMs: number; untilWriteMs: number }[]
  operations: number
  acknowledgedChanges: number
  unknown: number
  pairs: { linearizable: number; violation: number; undecided: number }
  revision: number
  watch: { events: number; resumes: number }
  /** `wasRenewed`: in time, always; only then it had to stay */
  lease: { renewals: number; gapMaxMs: number; wasRenewed: boolean }
  hashes: (number | undefined)[]
}

const SERVERS = ['a', 'b', 'c'] as const
const NAMES = [...SERVERS, 'clients']
const CALM_MS = 700
/** After a fault, a majority that can talk must write again within this. */
const RECOVER_MS = 90_000
const MAKER = 'MUSTER_SOAK_NETWORK'

/** Runs it all in a network of its own, and takes that away whatever comes. Resolves with the exit code of what ran inside. */
export async function runDelosNet(options: NetOptions): Promise<number> {
  const maker = process.env[MAKER]
  if (maker !== undefined) return runInside(options, networkOf(Number(maker), NAMES))
  const reason = whyNoNetwork()
  if (reason !== null) {
    process.stderr.write(`delos-net ${reason}.\n`)
    return 2
  }
  const network = openNetwork(NAMES)
  const [program, ...args] = [...network.inside('clients'), process.execPath, ...process.argv.slice(1)]
  try {
    const inside = spawn(program as string, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, [MAKER]: String(process.pid) },
    })
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => inside.kill(signal))
    const [code] = (await once(inside, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    network.close()
  }
}

async function runInside(options: NetOptions, network: Network): Promise<number> {
  const root = newRoot()
  const cluster = SERVERS.map((name) => `${name}=http://${network.addressOf(name)}:2380`).join(',')
  const servers = SERVERS.map((name) =>
    newSoakServer({
      name,
      root,
      cluster,
      clientUrl: `http://${network.addressOf(name)}:2379`,
      peerUrl: `http://${network.addressOf(name)}:2380`,
      flags: ['--profile', options.profile],
      before: network.inside(name),
    }),
  )
  const endAll = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.signal('SIGKILL')))
    rmSync(root, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void endAll().finally(() => process.exit(130)))
  // Whoever made the network was killed. Its names cannot be removed from inside; the next run sweeps them.
  const orphaned = (): void => void endAll().finally(() => process.exit(1))
  process.once('disconnect', orphaned)
  try {
    const report = await prove(options, network, servers)
    process.stdout.write(`${options.isQuiet ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`)
    return report.problems.length === 0 ? 0 : 1
  } finally {
    process.off('disconnect', orphaned)
    network.heal()
    await endAll()
    process.disconnect?.()
  }
}

async function prove(options: NetOptions, network: Network, servers: readonly SoakServer[]): Promise<NetReport> {
  const say = (text: string): void => void (options.isQuiet || process.stderr.write(`${text}\n`))
  const urls = servers.map(({ url }) => url)
  const problems: string[] = []
  for (const server of servers) server.start()
  await untilWritten(urls, 'start')
  const startedAt = performance.now()
  const watchers = [startWatcher(urls, 0, 2, null), startWatcher(urls, 1, 2, 1100)]
  const lease = await keepLease(urls)
  const clients = startClients(urls, options.clients)
  const seconds = (): number => Math.round((performance.now() - startedAt) / 1000)
  const faults: NetReport['faults'] = []
  const until = startedAt + options.seconds * 1000
  const known = FAULTS.filter(({ name }) => name.includes(options.only))
  // Every fault once, in order; then any, until the time is over.
  for (let i = 0; i < known.length || performance.now() < until; i += 1) {
    const fault = (known[i] ?? known[Math.floor(Math.random() * known.length)]) as Fault
    const target = await targetOf(network, servers)
    const beganAt = performance.now()
    await fault.begin(target)
    await sleep(options.faultMs)
    await fault.end(target)
    const healedAt = performance.now()
    await untilWritten(urls, `${i}`)
    const untilWriteMs = Math.round(performance.now() - healedAt)
    await sleep(CALM_MS)
    const gapMs = longestGap(clients.history, beganAt, performance.now())
    faults.push({ name: fault.name, gapMs, untilWriteMs })
    say(
      `${seconds()} s: ${fault.name}; ${gapMs} ms without a write, the first ${untilWriteMs} ms after its end; ${clients.history.length} operations`,
    )
    problems.push(...servers.flatMap((server) => server.unexpectedEnd() ?? []))
    if (problems.length > 0) break
  }
  await clients.stop()
  await lease.stop()

  const last = await askAny(urls, 'kv/put', { key: 'ZW5k', value: 'ZW5k' })
  const revision = Number(last.header.revision)
  for (const watcher of watchers) await watcher.stopAt(revision, 20_000)
  const fresh = startWatcher(urls, 2, 2, null)
  await fresh.stopAt(revision, 20_000)
  const { history } = clients
  for (const [i, watcher] of [...watchers, fresh].entries())
    problems.push(...checkWatch(`watch ${i}`, watcher.events, 2, revision).slice(0, 5))
  const asText = (events: readonly object[]): string => JSON.stringify(events)
  for (const watcher of watchers) if (asText(watcher.events) !== asText(fresh.events)) problems.push('two watches saw different histories')
  const pairs = checkPairs(history)
  problems.push(...pairs.violation.map((pair) => `the history of ${pair} is not linearizable`))
  problems.push(...checkRevisions(history).slice(0, 5), ...checkAcknowledged(history, fresh.events).slice(0, 5))
  problems.push(...(await checkStates(urls, stateAfter(fresh.events))))
  const hashes = await Promise.all(
    urls.map(async (url) => (await ask(url, 'maintenance/hash', { revision: String(revision) }, 10_000))?.hash),
  )
  if (hashes.includes(undefined) || new Set(hashes).size !== 1) problems.push(`the servers' hashes differ: ${hashes.join(', ')}`)
  // Faults that last may keep everyone from renewing it; then it is free to end.
  const wasRenewed = lease.gapMaxMs < lease.ttlMs
  const kept = fresh.events.filter(({ key }) => key === KEPT_KEY)
  if (wasRenewed && kept.length !== 1) problems.push('the lease ended though it was renewed in time')

  return {
    problems,
    seconds: seconds(),
    profile: options.profile,
    faults,
    operations: history.length,
    acknowledgedChanges: history.filter(({ hasChanged }) => hasChanged).length,
    unknown: history.filter(({ output, input }) => output === null && input.kind !== 'get').length,
    pairs: { linearizable: pairs.linearizable.length, violation: pairs.violation.length, undecided: pairs.undecided.length },
    revision,
    watch: { events: fresh.events.length, resumes: watchers.reduce((sum, { resumes }) => sum + resumes, 0) },
    lease: { renewals: lease.renewals, gapMaxMs: Math.round(lease.gapMaxMs), wasRenewed },
    hashes,
  }
}

function longestGap(history: readonly Recorded[], fromMs: number, toMs: number): number {
  const times = history
    .filter(({ hasChanged, returnedAt }) => hasChanged && returnedAt >= fromMs && returnedAt <= toMs)
    .map(({ returnedAt }) => returnedAt)
  const all = [fromMs, ...times.toSorted((a, b) => a - b), toMs]
  return Math.round(Math.max(...all.map((at, i) => at - (all[i - 1] ?? at))))
}

/** All are asked at once: one that is gone or cut off would make the others look late. */
async function untilWritten(urls: readonly string[], value: string): Promise<void> {
  const giveUpAt = performance.now() + RECOVER_MS
  while (performance.now() < giveUpAt) {
    const isWritten = urls.map(async (url) => {
      if ((await ask(url, 'kv/put', { key: base64('alive'), value: base64(value) }, 5000)) === null) throw new Error('not written')
    })
    if (
      await Promise.any(isWritten).then(
        () => true,
        () => false,
      )
    )
      return
    await sleep(20)
  }
  throw new Error(`nothing could be written for ${RECOVER_MS / 1000} s`)
}

async function targetOf(network: Network, servers: readonly SoakServer[]): Promise<Target> {
  const giveUpAt = performance.now() + RECOVER_MS
  while (performance.now() < giveUpAt) {
    for (const server of servers) {
      const status: JsonAnswer | null = await ask(server.url, 'maintenance/status', {}, 1000)
      if (status === null || status.leader !== status.header.member_id) continue
      const [one, other] = servers.filter((each) => each !== server)
      return { network, leader: server, followers: [one as SoakServer, other as SoakServer] }
    }
    await sleep(20)
  }
  throw new Error(`no server led for ${RECOVER_MS / 1000} s`)
}

/** Each server reads, as of now, exactly what the events leave. */
async function checkStates(urls: readonly string[], expected: ReadonlyMap<string, string>): Promise<string[]> {
  const problems: string[] = []
  for (const url of urls) {
    const answer = await askAny([url], 'kv/range', { key: 'AA==', range_end: 'AA==' })
    const state = new Map((answer.kvs ?? []).map(({ key, value }) => [plain(key), plain(value)]))
    const wrong = [...new Set([...expected.keys(), ...state.keys()])].filter((key) => state.get(key) !== expected.get(key))
    if (wrong.length > 0) problems.push(`${url} has other values than the history of ${wrong.slice(0, 5).join(', ')}`)
  }
  return problems
}
