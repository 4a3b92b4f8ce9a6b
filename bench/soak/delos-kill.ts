import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, base64, endOf, plain, type JsonAnswer } from './gateway.ts'
import { askAny } from './leases.ts'
import { makeServers, untilReady } from './loopback.ts'
import { newRoot, type SoakServer } from './servers.ts'

export interface KillOptions {
  rounds: number
  servers: 1 | 3
  profile: 'lan' | 'wan'
  isQuiet: boolean
}

export interface KillReport {
  /** empty: nothing acknowledged was lost or changed, and no revision left out */
  problems: string[]
  servers: number
  rounds: number
  kills: number
  seconds: number
  acknowledged: number
  /** writes that a kill left without an answer, and how many of those were there afterwards */
  unanswered: number
  unansweredFound: number
  revision: number
  compactedTo: number
}

const WRITERS = 8
/** A kill comes at a random moment within this. */
const LOAD_MS = 250
/** Share of the starts that do not come to their end either. */
const KILL_AT_START = 0.1
const START_MS = 800
/** Rounds between compactions, each of which gives up what was before the round. */
const COMPACT_EVERY = 10
const SAME_KEYS = 20
/** What shows once shows again; so many are enough to see what it is. */
const PROBLEMS_MAX = 20
const PROGRESS_EVERY = 25
const PREFIX = 'round/'

/** What was written in a round; each value has a key of its own, and shares one with others in the same revision. */
interface Round {
  acknowledged: Map<string, number>
  unanswered: Set<string>
}

/** Kills a server with -9 under load, again and again on the same data, and looks for everything that it had acknowledged. */
export async function runDelosKill(options: KillOptions): Promise<number> {
  const root = newRoot()
  const servers = await makeServers(options, root)
  const end = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.signal('SIGKILL')))
    rmSync(root, { recursive: true, force: true })
  }
  let isInterrupted = false
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (isInterrupted = true))
  try {
    const report = await killRounds(options, servers, () => isInterrupted)
    process.stdout.write(`${JSON.stringify(report, null, options.isQuiet ? 0 : 2)}\n`)
    return report.problems.length === 0 ? 0 : 1
  } finally {
    await end()
  }
}

async function killRounds(options: KillOptions, servers: readonly SoakServer[], isInterrupted: () => boolean): Promise<KillReport> {
  const startedAt = performance.now()
  const report: KillReport = {
    problems: [],
    servers: servers.length,
    rounds: 0,
    kills: 0,
    seconds: 0,
    acknowledged: 0,
    unanswered: 0,
    unansweredFound: 0,
    revision: 1,
    compactedTo: 0,
  }
  for (const server of servers) server.start()
  await untilReady(servers)
  while (report.rounds < options.rounds && report.problems.length === 0 && !isInterrupted()) {
    const victims = victimsOf(servers, report.rounds)
    const round = await load(servers, report.rounds, async () => {
      await sleep(Math.random() * LOAD_MS)
      await Promise.all(victims.map((server) => server.signal('SIGKILL')))
      report.kills += victims.length
      // Of several, the others go on for a while without it.
      if (victims.length < servers.length) await sleep(Math.random() * LOAD_MS)
    })
    for (const server of victims) server.start()
    if (Math.random() < KILL_AT_START) {
      await sleep(Math.random() * START_MS)
      await Promise.all(victims.map((server) => server.signal('SIGKILL')))
      report.kills += victims.length
      for (const server of victims) server.start()
    }
    await untilReady(servers)
    await check(servers, victims[0] as SoakServer, round, report)
    report.rounds += 1
    report.seconds = Math.round((performance.now() - startedAt) / 1000)
    const { rounds, acknowledged, unanswered, revision, seconds } = report
    if (!options.isQuiet && rounds % PROGRESS_EVERY === 0)
      process.stderr.write(
        `${rounds} rounds in ${seconds} s: ${acknowledged} writes acknowledged, ${unanswered} unanswered, revision ${revision}, ${report.problems.length} problems\n`,
      )
  }
  report.problems.splice(PROBLEMS_MAX)
  return report
}

/** One of several, and now and then all at once. */
function victimsOf(servers: readonly SoakServer[], round: number): readonly SoakServer[] {
  if (servers.length === 1 || round % 10 === 9) return servers
  return [servers[Math.floor(Math.random() * servers.length)] as SoakServer]
}

async function load(servers: readonly SoakServer[], number: number, kill: () => Promise<void>): Promise<Round> {
  const round: Round = { acknowledged: new Map(), unanswered: new Set() }
  let isOver = false
  const write = async (writer: number): Promise<void> => {
    const server = servers[writer % servers.length] as SoakServer
    for (let i = 0; !isOver; i += 1) {
      const name = `${number}/${writer}.${i}`
      const puts = [`${PREFIX}${name}`, `same/${i % SAME_KEYS}`].map((key) => ({ request_put: { key: base64(key), value: base64(name) } }))
      const answer = await ask(server.url, 'kv/txn', { success: puts }, 10_000)
      if (answer !== null) round.acknowledged.set(name, Number(answer.header.revision))
      else round.unanswered.add(name)
      // It was killed: what follows would only be refused.
      if (answer === null) return
    }
  }
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer))
  await kill()
  isOver = true
  await Promise.all(writers)
  return round
}

/** Reads all of the round at the server that was killed, and compares it with what was acknowledged. */
async function check(servers: readonly SoakServer[], killed: SoakServer, round: Round, report: KillReport): Promise<void> {
  const { problems } = report
  const all = (prefix: string): Promise<JsonAnswer> =>
    askAny([killed.url], 'kv/range', { key: base64(prefix), range_end: base64(endOf(prefix)) })
  const answer = await all(PREFIX)
  const found = new Map<string, number>()
  for (const { key, value, mod_revision } of answer.kvs ?? []) {
    const name = plain(key).slice(PREFIX.length)
    if (plain(value) !== name) problems.push(`${name} has the value ${plain(value)}`)
    found.set(name, Number(mod_revision))
  }
  for (const [name, revision] of round.acknowledged) {
    const there = found.get(name)
    if (there !== revision)
      problems.push(`${name} was acknowledged at revision ${revision}; it is ${there === undefined ? 'lost' : `at ${there}`}`)
  }
  for (const name of found.keys())
    if (!round.acknowledged.has(name) && !round.unanswered.has(name)) problems.push(`${name} was never written`)

  // Every revision since the last look is one of these writes, and no two are the same.
  const revision = Number(answer.header.revision)
  const revisions = [...found.values()].sort((a, b) => a - b)
  const gap = revisions.findIndex((at, i) => at !== report.revision + 1 + i)
  if (gap >= 0) problems.push(`revision ${report.revision + 1 + gap} is left out`)
  if (revision !== report.revision + revisions.length)
    problems.push(`at revision ${revision} after ${revisions.length} writes from ${report.revision} on`)

  // Both keys of a transaction, or neither.
  for (const { value, mod_revision } of (await all('same/')).kvs ?? []) {
    const at = found.get(plain(value))
    if (at !== undefined && at !== Number(mod_revision)) problems.push(`${plain(value)} is half there, at ${mod_revision} and at ${at}`)
  }
  report.acknowledged += round.acknowledged.size
  report.unanswered += round.unanswered.size
  report.unansweredFound += [...round.unanswered].filter((name) => found.has(name)).length
  report.revision = await clear(servers, report, revision)
}

/** Deletes the round's keys, so that the next look is at its own; gives the revision that left. */
async function clear(servers: readonly SoakServer[], report: KillReport, revision: number): Promise<number> {
  const urls = servers.map(({ url }) => url)
  if (report.rounds % COMPACT_EVERY === COMPACT_EVERY - 1 && revision > report.compactedTo) {
    await askAny(urls, 'kv/compaction', { revision: String(revision) })
    report.compactedTo = revision
  }
  const deleted = await askAny(urls, 'kv/deleterange', { key: base64(PREFIX), range_end: base64(endOf(PREFIX)) })
  return Number(deleted.header.revision)
}
